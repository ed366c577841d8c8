"""Reading a plan off a module, and the check that every plan has to pass."""

from dataclasses import replace

import pytest
import tvm
from tvm import relax

from tests.tools.kernel_runner import dequantized, module_of, quantized
from tests.tools.layers import Weights, layer_module
from tinycc.errors import UnsupportedError
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan
from tinycc.plan.check import check_plan

SHAPE = (1, 6, 5, 4)


def plan_of(module: tvm.IRModule) -> Plan:
    return build_plan(tvm.transform.Sequential(default_passes("float"))(module))


def real(x: relax.Expr) -> relax.Expr:
    return dequantized(x, 0.05, 3)


def chain(x: relax.Expr) -> relax.Expr:
    """Two steps that run in place and one that cannot: requantize, transpose of pixels, add to itself."""
    first = quantized(relax.op.sigmoid(real(x)), 0.05, 3)
    pooled = relax.op.nn.max_pool2d(first, (2, 2), layout="NHWC")
    return quantized(relax.op.add(real(pooled), real(pooled)), 0.1, 3)


def convolution(kernel: tuple[int, int] = (3, 3)) -> tvm.IRModule:
    def product(x: relax.Expr, weights: relax.Expr) -> relax.Expr:
        return relax.op.nn.conv2d(x, weights, padding=[1, 1, 1, 1], data_layout="NHWC", kernel_layout="HWIO")

    return layer_module(product, SHAPE, Weights((*kernel, 4, 6), 6, 3))


def test_a_dying_input_is_overlapped() -> None:
    plan = plan_of(convolution())
    source, output = plan.buffers["input0"], plan.buffers[plan.outputs[0]]
    [distance] = plan.steps[0].overlaps.values()
    assert output.offset + distance <= source.offset < output.offset + output.bytes
    assert plan.arena_bytes == plan.lower_bound_bytes == source.bytes + distance


def test_an_input_that_is_read_again_is_not_overlapped() -> None:
    module = module_of(
        [(SHAPE, "int8")],
        lambda x: quantized(
            relax.op.add(real(quantized(relax.op.sigmoid(real(x)), 0.05, 3)), real(x)), 0.1, 3
        ),
    )
    first, second = plan_of(module).steps
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


@pytest.fixture
def plan() -> Plan:
    """Of three operators."""
    return plan_of(module_of([(SHAPE, "int8")], chain))


def moved(plan: Plan, name: str, **changes: int) -> Plan:
    return replace(plan, buffers={**plan.buffers, name: replace(plan.buffers[name], **changes)})


def test_a_sound_plan_passes(plan: Plan) -> None:
    check_plan(plan)


def test_a_buffer_outside_the_arena_is_caught(plan: Plan) -> None:
    with pytest.raises(AssertionError, match="leaves the arena"):
        check_plan(replace(plan, arena_bytes=plan.arena_bytes - 1))
    with pytest.raises(AssertionError, match="leaves the arena"):
        check_plan(moved(plan, "input0", offset=-1))


def test_an_output_too_close_to_its_input_is_caught() -> None:
    plan = plan_of(convolution())
    source = plan.buffers["input0"]
    with pytest.raises(AssertionError, match="share bytes"):
        check_plan(moved(plan, "input0", offset=source.offset - 1))


def test_an_input_that_lives_on_is_caught() -> None:
    plan = plan_of(convolution())
    kept = replace(plan, outputs=(*plan.outputs, "input0"))
    with pytest.raises(AssertionError, match="share bytes"):
        check_plan(kept)


def test_a_misaligned_buffer_is_caught() -> None:
    plan = plan_of(module_of([((1, 7), "float32")], lambda x: quantized(x, 0.5)))
    with pytest.raises(AssertionError, match="aligned"):
        check_plan(replace(moved(plan, "input0", offset=1), arena_bytes=100))
