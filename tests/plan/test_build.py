"""Reading a plan off a module: what lives when, and what may lie on top of what."""

from collections.abc import Callable

import pytest
import tvm
from tvm import relax

from tests.plan.plans import SHAPE, added, convolution, log_softmax_of_rows, pixelwise, plan_of, real, sigmoid
from tests.tools.kernel_runner import module_of, quantized
from tinycc.errors import UnsupportedError
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan


def test_a_dying_input_is_overlapped() -> None:
    plan = plan_of(convolution())
    source, output = plan.buffers["input0"], plan.buffers[plan.outputs[0]]
    [distance] = plan.steps[0].overlaps.values()
    assert output.offset + distance <= source.offset < output.offset + output.bytes
    assert plan.arena_bytes == plan.lower_bound_bytes == source.bytes + distance


def test_an_input_that_is_read_again_is_not_overlapped() -> None:
    first, second = plan_of(module_of([(SHAPE, "int8")], lambda x: added(sigmoid(x), x))).steps
    assert not first.overlaps and "input0" in second.overlaps


def test_views_share_their_buffer() -> None:
    module = module_of(
        [(SHAPE, "int8")],
        lambda x: quantized(relax.op.sigmoid(real(relax.op.reshape(x, (1, 120)))), 1 / 256, -128),
    )
    [step] = plan_of(module).steps
    assert step.inputs == ("input0",)


def test_an_output_that_is_an_input_needs_no_operator() -> None:
    plan = plan_of(module_of([(SHAPE, "int8")], lambda x: relax.op.reshape(x, (1, 120))))
    assert plan.steps == () and plan.inputs == plan.outputs and plan.arena_bytes == 120


def test_outputs_live_to_the_end() -> None:
    def body(x: relax.Expr) -> list[relax.Expr]:
        first = quantized(relax.op.sigmoid(real(x)), 0.05, 3)
        return [first, quantized(relax.op.tanh(real(first)), 1 / 128, 0)]

    plan = plan_of(module_of([(SHAPE, "int8")], body))
    assert [plan.buffers[name].last_step for name in plan.outputs] == [1, 1]


def test_states_live_always() -> None:
    module = module_of(
        [(SHAPE, "int8")],
        lambda x, state: [quantized(relax.op.sigmoid(real(x)), 1 / 256, -128), state],
        states=[((1, 8), "int8", 5)],
    )
    plan = plan_of(module)
    state = plan.buffers["state0"]
    assert (state.kind, state.first_step, state.last_step) == ("state", 0, len(plan.steps) - 1)
    assert plan.state_values == {"state0": 5}


def test_a_constant_result_is_refused() -> None:
    module = module_of([(SHAPE, "int8")], lambda x: [x, relax.const([1, 2, 3], "int8")])
    with pytest.raises(UnsupportedError, match="constant"):
        plan_of(module)


def test_scratch_lives_in_its_step_only() -> None:
    plan = plan_of(module_of([(SHAPE, "int8")], log_softmax_of_rows))
    [index] = [index for index, step in enumerate(plan.steps) if step.scratch is not None]
    scratch = plan.buffers[str(plan.steps[index].scratch)]
    assert (scratch.kind, scratch.first_step, scratch.last_step) == ("scratch", index, index)
    assert scratch.bytes == plan.steps[index].operator.scratch_bytes > 0


def branches(x: relax.Expr) -> relax.Expr:
    """Twenty-five blocks of six operators: two branches of one and of two, and a connection past them."""
    for _ in range(25):
        high, low = sigmoid(x), quantized(relax.op.tanh(real(x)), 0.05, 3)
        x = sigmoid(added(added(high, pixelwise(low)), x))
    return x


def line(x: relax.Expr) -> relax.Expr:
    """A hundred and fifty operators, one after the other."""
    for _ in range(150):
        x = pixelwise(x)
    return x


@pytest.mark.timeout(20)
@pytest.mark.parametrize("body", [branches, line])
def test_a_hundred_and_fifty_operators_are_planned_in_seconds(
    body: Callable[[relax.Expr], relax.Expr],
) -> None:
    passes = [item for item in default_passes("float") if item.info.name != "ScheduleStages"]
    plan = build_plan(tvm.transform.Sequential(passes)(module_of([(SHAPE, "int8")], body)))
    assert len(plan.steps) == 150
    assert plan.arena_bytes == plan.lower_bound_bytes
