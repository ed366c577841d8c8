"""A model fed row by row computes what it computes on the whole input, and never holds that."""

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.ops.test_stage import BODIES, SHAPE, module_for
from tests.tools.kernel_runner import dequantized, module_of, quantized, run_plan
from tests.tools.layers import random_inputs
from tests.tools.networks import Network, inverted_residual
from tinycc.ops.input_rows import ROOM, InputRows
from tinycc.ops.stage import Stage
from tinycc.ops.tensor import Tensor
from tinycc.passes.pipeline import InputMode, default_passes
from tinycc.plan import Plan, build_plan
from tinycc.schedule.options import Form, ScheduleOptions


def planned(module: tvm.IRModule, input_mode: InputMode = "rows", form: Form = "stream") -> Plan:
    options = ScheduleOptions(form=form)
    return build_plan(
        tvm.transform.Sequential(default_passes("float", options, input_mode=input_mode))(module)
    )


def inputs_of(tensors: list[tuple[tuple[int, ...], str]], seed: int) -> list[np.ndarray]:
    """Integers over their whole range, float32 numbers about 0."""
    if tensors[0][1] == "float32":
        return [np.random.default_rng(seed).standard_normal(tensors[0][0]).astype(np.float32)]
    return random_inputs(tensors, seed)


def check(module: tvm.IRModule, form: Form = "stream") -> None:
    """Three inferences one after the other, without a reset between them, equal those on the whole input."""
    whole, rows = planned(module, "tensor", "whole"), planned(module, "rows", form)
    given = [(tensor.shape, tensor.dtype) for tensor in whole.input_tensors]
    cases = [inputs_of(given, seed) for seed in range(3)]
    for expected, actual in zip(run_plan(whole, cases, True), run_plan(rows, cases, True), strict=True):
        for one, other in zip(expected, actual, strict=True):
            np.testing.assert_array_equal(other, one)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("form", ["stream", "whole"])
def test_rows_give_what_the_whole_input_gives(name: str, form: Form) -> None:
    check(module_for(BODIES[name]), form)


def sized(network: Network, x: relax.Expr, height: int, kernel: int, stride: int) -> relax.Expr:
    """A convolution without padding."""
    weights = network.random.integers(-127, 128, (kernel, kernel, 3, 4)).astype(np.int8)
    product = relax.op.nn.conv2d(
        dequantized(x, 0.05, 3), dequantized(weights, 0.01), strides=(stride, stride),
        data_layout="NHWC", kernel_layout="HWIO",
    )  # fmt: skip
    return quantized(product, 0.05, 3)


@pytest.mark.parametrize(
    ("height", "kernel", "stride"), [(9, 2, 3), (8, 3, 3), (4, 1, 3), (1, 1, 1), (7, 7, 1)]
)
def test_rows_that_nobody_reads_come_as_well(height: int, kernel: int, stride: int) -> None:
    check(module_of([((1, height, 7, 3), "int8")], lambda x: sized(Network(), x, height, kernel, stride)))


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_rows_of_wider_elements(dtype: str) -> None:
    def body(x: relax.Expr) -> relax.Expr:
        real = x if dtype == "float32" else dequantized(x, 0.001)
        return Network().convolution(quantized(real, 0.05, 3), 4, 3, 3, 2)

    check(module_of([(SHAPE, dtype)], body))


def test_a_skip_from_the_input_keeps_its_rows_in_the_ring() -> None:
    plan = planned(inverted_residual(height=16, width=6, channels=4, expansion=6))
    [name] = plan.inputs
    # The sum lags two rows behind the input: one for the depthwise window, one that is being read.
    assert plan.buffers[name].kind == "ring" and plan.buffers[name].bytes == 2 * 6 * 4
    check(inverted_residual(height=16, width=6, channels=4, expansion=6))


def averaged(height: int) -> tvm.IRModule:
    def body(x: relax.Expr) -> relax.Expr:
        network = Network()
        return network.mean(network.convolution(x, 4, 3, 3))

    return module_of([((1, height, 7, 3), "int8")], body)


def test_the_whole_input_is_nowhere() -> None:
    """Three rows of it, one of what is made of them, sums, its output, next rows, whether it has begun."""
    small, large = planned(averaged(9)), planned(averaged(90))
    [step] = large.steps
    assert isinstance(step.operator, Stage) and step.operator.awaited == 0
    assert large.arena_bytes == small.arena_bytes == 3 * 7 * 3 + 7 * 4 + 4 * 4 + 4 + 3 * 2 + 1
    assert planned(averaged(90), "tensor").arena_bytes > 90 * 7 * 3


@pytest.mark.parametrize(("height", "item"), [(32767, 2), (32768, 4)])
def test_rows_beyond_int16_are_counted_in_int32(height: int, item: int) -> None:
    tensor = Tensor((1, height, 1, 1), "int8", parameter=0)
    rows = InputRows((tensor,), (tensor,), kernels=ROOM.kernels)
    stage = Stage((tensor,), (tensor,), (rows, rows), ((0,), (1,)))
    assert (stage.scratch_alignment, stage.scratch_bytes) == (item, 2 * item)
