"""The check that every plan has to pass: a sound plan does, each kind of damage is found."""

from dataclasses import replace

import pytest
from tvm import relax

from tests.plan.plans import SHAPE, added, chain, convolution, log_softmax_of_rows, plan_of, sigmoid
from tests.tools.kernel_runner import module_of, quantized
from tinycc.plan import Plan
from tinycc.plan.check import check_plan


@pytest.fixture
def plan() -> Plan:
    """Of three operators."""
    return plan_of(module_of([(SHAPE, "int8")], chain))


@pytest.fixture
def residual() -> Plan:
    """Of two operators, where the input is kept for the second."""
    return plan_of(module_of([(SHAPE, "int8")], lambda x: added(sigmoid(x), x)))


def moved(plan: Plan, name: str, **changes: int) -> Plan:
    """The plan with fields of a buffer changed."""
    return replace(plan, buffers={**plan.buffers, name: replace(plan.buffers[name], **changes)})


def test_a_sound_plan_passes(plan: Plan) -> None:
    check_plan(plan)


def test_an_arena_too_small_is_caught(plan: Plan) -> None:
    with pytest.raises(AssertionError, match="leaves the arena"):
        check_plan(replace(plan, arena_bytes=plan.arena_bytes - 1))


def test_an_offset_before_the_arena_is_caught(plan: Plan) -> None:
    with pytest.raises(AssertionError, match="leaves the arena"):
        check_plan(moved(plan, "input0", offset=-1))


def test_an_output_too_close_to_its_input_is_caught() -> None:
    plan = plan_of(convolution())
    source = plan.buffers["input0"]
    with pytest.raises(AssertionError, match="share bytes"):
        check_plan(moved(plan, "input0", offset=source.offset - 1))


def test_an_output_on_an_input_that_is_read_later_is_caught(residual: Plan) -> None:
    with pytest.raises(AssertionError, match="input0 and lookup_0_out share bytes at step 0"):
        check_plan(moved(residual, "lookup_0_out", offset=residual.buffers["input0"].offset))


def test_an_input_that_is_also_a_result_is_not_overwritten() -> None:
    plan = plan_of(convolution())
    with pytest.raises(AssertionError, match="share bytes"):
        check_plan(replace(plan, outputs=(*plan.outputs, "input0")))


def test_an_overlap_that_the_operator_does_not_allow_is_caught(plan: Plan) -> None:
    first, *others = plan.steps
    with pytest.raises(AssertionError, match="share bytes at step 0"):
        check_plan(replace(plan, steps=(replace(first, overlaps={}), *others)))


def test_scratch_on_top_of_an_input_is_caught() -> None:
    plan = plan_of(module_of([(SHAPE, "int8")], log_softmax_of_rows))
    [step] = [step for step in plan.steps if step.scratch is not None]
    shared = moved(plan, str(step.scratch), offset=plan.buffers[str(step.inputs[0])].offset)
    with pytest.raises(AssertionError, match="share bytes"):
        check_plan(replace(shared, arena_bytes=2 * plan.arena_bytes))


@pytest.fixture
def stateful() -> Plan:
    """Of three operators: a state's first half, its end, and that behind the input as the next state."""

    def body(x: relax.Expr, state: relax.Expr) -> list[relax.Expr]:
        end = relax.op.strided_slice(state, [1], [3], [6])
        return [relax.op.strided_slice(state, [1], [0], [3]), relax.op.concat([x, end], 1)]

    plan = plan_of(module_of([((1, 3), "int8")], body, [((1, 6), "int8", 0)]))
    assert [step.outputs for step in plan.steps][-1] == ("state0",)
    return plan


def test_an_old_state_read_after_its_update_is_caught(stateful: Plan) -> None:
    first, second, third = stateful.steps
    late = next(step for step in (first, second) if step.outputs[0] in stateful.outputs)
    [early] = {first, second} - {late}
    with pytest.raises(AssertionError, match="reads state0 in state0, which holds state0 after"):
        check_plan(replace(lived_always(stateful), steps=(early, third, late)))


def test_a_state_that_is_not_updated_is_caught(stateful: Plan) -> None:
    plan = lived_always(stateful)
    with pytest.raises(AssertionError, match="holds state0 in the end, not state0 after concat"):
        check_plan(replace(plan, steps=plan.steps[:-1]))


def test_an_operator_that_overwrites_a_state_before_it_has_read_it_is_caught(stateful: Plan) -> None:
    plan = lived_always(stateful)
    onto = replace(plan.steps[0], outputs=("state0",))
    with pytest.raises(AssertionError, match="overwrites state0 as it reads it"):
        check_plan(replace(plan, steps=(onto, *plan.steps[1:])))


def lived_always(plan: Plan) -> Plan:
    """The plan with buffers that share nothing and live from the first step to the last, in any order."""
    end = len(plan.steps) - 1
    size = sum(buffer.bytes for buffer in plan.buffers.values())
    buffers, offset = {}, 0
    for name, buffer in plan.buffers.items():
        buffers[name] = replace(buffer, first_step=0, last_step=end, offset=offset)
        offset += buffer.bytes
    return replace(plan, buffers=buffers, arena_bytes=size)


def test_a_misaligned_buffer_is_caught() -> None:
    plan = plan_of(module_of([((1, 7), "float32")], lambda x: quantized(x, 0.5)))
    with pytest.raises(AssertionError, match="aligned"):
        check_plan(replace(moved(plan, "input0", offset=1), arena_bytes=100))
