"""Transposed convolutions against the integer reference."""

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.reference import convolution
from tests.reference.fixed_point import INT8, INT16, quantize_multipliers
from tests.tools.kernel_runner import compile_and_run, views_in
from tests.tools.layers import Shape, Weights, inputs_of, layer_module
from tinycc.ops.transpose_conv2d import TransposeConv2D


def transposed_module(
    image: Shape, kernel: Shape, strides: Shape, padding: Shape, extra: Shape, dtype: str
) -> tvm.IRModule:
    def product(x: relax.Expr, weights: relax.Expr) -> relax.Expr:
        return relax.op.nn.conv2d_transpose(
            x, weights, strides=strides, padding=padding, output_padding=extra,
            data_layout="NHWC", kernel_layout="IOHW",
        )  # fmt: skip

    return layer_module(product, (1, *image, 3), Weights((3, 4, *kernel), 4, 1), dtype=dtype)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize(
    ("image", "kernel", "strides", "padding", "extra"),
    [
        ((4, 5), (3, 3), (1, 1), (0, 0, 0, 0), (0, 0)),
        ((4, 5), (3, 3), (2, 2), (0, 1, 1, 0), (0, 0)),
        ((1, 6), (1, 4), (1, 2), (0, 1, 0, 1), (0, 0)),
        ((3, 3), (2, 2), (3, 3), (0, 0, 0, 0), (1, 1)),
    ],
)
def test_equals_the_reference(
    image: Shape, kernel: Shape, strides: Shape, padding: Shape, extra: Shape, dtype: str
) -> None:
    module = transposed_module(image, kernel, strides, padding, extra, dtype)
    [view] = views_in(module)
    assert isinstance(view, TransposeConv2D)
    inputs = inputs_of(view, 1)
    [result] = compile_and_run(module, inputs)
    output, bounds = view.outputs[0], INT8 if dtype == "int8" else INT16
    multiplier, shift = quantize_multipliers(view.requantized.multipliers)
    requantize = convolution.Requantization(multiplier, shift, output.zero_point, bounds, dtype == "int16")
    window = convolution.Window((strides[0], strides[1]), (1, 1), (padding[0], padding[1]))
    expected = convolution.transpose_conv2d(
        inputs[0], view.requantized.weights, view.requantized.bias, view.inputs[0].zero_point,
        (output.height, output.width), window, requantize,
    )  # fmt: skip
    np.testing.assert_array_equal(result, expected)


def test_it_never_runs_in_place() -> None:
    [view] = views_in(transposed_module((4, 4), (3, 3), (2, 2), (0, 0, 0, 0), (0, 0), "int8"))
    assert view.overlap_distance(0) is None
