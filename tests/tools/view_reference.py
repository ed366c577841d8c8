"""What an operator's view stands for, computed by the integer reference.

The reference is written from TFLite's specification and knows nothing of kernels. Of a view it takes what
the model says - shapes, scales, zero points, weights, windows, clamps - and derives multipliers, shifts and
tables itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tests.reference import conversion, convolution, dense, elementwise, movement, pooling, reduction, softmax
from tests.reference.fixed_point import (
    INT8,
    INT16,
    INT32_MAX,
    INT32_MIN,
    UINT8,
    Quantization,
    Range,
    quantize_multipliers,
)
from tinycc.ops.add.view import Add
from tinycc.ops.average_pool2d.view import AveragePool2D
from tinycc.ops.base import Operator
from tinycc.ops.conv2d.view import Conv2D
from tinycc.ops.dense.view import Dense
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.linear import Linear
from tinycc.ops.lookup.view import Lookup
from tinycc.ops.max_pool2d.view import MaxPool2D
from tinycc.ops.multiply.view import Multiply
from tinycc.ops.quantize import Dequantize, Quantize
from tinycc.ops.reduce.view import Reduce
from tinycc.ops.requantize.view import Requantize
from tinycc.ops.resize_nearest import ResizeNearest
from tinycc.ops.softmax.view import Softmax
from tinycc.ops.tensor import Tensor
from tinycc.ops.window import Window

Array = np.ndarray[Any, Any]


def _quantization(tensor: Tensor) -> Quantization:
    return Quantization(tensor.real_scale, tensor.zero_point)


def _image(tensor: Tensor, value: Array) -> Array:
    """As [1, height, width, channels]."""
    return value.reshape(1, tensor.height, tensor.width, tensor.channels)


def _window(view: Conv2D | DepthwiseConv2D | AveragePool2D | MaxPool2D) -> convolution.Window:
    """The reference's window; padding below and to the right follows from the sizes."""
    window: Window = view.window
    source, output = view.inputs[0], view.outputs[0]
    after = tuple(
        (outputs - 1) * stride + (kernel - 1) * dilation + 1 - size - before
        for outputs, size, kernel, stride, dilation, before in zip(
            (output.height, output.width),
            (source.height, source.width),
            window.kernel,
            window.stride,
            window.dilation,
            window.padding,
            strict=True,
        )
    )
    # Where the window does not reach the last rows, they are cut off: padding is never negative.
    return convolution.Window(
        window.stride, window.dilation, window.padding, (max(after[0], 0), max(after[1], 0))
    )


def _requantization(view: Linear) -> convolution.Requantization:
    multiplier, shift = quantize_multipliers(view.requantized.multipliers)
    return convolution.Requantization(
        multiplier,
        shift,
        view.outputs[0].zero_point,
        Range(*view.output_range),
        view.inputs[0].dtype == "int16",
    )


def _conv2d(view: Conv2D, x: Array) -> Array:
    source, layer = view.inputs[0], view.requantized
    return convolution.conv2d(
        _image(source, x), layer.weights, layer.bias, source.zero_point, _window(view), _requantization(view),
        layer.weight_zero_points[:, None, None, None],
    )  # fmt: skip


def _depthwise_conv2d(view: DepthwiseConv2D, x: Array) -> Array:
    """As a convolution with as many groups as input channels: weights [outputs, height, width, 1]."""
    source, layer = view.inputs[0], view.requantized
    return convolution.conv2d(
        _image(source, x), layer.weights.transpose(2, 0, 1)[..., None], layer.bias, source.zero_point,
        _window(view), _requantization(view), layer.weight_zero_points[:, None, None, None],
    )  # fmt: skip


def _dense(view: Dense, x: Array) -> Array:
    return dense.fully_connected(
        x,
        view.requantized.weights,
        view.requantized.bias,
        view.inputs[0].zero_point,
        _requantization(view),
        view.requantized.weight_zero_points[:, None],
    )


def _add(view: Add, a: Array, b: Array) -> Array:
    first, second = (_quantization(tensor) for tensor in view.inputs)
    output = view.outputs[0]
    left_shift = elementwise.INT8_LEFT_SHIFT if output.dtype == "int8" else elementwise.INT16_LEFT_SHIFT
    function = elementwise.add if view.sign == 1 else elementwise.sub
    quantizations = (first, second, _quantization(output))
    return function(a, b, quantizations, Range(*view.output_range), left_shift)


def _multiply(view: Multiply, a: Array, b: Array) -> Array:
    first, second = (_quantization(tensor) for tensor in view.inputs)
    quantizations = (first, second, _quantization(view.outputs[0]))
    return elementwise.mul(a, b, quantizations, Range(*view.output_range))


def _average_pool2d(view: AveragePool2D, x: Array) -> Array:
    """TFLite's; between two scales, which it does not have, the mean in steps of 2^-8 and then rescaled."""
    source, output = view.inputs[0], view.outputs[0]
    kernel, window, bounds = view.window.kernel, _window(view), Range(*view.output_range)
    if (source.scale, source.zero_point) == (output.scale, output.zero_point):
        return pooling.average_pool2d(_image(source, x), kernel, window, bounds)
    fine = (_image(source, x).astype(np.int64) - source.zero_point) * 2**8
    means = pooling.average_pool2d(fine, kernel, window, Range(INT32_MIN, INT32_MAX))
    return conversion.requantize(
        means, Quantization(source.real_scale / 2**8, 0), _quantization(output), bounds
    )


def _max_pool2d(view: MaxPool2D, x: Array) -> Array:
    source = view.inputs[0]
    return pooling.max_pool2d(_image(source, x), view.window.kernel, _window(view), _bounds(source))


def _reduce(view: Reduce, x: Array) -> Array:
    function = reduction.mean if view.is_mean else reduction.sum_
    source, output = _quantization(view.inputs[0]), _quantization(view.outputs[0])
    return function(x, view.axes, False, source, output, Range(*view.output_range))


def _resize_nearest(view: ResizeNearest, x: Array) -> Array:
    output = view.outputs[0]
    image = _image(view.inputs[0], x)
    corners, half_pixel = (view.coordinates == name for name in ("align_corners", "half_pixel"))
    if view.rounding != ("round_prefer_ceil" if corners or half_pixel else "floor"):
        raise KeyError(f"nearest neighbours with rounding {view.rounding}")
    return movement.resize_nearest_neighbor(image, (output.height, output.width), corners, half_pixel)


def _softmax(view: Softmax, x: Array) -> Array:
    """TFLite's of int8; to another scale than its own, the one to int16 and then rescaled."""
    source, output = view.inputs[0], view.outputs[0]
    if (source.dtype, output.dtype) != ("int8", "int8"):
        raise KeyError(f"softmax from {source.dtype} to {output.dtype}")
    if (output.scale, output.zero_point) == (2.0**-8, -128):
        return softmax.softmax_int8(x, source.real_scale)
    wide = softmax.softmax_int8(x, source.real_scale, bounds=INT16)
    return conversion.requantize(wide, Quantization(2.0**-16, INT16.low), _quantization(output))


def _requantize(view: Requantize, x: Array) -> Array:
    source, output = _quantization(view.inputs[0]), _quantization(view.outputs[0])
    return conversion.requantize(x, source, output, Range(*view.output_range))


def _lookup(view: Lookup, x: Array) -> Array:
    """What tables hold is compared with the reference in tests/ops/test_lookup.py."""
    return view.table[x.astype(np.int64) + 128]


def _quantize(view: Quantize, x: Array) -> Array:
    return conversion.quantize(x, _quantization(view.outputs[0]), _bounds(view.outputs[0]))


def _dequantize(view: Dequantize, x: Array) -> Array:
    return conversion.dequantize(x, _quantization(view.inputs[0]))


def _bounds(tensor: Tensor) -> Range:
    return {"int8": INT8, "uint8": UINT8, "int16": INT16}[tensor.dtype]


_REFERENCES: Mapping[type[Operator], Callable[..., Array]] = {
    Add: _add,
    AveragePool2D: _average_pool2d,
    Conv2D: _conv2d,
    Dense: _dense,
    DepthwiseConv2D: _depthwise_conv2d,
    Dequantize: _dequantize,
    Lookup: _lookup,
    MaxPool2D: _max_pool2d,
    Multiply: _multiply,
    Quantize: _quantize,
    Reduce: _reduce,
    Requantize: _requantize,
    ResizeNearest: _resize_nearest,
    Softmax: _softmax,
}


def reference_of(view: Operator, inputs: Sequence[Array]) -> Array:
    """The output of `view`, of its shape and dtype.

    inputs: one array for each of the view's inputs that is not a constant, in order, of any shape with the
    right number of elements. KeyError for an operator that has no reference here.
    """
    given = iter(inputs)
    operands = [
        tensor.value if tensor.value is not None else next(given).reshape(tensor.shape)
        for tensor in view.inputs
    ]
    result = _REFERENCES[type(view)](view, *operands)
    output = view.outputs[0]
    return np.asarray(result).reshape(output.shape).astype(output.dtype)
