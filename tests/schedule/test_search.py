"""The search finds what brute force finds."""

from dataclasses import replace

import networkx
import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.tools.kernel_runner import module_of
from tests.tools.networks import Network, inverted_residual, shared
from tinycc.graph import OperatorGraph
from tinycc.limits import DEFAULT_LIMITS
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan
from tinycc.schedule.candidates import Candidate, Candidates
from tinycc.schedule.choose import Space
from tinycc.schedule.search import Schedule, Search
from tinycc.schedule.staged import staged


def candidates_of(module: tvm.IRModule) -> Candidates:
    passes = default_passes("float")
    last = [item.info.name for item in passes].index("OrderOperators")
    return Candidates(OperatorGraph.of(tvm.transform.Sequential(passes[: last + 1])(module)))


def search_in(candidates: Candidates) -> Search:
    return Search([*candidates.whole, *candidates.stages], len(candidates.nodes))


def cheapest_within(candidates: Candidates, budget: int) -> Schedule | None:
    return Space(candidates).once_within(budget)


def arena_of(candidates: Candidates, schedule: Schedule) -> int:
    return build_plan(staged(candidates.graph, schedule.candidates)).arena_bytes


def all_schedules(candidates: Candidates, *, cut: bool = False) -> list[Schedule]:
    """Every path from the first binding to the last; `cut`: through stages in strips, too."""
    graph = networkx.DiGraph()
    for candidate in (*candidates.whole, *candidates.stages, *(candidates.strips if cut else [])):
        graph.add_edge(candidate.first, candidate)
        graph.add_edge(candidate, candidate.last)
    paths = networkx.all_simple_paths(graph, 0, len(candidates.nodes))
    return [Schedule(tuple(node for node in path if isinstance(node, Candidate))) for path in paths]


def random_network(seed: int) -> tvm.IRModule:
    """Four to six layers, with skips around some."""
    generator = np.random.default_rng(seed)
    network = Network(generator)
    channels = int(generator.integers(1, 6))

    def body(x: relax.Expr) -> relax.Expr:
        value, depth = x, channels
        for _ in range(int(generator.integers(2, 4))):
            wide = int(generator.integers(1, 12))
            inside = network.convolution(value, wide, depth, int(generator.choice([1, 3])))
            if generator.random() < 0.5:
                value = network.add(network.convolution(inside, depth, wide, 3), value)
            else:
                value, depth = network.pooled(inside), wide
        return value

    return shared(module_of([((1, 32, 9, channels), "int8")], body))


@settings(max_examples=8)
@given(st.integers(0, 999))
def test_the_least_memory_is_that_of_brute_force(seed: int) -> None:
    candidates = candidates_of(random_network(seed))
    found = search_in(candidates).smallest(lambda schedule: arena_of(candidates, schedule))
    arenas = {schedule: arena_of(candidates, schedule) for schedule in all_schedules(candidates)}
    best = min(arenas.values())
    assert arena_of(candidates, found) == best
    assert found.instructions == min(item.instructions for item, arena in arenas.items() if arena == best)


@settings(max_examples=8)
@given(st.integers(0, 999), st.floats(0.0, 1.0))
def test_a_budget_is_met_with_the_fewest_instructions(seed: int, share: float) -> None:
    candidates = candidates_of(random_network(seed))
    arenas = {schedule: arena_of(candidates, schedule) for schedule in all_schedules(candidates)}
    least, most = min(arenas.values()), max(arenas.values())
    budget = int(least + share * (most - least))
    found = cheapest_within(candidates, budget)
    assert found is not None and arena_of(candidates, found) <= budget
    fitting = [schedule for schedule, arena in arenas.items() if arena <= budget]
    assert found.instructions == min(schedule.instructions for schedule in fitting)


def test_of_equal_arenas_the_cheapest_is_found_though_plans_run_out() -> None:
    candidates = candidates_of(random_network(0))
    space = [*candidates.whole, *candidates.stages]
    search = Search(space, len(candidates.nodes), replace(DEFAULT_LIMITS, plans=1))
    most = max(candidate.live_bytes for candidate in space)
    cheapest, least = search.cheapest(most), search.cheapest(search.least_bytes())
    assert cheapest is not None and least is not None and cheapest.instructions < least.instructions
    assert search.smallest(lambda _schedule: most).instructions == cheapest.instructions


def test_where_not_all_quicker_kernels_fit_the_one_that_saves_most_is_taken() -> None:
    class OneFits(Space):
        """As if each kernel that is not the usual one took a byte."""

        def arena_of(self, schedule: Schedule) -> int:
            return sum(step.node is not None for step in schedule.candidates)

    network = Network(np.random.default_rng(0))

    def body(x: relax.Expr) -> relax.Expr:
        return network.depthwise(network.depthwise(x, 64, stride=2), 64)

    space = OneFits(candidates_of(module_of([((1, 24, 24, 64), "int8")], body)))
    usual, traded = space.candidates.whole, space.candidates.traded
    savings = [usual[one.first].instructions - one.instructions for one in traded]
    assert len(savings) == 2 and savings[0] > 0 and savings[1] > 0
    [taken] = [step for step in space.quickest(1).candidates if step.node is not None]
    assert taken is traded[int(np.argmax(savings))]


@settings(max_examples=6)
@given(st.integers(0, 999), st.sampled_from([0.0, 0.1, 0.5]))
def test_the_least_memory_within_an_allowance_is_that_of_brute_force(seed: int, share: float) -> None:
    candidates = candidates_of(random_network(seed))
    most = int(share * sum(candidate.macs for candidate in candidates.whole))
    search = Search([*candidates.whole, *candidates.stages, *candidates.strips], len(candidates.nodes))
    found = search.smallest(lambda schedule: arena_of(candidates, schedule), most)
    allowed = [item for item in all_schedules(candidates, cut=True) if item.extra_macs <= most]
    assert found.extra_macs <= most
    assert arena_of(candidates, found) == min(arena_of(candidates, schedule) for schedule in allowed)


@settings(max_examples=8)
@given(st.integers(0, 999))
def test_the_memory_of_a_candidate_is_what_the_planner_needs_at_least(seed: int) -> None:
    candidates = candidates_of(random_network(seed))
    for schedule in all_schedules(candidates):
        assert (
            schedule.live_bytes == build_plan(staged(candidates.graph, schedule.candidates)).lower_bound_bytes
        )


def test_no_schedule_of_the_front_beats_another() -> None:
    for seed in range(4):
        front = search_in(candidates_of(random_network(seed))).front()
        sizes = [schedule.live_bytes for schedule in front]
        counts = [schedule.instructions for schedule in front]
        assert sizes == sorted(set(sizes)) and counts == sorted(set(counts), reverse=True)


def test_a_budget_that_nothing_meets_is_said_to_be_so() -> None:
    candidates = candidates_of(inverted_residual())
    assert cheapest_within(candidates, 10) is None


@pytest.mark.parametrize("seed", range(3))
def test_the_search_is_deterministic(seed: int) -> None:
    one, other = (search_in(candidates_of(random_network(seed))).front() for _ in range(2))
    assert [schedule.live_bytes for schedule in one] == [schedule.live_bytes for schedule in other]
