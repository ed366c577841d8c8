"""Operators that read constants alone: folded, or run on what lies in flash, they give the same integers."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.tools.kernel_runner import dequantized, module_of, quantized, run_plan
from tests.tools.layers import random_inputs
from tinycc import tvm_adapter
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan
from tinycc.schedule.options import ScheduleOptions

SHAPE = (1, 5, 6, 4)
IMAGE, OTHER = (array for array in random_inputs([(SHAPE, "int8"), ((1, 1, 1, 4), "int8")], 3))
Operator = Callable[[relax.Expr], relax.Expr]


def real(x: relax.Expr | np.ndarray) -> relax.Expr:
    return dequantized(x, 0.05, 3)


def weights(*shape: int) -> relax.Expr:
    values = np.random.default_rng(4).integers(-127, 128, shape).astype(np.int8)
    return dequantized(values, 0.01)


def bias() -> relax.Expr:
    values = np.random.default_rng(5).integers(-2000, 2000, 4).astype(np.int32)
    return dequantized(values, np.float32(0.05) * np.float32(0.01))


def convolved(x: relax.Expr, kernel: relax.Expr, **attributes: object) -> relax.Expr:
    return relax.op.nn.conv2d(real(x), kernel, data_layout="NHWC", **attributes)


def flat(x: relax.Expr) -> relax.Expr:
    return relax.op.reshape(x, (1, 120))


def emitted(value: relax.Expr) -> relax.Expr:
    """The variable of a value, whose shape is known then."""
    builder = relax.BlockBuilder.current()
    assert builder is not None
    return builder.emit(value)


# What is folded.
FOLDED: dict[str, Operator] = {
    "dense": lambda x: quantized(relax.op.matmul(real(flat(x)), weights(120, 3)), 0.9, -4),
    "conv2d": lambda x: quantized(
        relax.op.nn.relu(
            relax.op.add(
                convolved(
                    x,
                    weights(3, 2, 4, 4),
                    padding=[2, 1, 1, 0],
                    strides=[2, 1],
                    dilation=[1, 2],
                    kernel_layout="HWIO",
                ),
                bias(),
            )
        ),
        0.2,
        -100,
    ),
    "conv2d in groups": lambda x: quantized(
        convolved(x, weights(2, 2, 2, 6), groups=2, kernel_layout="HWIO", padding=[1, 0, 0, 1]), 0.1, 5
    ),
    "depthwise_conv2d": lambda x: quantized(
        convolved(x, weights(3, 3, 8, 1), groups=4, kernel_layout="HWOI", padding=[1, 1, 1, 1]), 0.1, 5
    ),
    "lookup": lambda x: quantized(relax.op.sigmoid(real(x)), 2.0**-8, -128),
    "add": lambda x: quantized(relax.op.add(real(x), real(OTHER)), 0.07, 1),
    "subtract": lambda x: quantized(relax.op.nn.relu(relax.op.subtract(real(OTHER), real(x))), 0.04, -8),
    "multiply": lambda x: quantized(relax.op.multiply(real(x), real(OTHER)), 0.2, 1),
    "maximum": lambda x: quantized(relax.op.maximum(real(x), real(OTHER)), 0.05, 3),
    "requantize": lambda x: quantized(real(x), 0.11, -3),
    "slice": lambda x: relax.op.strided_slice(x, [1, 2], [1, 5], [4, 0], [2, -1]),
    "transpose": lambda x: relax.op.permute_dims(x, [0, 3, 1, 2]),
    "pad": lambda x: relax.op.nn.pad(x, [0, 0, 1, 2, 0, 1, 0, 0], "constant", 3),
    "chain": lambda x: quantized(
        relax.op.tanh(real(emitted(quantized(relax.op.add(real(x), real(OTHER)), 0.05, 3)))), 2.0**-7, 0
    ),
}
# What runs on the operand as it lies in flash.
KEPT: dict[str, Operator] = {
    "transpose_conv2d": lambda x: quantized(
        relax.op.nn.conv2d_transpose(
            real(x), weights(4, 3, 2, 2), strides=[2, 2], data_layout="NHWC", kernel_layout="IOHW"
        ),
        0.3,
        2,
    ),
    "average_pool2d": lambda x: quantized(
        relax.op.nn.avg_pool2d(real(x), (2, 2), strides=(2, 2), layout="NHWC"), 0.05, 3
    ),
    "max_pool2d": lambda x: relax.op.nn.max_pool2d(x, (2, 3), strides=(2, 2), layout="NHWC"),
    "mean": lambda x: quantized(relax.op.mean(real(x), [1, 2], True), 0.04, 3),
    "softmax": lambda x: quantized(relax.op.nn.softmax(real(x), -1), 2.0**-8, -128),
    "resize_nearest": lambda x: relax.op.image.resize2d(
        x, (7, 9), layout="NHWC", method="nearest_neighbor", coordinate_transformation_mode="asymmetric",
        rounding_method="floor",
    ),
    "resize_bilinear": lambda x: quantized(
        relax.op.image.resize2d(real(x), (9, 11), layout="NHWC", method="linear"), 0.05, 3
    ),
    "divide": lambda x: quantized(relax.op.divide(real(OTHER), real(np.full(SHAPE, 50, np.int8))), 0.05, 3),
    "prelu": lambda x: quantized(relax.op.nn.prelu(real(x), real(OTHER.reshape(4)), 3), 0.2, 3),
    "fallback": lambda x: relax.op.flip(x, 1),
}  # fmt: skip


def module(is_constant: bool) -> tvm.IRModule:
    """All operators on a constant, or on an input with its values; their results are joined with an input."""

    def body(x: relax.Expr, image: relax.Expr) -> relax.Expr:
        source = tvm_adapter.make_constant(IMAGE) if is_constant else image
        parts = [x]
        for operator in (FOLDED | KEPT).values():
            part = emitted(operator(source))
            parts.append(emitted(relax.op.reshape(part, (int(np.prod(tvm_adapter.shape_of(part))),))))
        return relax.op.concat(parts, 0)

    return module_of([((8,), "int8"), (SHAPE, "int8")], body)


def passes(
    left_out: Sequence[str] = (), features: tuple[str, ...] = (), form: str = "auto"
) -> tvm.transform.Pass:
    """The default ones; the order of that many independent operators would be searched for minutes."""
    all_passes = default_passes("float", ScheduleOptions(form=form), features)
    left_out = ["OrderOperators", *left_out]
    return tvm.transform.Sequential([item for item in all_passes if item.info.name not in left_out])


INPUTS = [np.arange(8, dtype=np.int8), IMAGE]


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """What the kernels compute of an input."""
    [[result]] = run_plan(build_plan(passes()(module(is_constant=False))), [INPUTS], True)
    return result


@pytest.mark.parametrize("features", [(), ("dsp", "helium")])
def test_kernels_give_the_same_for_operands_in_flash(features: tuple[str, ...], expected: np.ndarray) -> None:
    form = "stream" if features else "auto"
    plan = build_plan(passes(["FoldConstantOperators"], features, form)(module(is_constant=True)))
    [[result]] = run_plan(plan, [INPUTS], True)
    np.testing.assert_array_equal(result, expected)


def test_constants_are_folded_to_what_kernels_give(expected: np.ndarray) -> None:
    plan = build_plan(passes()(module(is_constant=True)))
    [[result]] = run_plan(plan, [INPUTS], True)
    np.testing.assert_array_equal(result, expected)
    left = {step.operator.kind for step in plan.steps}
    assert not left & {"dense", "conv2d", "depthwise_conv2d", "lookup", "add", "multiply", "requantize"}


def test_a_constant_result_is_computed() -> None:
    """It has a place in memory, which somebody must fill."""
    both = module_of(
        [(SHAPE, "int8")],
        lambda x: [x, FOLDED["lookup"](tvm_adapter.make_constant(IMAGE)), FOLDED["lookup"](x)],
    )
    plan = build_plan(passes()(both))
    [[_, constant, computed]] = run_plan(plan, [[IMAGE]], True)
    np.testing.assert_array_equal(constant, computed)


def test_readers_of_constants_are_fused_anew() -> None:
    """A product with a number is a table, which it was not before the number was known."""
    one = np.full((1, 1, 1, 1), 40, np.int8)

    def body(x: relax.Expr) -> relax.Expr:
        number = emitted(quantized(relax.op.tanh(real(one)), 2.0**-7, 0))
        return quantized(relax.op.multiply(real(x), dequantized(number, 2.0**-7)), 0.05, 3)

    plan = build_plan(passes()(module_of([(SHAPE, "int8")], body)))
    assert [step.operator.kind for step in plan.steps] == ["lookup"]
