"""Stages that grow operator by operator need what each needs when it is simulated from the beginning."""

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.tools.kernel_runner import module_of
from tests.tools.networks import Network, shared
from tinycc.passes.pipeline import default_passes
from tinycc.schedule.candidates import Candidate, Candidates


def candidates_of(module: tvm.IRModule) -> Candidates:
    passes = default_passes("float")
    last = [item.info.name for item in passes].index("OrderOperators")
    return Candidates(tvm.transform.Sequential(passes[: last + 1])(module))


def figures(candidate: Candidate | None) -> dict[str, object] | None:
    if candidate is None:
        return None
    return {name: value for name, value in vars(candidate).items() if name not in ("graph", "stage")}


def check_runs(candidates: Candidates) -> int:
    """Compare every run with its stage by itself; how many there are."""
    for run in candidates.runs:
        assert figures(candidates.simulated(run.run)) == figures(run)
    nodes = candidates.nodes
    found = {(run.first, run.last) for run in candidates.runs}
    for first in range(len(nodes)):
        for last in range(first + 2, len(nodes) + 1):
            stage = None
            if all(map(candidates.streams, nodes[first:last])):
                stage = candidates.simulated(nodes[first:last])
            assert ((first, last) in found) == (stage is not None), (first, last)
    return len(candidates.runs)


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


@pytest.mark.parametrize("length", [2, 12])
def test_every_run_of_a_chain_can_be_a_stage(length: int) -> None:
    network = Network()

    def body(x: relax.Expr) -> relax.Expr:
        for _ in range(length):
            x = network.depthwise(x, 4)
        return x

    assert (
        check_runs(candidates_of(shared(module_of([((1, 12, 6, 4), "int8")], body))))
        == length * (length - 1) // 2
    )
