"""Each rung of the ladder counts what it says, here of a network of three layers."""

import pytest
import tvm
from tvm import relax

from benchmarks.training_ladder import in_float, peak, planned, unfused
from tests.tools.kernel_runner import module_of
from tests.tools.networks import Network, shared
from tinycc.plan import Plan
from tinycc.training.planned_step import forward_of
from tinycc.training.scheme import full

INPUT, WIDE, NARROW, CLASSES = 3, 16, 8, 4
WEIGHTS = WIDE * INPUT + NARROW * WIDE + CLASSES * NARROW
BIASES = WIDE + NARROW + CLASSES


def network() -> tvm.IRModule:
    made = Network()

    def body(x: relax.Expr) -> relax.Expr:
        deep = made.convolution(made.convolution(x, WIDE, INPUT), NARROW, WIDE)
        return made.dense(made.mean(deep), NARROW, CLASSES)

    return shared(module_of([((1, 8, 8, INPUT), "int8")], body))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned(forward_of(network()), full, "latency")


def test_gradients_until_the_end_outlive_all_steps(plan: Plan) -> None:
    """Of all weights and biases: the last steps hold them beside what trains."""
    held = unfused(plan, until_end=True)
    gradients = [buffer for name, buffer in held.buffers.items() if name not in plan.buffers]
    assert sum(buffer.bytes for buffer in gradients) == 4 * (WEIGHTS + BIASES)
    assert {buffer.last_step for buffer in gradients} == {len(plan.steps) - 1}


def test_gradients_that_are_used_at_once_live_in_one_step_each(plan: Plan) -> None:
    held = unfused(plan, until_end=False)
    gradients = [buffer for name, buffer in held.buffers.items() if name not in plan.buffers]
    assert len({buffer.first_step for buffer in gradients}) == len(gradients) == 6
    assert all(buffer.first_step == buffer.last_step for buffer in gradients)


def test_each_rung_needs_less(plan: Plan) -> None:
    at_end, at_once = unfused(plan, until_end=True), unfused(plan, until_end=False)
    assert peak(in_float(at_end)) > peak(at_end) > peak(at_once) >= peak(plan)


def test_only_integers_of_eight_bits_grow_in_float(plan: Plan) -> None:
    """Masks have a bit for each element as before."""
    grown = in_float(plan)
    for name, buffer in plan.buffers.items():
        is_grown = buffer.alignment == 1 and "clamp_mask" not in name
        assert grown.buffers[name].bytes == (4 if is_grown else 1) * buffer.bytes
    weights = sorted(buffer.bytes for buffer in grown.buffers.values() if buffer.kind == "state")
    assert 4 * NARROW * WIDE in weights and 4 * NARROW in weights
