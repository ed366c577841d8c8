"""Transposed convolutions against the integer reference."""

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.reference import convolution
from tests.reference.fixed_point import INT8, INT16, quantize_multipliers
from tests.tools.kernel_runner import compile_and_run, views_in
from tests.tools.layers import Shape, Weights, inputs_of, layer_module
from tinycc.ops.transpose_conv2d.view import TransposeConv2D


def transposed_module(
    image: Shape, kernel: Shape, strides: Shape, padding: Shape, extra: Shape, dtype: str,
    dilation: Shape = (1, 1), groups: int = 1,
) -> tvm.IRModule:  # fmt: skip
    def product(x: relax.Expr, weights: relax.Expr) -> relax.Expr:
        return relax.op.nn.conv2d_transpose(
            x, weights, strides=strides, padding=padding, output_padding=extra, dilation=dilation,
            groups=groups, data_layout="NHWC", kernel_layout="IOHW",
        )  # fmt: skip

    if groups > 1:  # the axis of a scale for each channel is only as long as a group
        weights = Weights((3 * groups, 2, *kernel), 2 * groups)
        return layer_module(product, (1, *image, 3 * groups), weights, dtype=dtype)
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


@pytest.mark.parametrize(("dilation", "groups"), [((2, 3), 1), ((1, 1), 2), ((2, 1), 3)])
def test_groups_and_dilation_equal_the_reference(dilation: Shape, groups: int) -> None:
    """Each group is a layer of its own; between the taps of a dilated kernel there are zeros."""
    strides, padding = (2, 2), (1, 0, 1, 1)
    module = transposed_module((4, 5), (3, 2), strides, padding, (0, 0), "int8", dilation, groups)
    [view] = views_in(module)
    assert isinstance(view, TransposeConv2D)
    [inputs] = inputs_of(view, 1)
    [result] = compile_and_run(module, [inputs])
    output, weights = view.outputs[0], view.requantized.weights
    spread = np.zeros((len(weights), 2 * dilation[0] + 1, dilation[1] + 1, weights.shape[3]), np.int64)
    spread[:, :: dilation[0], :: dilation[1]] = weights
    parts = []
    for group in range(groups):
        channels = slice(group * len(weights) // groups, (group + 1) * len(weights) // groups)
        factors = np.broadcast_to(view.requantized.multipliers, (output.channels,))[channels]
        requantize = convolution.Requantization(
            *quantize_multipliers(factors), output.zero_point, INT8, False
        )
        window = convolution.Window(strides, (1, 1), (padding[0], padding[1]))
        parts.append(
            convolution.transpose_conv2d(
                inputs[..., 3 * group : 3 * group + 3],
                spread[channels],
                view.requantized.bias[channels],
                view.inputs[0].zero_point,
                (output.height, output.width),
                window,
                requantize,
            )
        )
    np.testing.assert_array_equal(result, np.concatenate(parts, axis=3))


def test_it_never_runs_in_place() -> None:
    [view] = views_in(transposed_module((4, 4), (3, 3), (2, 2), (0, 0, 0, 0), (0, 0), "int8"))
    assert view.overlap_distance(0) is None
