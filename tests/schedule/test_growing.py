"""Stages that grow operator by operator need what each needs when it is simulated from the beginning."""

import itertools

import numpy as np
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.tools.kernel_runner import module_of
from tests.tools.networks import Network, shared
from tinycc.graph import OperatorGraph
from tinycc.ops.stage import Grid
from tinycc.passes.pipeline import InputMode, default_passes
from tinycc.schedule.candidates import Candidate, Candidates
from tinycc.schedule.choose import Choice, choose, choose_within
from tinycc.schedule.growing import GrownStage
from tinycc.schedule.options import ScheduleOptions


def candidates_of(module: tvm.IRModule, input_mode: InputMode = "tensor") -> Candidates:
    passes = default_passes("float", input_mode=input_mode)
    last = [item.info.name for item in passes].index("OrderOperators")
    return Candidates(OperatorGraph.of(tvm.transform.Sequential(passes[: last + 1])(module)))


def figures(candidate: Candidate | None) -> dict[str, object] | None:
    if candidate is None:
        return None
    return {name: value for name, value in vars(candidate).items() if name not in ("graph", "stage", "node")}


def check_runs(candidates: Candidates) -> None:
    """Compare every run of operators with its stage by itself."""
    grown = {(candidate.first, candidate.last): candidate for candidate in candidates.runs}
    nodes = candidates.nodes
    most = 2 * max(candidate.live_bytes for candidate in candidates.whole)
    for first, last in itertools.combinations(range(len(nodes) + 1), 2):
        run = nodes[first:last]
        if len(run) > 1 and all(map(candidates.streams, run)):
            alone = candidates.simulated(run)
            # Runs that have more in rings than that are left out.
            if alone is None or alone.ring_bytes <= most:
                assert figures(grown.get((first, last))) == figures(alone)


def branching(seed: int) -> tvm.IRModule:
    """Strides, windows that leave rows out, skips in either order of operands, branches that meet, a mean."""
    random = np.random.default_rng(seed)
    network = Network(random)

    def body(x: relax.Expr) -> relax.Expr:
        value, height = x, 32
        for _ in range(3):
            kind = random.choice(["strided", "pooled", "skip", "branches", "cropped"])
            if kind == "strided":
                value, height = network.depthwise(value, 4, 3, stride=2), (height + 1) // 2
            elif kind == "pooled":
                value, height = network.pooled(value), height // 2
            elif kind == "skip":
                pair = [network.convolution(network.depthwise(value, 4), 4, 4), value]
                value = network.add(*(pair if random.random() < 0.5 else pair[::-1]))
            elif kind == "branches":
                value = network.add(network.convolution(value, 4, 4, 5), network.convolution(value, 4, 4, 3))
            else:
                value, height = relax.op.strided_slice(value, [1], [1], [height - 1]), height - 2
        return network.mean(value) if random.random() < 0.5 else value

    return shared(module_of([((1, 32, 12, 4), "int8")], body))


@settings(max_examples=12)
@given(st.integers(0, 9999))
def test_a_grown_stage_is_what_it_is_by_itself(seed: int) -> None:
    check_runs(candidates_of(branching(seed)))


@settings(max_examples=6)
@given(st.integers(0, 9999), st.sampled_from([2, 3, 5]))
def test_strips_are_what_they_are_by_themselves(seed: int, count: int) -> None:
    candidates = candidates_of(branching(seed))
    for stage in candidates.runs:
        grid = Grid(strips=count)
        assert figures(candidates.cut(stage, grid)) == figures(candidates.simulated(stage.run, grid))


@settings(max_examples=6)
@given(st.integers(0, 9999))
def test_a_stage_that_is_fed_by_rows_is_what_it_is_by_itself(seed: int) -> None:
    candidates = candidates_of(branching(seed), input_mode="rows")
    fed = [stage for stage in candidates.runs if stage.is_fed]
    assert fed
    for stage in fed:
        assert figures(stage) == figures(candidates.simulated(stage.run))


@settings(max_examples=6)
@given(st.integers(0, 9999), st.sampled_from([0.3, 0.5, 0.8]))
def test_what_is_known_of_other_graphs_changes_nothing(seed: int, share: float) -> None:
    """Nor does a search that looks no further than a budget."""
    tree = GrownStage()
    for graph in (candidates_of(branching(seed + item)).graph for item in (1, 0)):
        most = max(candidate.live_bytes for candidate in Candidates(graph).whole)
        options = ScheduleOptions(sram_bytes=int(share * most))
        alone, within = choose(graph, options), choose_within(graph, options, tree)
        assert alone is not None
        told = figures_of(choose(graph, options, tree))
        assert told == figures_of(alone)
        fits = alone.space.fits(alone.schedule, int(share * most))
        assert figures_of(within) == (told if fits else None)


def figures_of(choice: Choice | None) -> list[dict[str, object] | None] | None:
    return None if choice is None else [figures(item) for item in choice.schedule.candidates]
