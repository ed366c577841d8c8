"""Products of two activations against sums of products in numpy, requantized by the integer reference."""

import numpy as np
import pytest
import tvm
from tvm import relax

import tinycc
from tests.reference.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized, views_in
from tests.tools.layers import Shape, inputs_of
from tinycc.ops.matmul import Matmul

SCALES, ZERO_POINTS = (0.04, 0.03, 0.11), (3, -5, 7)


def product_module(a: Shape, b: Shape, *, is_clamped: bool = False) -> tvm.IRModule:
    def body(x: relax.Expr, y: relax.Expr) -> relax.Expr:
        product = relax.op.matmul(
            dequantized(x, SCALES[0], ZERO_POINTS[0]), dequantized(y, SCALES[1], ZERO_POINTS[1])
        )
        return quantized(relax.op.nn.relu(product) if is_clamped else product, SCALES[2], ZERO_POINTS[2])

    return module_of([(a, "int8"), (b, "int8")], body)


@pytest.mark.parametrize("is_clamped", [False, True])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((4, 7), (7, 5)),
        ((1, 1, 7), (1, 7, 5)),
        ((2, 3, 4, 7), (2, 3, 7, 5)),
        ((3, 4, 7), (7, 5)),
        ((4, 7), (3, 7, 1)),
    ],
)
def test_equals_the_reference(a: Shape, b: Shape, is_clamped: bool) -> None:
    module = product_module(a, b, is_clamped=is_clamped)
    [view] = views_in(module)
    assert isinstance(view, Matmul) and view.macs == np.prod(view.outputs[0].shape) * a[-1]
    inputs = inputs_of(view, 1)
    [result] = compile_and_run(module, inputs)
    sums = (inputs[0].astype(np.int64) - ZERO_POINTS[0]) @ (inputs[1].astype(np.int64) - ZERO_POINTS[1])
    a_scale, b_scale, scale = (float(np.float32(value)) for value in SCALES)
    factor = quantize_multiplier(a_scale * b_scale / scale)
    scaled = multiply_by_quantized_multiplier(sums, *factor) + ZERO_POINTS[2]
    low = ZERO_POINTS[2] if is_clamped else -128
    np.testing.assert_array_equal(result, np.clip(scaled, low, 127))


def test_what_no_kernel_does_is_left_to_loops() -> None:
    report = tinycc.compile(product_module((1, 40_000), (40_000, 1))).report
    [fallback] = report["fallbacks"]
    assert "sums of 40000 products do not fit 32 bits" in fallback["reason"]
