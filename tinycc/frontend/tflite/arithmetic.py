"""Elementwise operators, reductions and conversions of TFLite in the normal form."""

from collections.abc import Callable

import numpy as np
from tvm import relax

from tinycc.errors import UnsupportedError
from tinycc.frontend.tflite.base import (
    BaseConverter,
    Converted,
    Handler,
    activated,
    axis_of,
    fused_activation,
    same_quantization,
)
from tinycc.frontend.tflite.file import FileOperator


def binary(function: Callable[[relax.Expr, relax.Expr], relax.Expr]) -> Handler:
    """ADD and its like: either side may be a constant, shapes broadcast."""

    def convert(converter: BaseConverter, op: FileOperator) -> relax.Expr:
        left, right = (converter.real(index) for index in op.inputs)
        has_activation = hasattr(op.options, "FusedActivationFunction")
        return converter.finished(op, function(left, right), fused_activation(op) if has_activation else 0)

    return convert


def unary(function: Callable[[relax.Expr], relax.Expr]) -> Handler:
    """quantize(function(dequantize(x))): ABS, LOGISTIC, TANH."""

    def convert(converter: BaseConverter, op: FileOperator) -> relax.Expr:
        return converter.finished(op, function(converter.real(op.inputs[0])))

    return convert


def squared_difference(left: relax.Expr, right: relax.Expr) -> relax.Expr:
    """(left - right)^2."""
    return relax.op.square(relax.op.subtract(left, right))


def elu(value: relax.Expr) -> relax.Expr:
    """x, and exp(x) - 1 below 0."""
    below = relax.op.subtract(relax.op.exp(value), relax.const(1.0, "float32"))
    return relax.op.where(relax.op.less(value, relax.const(0.0, "float32")), below, value)


def gelu(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """GELU, exact or by tanh."""
    by_tanh = op.options is not None and op.options.Approximate()
    function = relax.op.nn.gelu_tanh if by_tanh else relax.op.nn.gelu
    return converter.finished(op, function(converter.real(op.inputs[0])))


def square_root(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """SQRT, which TFLite rounds down where it is quantized."""
    output = converter.file.tensors[op.outputs[0]]
    root = relax.op.sqrt(converter.real(op.inputs[0]))
    if not output.is_quantized:
        return root
    scale = output.scale
    steps = relax.op.floor(relax.op.divide(root, relax.const(scale, "float32")))
    return converter.finished(op, relax.op.multiply(steps, relax.const(scale, "float32")))


def negative(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """NEG of the stored numbers, -128 as it is: TFLite does not look at their quantization."""
    source, output = (converter.file.tensors[index] for index in (op.inputs[0], op.outputs[0]))
    if source.zero_point or output.zero_point or not np.array_equal(source.scales, output.scales):
        raise UnsupportedError(f"{op.title} needs one scale and zero points of 0, as TFLite negates integers")
    return relax.op.negative(converter.operand(source.index))


def only_int8(convert: Handler) -> Handler:
    """What TFLite has no kernel of 16 bits for."""

    def checked(converter: BaseConverter, op: FileOperator) -> Converted:
        dtype = converter.file.tensors[op.inputs[0]].dtype
        if dtype not in ("int8", "float32"):
            raise UnsupportedError(f"{op.title} is of {dtype}, only int8 and float32 are supported")
        return convert(converter, op)

    return checked


def activation(kind: int) -> Handler:
    """A stand-alone activation, which may change the scale."""

    def convert(converter: BaseConverter, op: FileOperator) -> relax.Expr:
        return converter.finished(op, activated(converter.real(op.inputs[0]), kind, op))

    return convert


def extremum(function: Callable[[relax.Expr, relax.Expr], relax.Expr]) -> Handler:
    """MAXIMUM and MINIMUM: TFLite compares the integers, so all of them are read as the output is."""

    def convert(converter: BaseConverter, op: FileOperator) -> relax.Expr:
        output = converter.file.tensors[op.outputs[0]]
        left, right = (converter.dequantized(converter.operand(index), output) for index in op.inputs)
        return converter.finished(op, function(left, right))

    return convert


def softmax(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """SOFTMAX over the last axis."""
    return converter.finished(op, relax.op.nn.softmax(converter.real(op.inputs[0]), axis=-1))


def l2_normalization(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """L2_NORMALIZATION over the last axis: x / max(sqrt(sum(x^2)), 1e-6)."""
    value = converter.bb.emit(converter.real(op.inputs[0]))
    total = relax.op.sum(relax.op.multiply(value, value), -1, keepdims=True)
    length = relax.op.clip(relax.op.sqrt(total), 1e-6, np.inf)
    return converter.finished(op, relax.op.divide(value, length))


def leaky_relu(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """LEAKY_RELU."""
    return converter.finished(
        op, relax.op.nn.leakyrelu(converter.real(op.inputs[0]), float(op.options.Alpha()))
    )


def prelu(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """PRELU with one slope for each channel."""
    slopes = converter.file.tensors[op.inputs[1]]
    channels = converter.file.tensors[op.inputs[0]].shape[-1]
    value = converter.constant(slopes.index)
    if value.size not in (1, channels):
        raise UnsupportedError(
            f"{op.title} has slopes of shape {value.shape}, one for each channel is supported"
        )
    vector = np.broadcast_to(value.reshape(-1), (channels,))
    return converter.finished(
        op,
        relax.op.nn.prelu(
            converter.real(op.inputs[0]),
            converter.dequantized(relax.const(vector.copy(), str(vector.dtype)), slopes, 0),
            axis=-1,
        ),
    )


def hard_swish(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """HARD_SWISH: x * clip(x + 3, 0, 6) / 6."""
    value = converter.bb.emit(converter.real(op.inputs[0]))
    gate = relax.op.clip(relax.op.add(value, relax.const(3.0, "float32")), 0, 6)
    product = relax.op.divide(relax.op.multiply(value, gate), relax.const(6.0, "float32"))
    return converter.finished(op, product)


def reduction(function: Callable[..., relax.Expr]) -> Handler:
    """MEAN and SUM over constant axes."""

    def convert(converter: BaseConverter, op: FileOperator) -> relax.Expr:
        axes, keep = _reduced_axes(converter, op)
        return converter.finished(op, function(converter.real(op.inputs[0]), axes, keep))

    return convert


def choice(function: Callable[..., relax.Expr]) -> Handler:
    """REDUCE_MAX and REDUCE_MIN over constant axes, on the integers."""

    def convert(converter: BaseConverter, op: FileOperator) -> relax.Expr:
        axes, keep = _reduced_axes(converter, op)
        return function(converter.operand(op.inputs[0]), axes, keep)

    return convert


def _reduced_axes(converter: BaseConverter, op: FileOperator) -> tuple[list[int], bool]:
    """The axes, and whether they stay with size 1."""
    rank = len(converter.file.tensors[op.inputs[0]].shape)
    axes = converter.constant(op.inputs[1]).reshape(-1).tolist()
    keep = bool(op.options.KeepDims()) if op.options is not None else False
    return sorted({axis_of(op, axis, rank) for axis in axes}), keep


def position(function: Callable[[relax.Expr, int], relax.Expr]) -> Handler:
    """ARG_MAX and ARG_MIN on the integers, first of equals."""

    def convert(converter: BaseConverter, op: FileOperator) -> relax.Expr:
        source, output = converter.file.tensors[op.inputs[0]], converter.file.tensors[op.outputs[0]]
        axis = axis_of(op, int(converter.constant(op.inputs[1]).item()), len(source.shape))
        return relax.op.astype(function(converter.operand(source.index), axis), output.dtype)

    return convert


def resize_bilinear(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """RESIZE_BILINEAR; TFLite weights the integers, so they are read as the output is."""
    output = converter.file.tensors[op.outputs[0]]
    corners, half = bool(op.options.AlignCorners()), bool(op.options.HalfPixelCenters())
    resized = relax.op.image.resize2d(
        converter.dequantized(converter.operand(op.inputs[0]), output),
        relax.ShapeExpr(converter.constant(op.inputs[1]).tolist()),
        layout="NHWC",
        method="linear",
        coordinate_transformation_mode="align_corners" if corners else "half_pixel" if half else "asymmetric",
    )
    return converter.finished(op, resized)


def quantize(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """QUANTIZE of real numbers, or from one quantization into another; nothing where they are the same."""
    source, output = converter.file.tensors[op.inputs[0]], converter.file.tensors[op.outputs[0]]
    if source.dtype == output.dtype and same_quantization(source, output):
        return converter.operand(source.index)
    return converter.finished(op, converter.real(op.inputs[0]))


def dequantize(converter: BaseConverter, op: FileOperator) -> Converted:
    """DEQUANTIZE; constants, as weights are stored to save space, are known at compile time as well."""
    source = converter.file.tensors[op.inputs[0]]
    stored = converter.constants.get(source.index)
    if stored is None:
        return converter.real(source.index)
    if not source.is_quantized:  # float16
        return stored.astype(np.float32)
    shape = [1] * stored.ndim
    if source.scales.size > 1:
        shape[source.axis] = -1
    steps = stored.astype(np.float32) - source.zero_points.astype(np.float32).reshape(shape)
    converter.constants[op.outputs[0]] = steps * source.scales.reshape(shape)
    return converter.real(source.index)


def cast(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """CAST of the stored numbers."""
    return relax.op.astype(converter.operand(op.inputs[0]), converter.file.tensors[op.outputs[0]].dtype)
