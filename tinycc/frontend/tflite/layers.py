"""Convolutions, dense layers and pooling of TFLite in the normal form."""

import math
from collections.abc import Callable

import numpy as np
import tflite
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.tflite.base import BaseConverter, fused_activation, scale_constant
from tinycc.frontend.tflite.file import FileOperator, FileTensor


def same_padding(size: int, output: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and after along one axis that makes `output` windows of `kernel` fit over `size`."""
    total = max(0, (output - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def _padding(
    op: FileOperator, sizes: tuple[int, ...], kernel: tuple[int, int], strides: tuple[int, int]
) -> list[int]:
    """[top, left, bottom, right] for the padding mode in the options."""
    if op.options.Padding() == tflite.Padding.VALID:
        return [0, 0, 0, 0]
    (top, bottom), (left, right) = (
        same_padding(size, -(-size // stride), taps, stride)
        for size, taps, stride in zip(sizes, kernel, strides, strict=True)
    )
    return [top, left, bottom, right]


def _strides(op: FileOperator) -> tuple[int, int]:
    return int(op.options.StrideH()), int(op.options.StrideW())


def _images(op: FileOperator, source: FileTensor, *others: FileTensor) -> None:
    """Four dimensions each, and one image only in `source`."""
    for tensor in (source, *others):
        if len(tensor.shape) != 4 or min(tensor.shape) < 1:
            raise ModelError(
                f"{op.title} needs {tensor.name} with four dimensions, got the shape {tensor.shape}"
            )
    if source.shape[0] != 1:
        raise UnsupportedError(f"{op.title} is computed for {source.shape[0]} images, only one is supported")


def _weights(converter: BaseConverter, tensor: FileTensor, value: np.ndarray, axis: int) -> relax.Expr:
    return converter.dequantized(tvm_adapter.make_constant(value), tensor, axis)


def _biased(converter: BaseConverter, op: FileOperator, value: relax.Expr, position: int) -> relax.Expr:
    """`value` plus the bias at an input position, if there is one.

    TFLite adds its integers to the sums of products whatever its own scale says, so it has the scale of input
    x weights. 16x8 models store int64 biases; those that fit become int32.
    """
    if len(op.inputs) <= position or op.inputs[position] < 0:
        return value
    bias = converter.constant(op.inputs[position]).reshape(-1)
    if bias.dtype == np.float32:
        return relax.op.add(value, tvm_adapter.make_constant(bias))
    if np.any(bias != bias.astype(np.int32)):
        raise UnsupportedError(f"{op.title} has biases beyond 32 bits")
    stored = tvm_adapter.make_constant(bias.astype(np.int32))
    source, weights = (converter.file.tensors[index] for index in op.inputs[position - 2 : position])
    scales = scale_constant(source.scales * weights.scales)
    return relax.op.add(value, relax.op.dequantize(stored, scales, relax.const(0, "int32"), axis=0))


def convolution(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """CONV_2D: weights OHWI become HWIO; fewer weight than input channels mean groups."""
    source, weights = (converter.file.tensors[index] for index in op.inputs[:2])
    _images(op, source, weights)
    strides, dilation = _strides(op), (int(op.options.DilationHFactor()), int(op.options.DilationWFactor()))
    _, height, width, channels = weights.shape
    if not channels or source.shape[3] % channels:
        raise ModelError(f"{op.title} has weights for {channels} channels, its input has {source.shape[3]}")
    kernel = ((height - 1) * dilation[0] + 1, (width - 1) * dilation[1] + 1)
    product = relax.op.nn.conv2d(
        converter.real(source.index),
        _weights(converter, weights, converter.constant(weights.index).transpose(1, 2, 3, 0), 3),
        strides=strides,
        padding=_padding(op, source.shape[1:3], kernel, strides),
        dilation=dilation,
        groups=source.shape[3] // channels,
        data_layout="NHWC",
        kernel_layout="HWIO",
        out_layout="NHWC",
    )
    return converter.finished(op, _biased(converter, op, product, 2), fused_activation(op))


def depthwise_convolution(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """DEPTHWISE_CONV_2D: weights [1, H, W, C x M] become HWOI [H, W, C x M, 1], groups = C."""
    source, weights = (converter.file.tensors[index] for index in op.inputs[:2])
    _images(op, source, weights)
    strides, dilation = _strides(op), (int(op.options.DilationHFactor()), int(op.options.DilationWFactor()))
    _, height, width, channels = weights.shape
    if channels % source.shape[3]:
        raise ModelError(f"{op.title} has weights for {channels} channels, its input has {source.shape[3]}")
    kernel = ((height - 1) * dilation[0] + 1, (width - 1) * dilation[1] + 1)
    single = source.shape[3] == 1
    value = converter.constant(weights.index).reshape(
        (height, width, 1, channels) if single else (height, width, channels, 1)
    )
    product = relax.op.nn.conv2d(
        converter.real(source.index),
        _weights(converter, weights, value, 3 if single else 2),
        strides=strides,
        padding=_padding(op, source.shape[1:3], kernel, strides),
        dilation=dilation,
        groups=source.shape[3],
        data_layout="NHWC",
        kernel_layout="HWIO" if single else "HWOI",
        out_layout="NHWC",
    )
    return converter.finished(op, _biased(converter, op, product, 2), fused_activation(op))


def transposed_convolution(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """TRANSPOSE_CONV(output shape, weights OHWI, input): weights become IOHW.

    The output size is the file's: what the strides and the padding leave open is output padding.
    """
    weights, source = (converter.file.tensors[index] for index in op.inputs[1:3])
    output = converter.file.tensors[op.outputs[0]]
    _images(op, source, weights, output)
    wanted = converter.constants.get(op.inputs[0])
    if wanted is not None and tuple(wanted.tolist()) != output.shape:
        raise ModelError(f"{op.title} has another output shape as its first input than the file says")
    strides, kernel = _strides(op), weights.shape[1:3]
    before, after, extra = [], [], []
    for axis in (0, 1):
        size, size_out = source.shape[1 + axis], output.shape[1 + axis]
        full = (size - 1) * strides[axis] + kernel[axis]
        same = op.options.Padding() == tflite.Padding.SAME
        if -(-(size_out if same else size_out - kernel[axis] + 1) // strides[axis]) != size:
            raise ModelError(f"{op.title} cannot make {size_out} rows or columns of {size}")
        first = same_padding(size_out, size, kernel[axis], strides[axis])[0] if same else 0
        rest = full - first - size_out
        before.append(first)
        after.append(max(rest, 0))
        extra.append(max(-rest, 0))
    product = relax.op.nn.conv2d_transpose(
        converter.real(source.index),
        _weights(converter, weights, converter.constant(weights.index).transpose(3, 0, 1, 2), 1),
        strides=strides,
        padding=[*before, *after],
        output_padding=extra,
        data_layout="NHWC",
        kernel_layout="IOHW",
        out_layout="NHWC",
    )
    return converter.finished(op, _biased(converter, op, product, 3), fused_activation(op))


def dense(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """FULLY_CONNECTED: weights [out, in] become [in, out]; the input is taken as vectors of `in`."""
    source, weights = (converter.file.tensors[index] for index in op.inputs[:2])
    if len(weights.shape) != 2:
        raise ModelError(f"{op.title} has weights of shape {weights.shape}")
    inputs = weights.shape[1]
    stored = converter.operand(source.index)
    shape = source.shape if op.options.KeepNumDims() else (math.prod(source.shape) // inputs, inputs)
    if shape[-1] != inputs or math.prod(shape) != math.prod(source.shape):
        raise ModelError(
            f"{op.title} has weights for {inputs} inputs, its input has the shape {source.shape}"
        )
    if shape != source.shape:
        stored = converter.bb.emit(relax.op.reshape(stored, shape))
    product = relax.op.matmul(
        converter.dequantized(stored, source),
        _weights(converter, weights, converter.constant(weights.index).T, 1),
    )
    return converter.finished(op, _biased(converter, op, product, 2), fused_activation(op))


def matrix_product(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """BATCH_MATMUL of the last two axes, by which AdjX and AdjY transpose an operand first."""
    left, right = (converter.file.tensors[index] for index in op.inputs)
    if right.dtype not in (left.dtype, "int8"):
        raise UnsupportedError(f"{op.title} multiplies {left.dtype} by {right.dtype}, which TFLite refuses")
    product = relax.op.matmul(
        _matrices(converter, op, left, bool(op.options.AdjX()), len(right.shape)),
        _matrices(converter, op, right, bool(op.options.AdjY()), len(left.shape)),
    )
    return converter.finished(op, product)


def _matrices(
    converter: BaseConverter, op: FileOperator, tensor: FileTensor, is_transposed: bool, rank: int
) -> relax.Expr:
    """An operand's real numbers; a constant matrix is just that, so that it makes a dense layer.

    rank: of the other operand.
    """
    if len(tensor.shape) < 2:
        raise ModelError(f"{op.title} needs matrices, {tensor.name} has the shape {tensor.shape}")
    if tensor.is_quantized and tensor.scales.size > 1:
        raise UnsupportedError(f"{op.title} has {tensor.scales.size} scales of {tensor.name}, not one")
    *batches, rows, columns = range(len(tensor.shape))
    order = [*batches, columns, rows]
    value = converter.constants.get(tensor.index)
    if value is None:
        stored = converter.operand(tensor.index)
        if is_transposed:
            stored = converter.bb.emit(relax.op.permute_dims(stored, order))
        return converter.dequantized(stored, tensor)
    value = value.transpose(order) if is_transposed else value
    if math.prod(value.shape[:-2]) == 1 and value.ndim <= rank:
        value = value.reshape(value.shape[-2:])
    return converter.dequantized(tvm_adapter.make_constant(value), tensor)


def pooled(
    converter: BaseConverter,
    op: FileOperator,
    function: Callable[..., relax.Expr],
    value: relax.Expr,
    **attributes: bool,
) -> relax.Expr:
    """`function` of the windows of the options over `value`, which has the shape of the operator's input."""
    source = converter.file.tensors[op.inputs[0]]
    _images(op, source)
    kernel = (int(op.options.FilterHeight()), int(op.options.FilterWidth()))
    strides = _strides(op)
    return function(
        value,
        pool_size=kernel,
        strides=strides,
        padding=_padding(op, source.shape[1:3], kernel, strides),
        layout="NHWC",
        out_layout="NHWC",
        **attributes,
    )


def pooling(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """AVERAGE_POOL_2D on real numbers (padding is not counted), MAX_POOL_2D on the integers themselves."""
    source = converter.file.tensors[op.inputs[0]]
    if op.kind == "AVERAGE_POOL_2D":
        average, real = relax.op.nn.avg_pool2d, converter.real(source.index)
        mean = pooled(converter, op, average, real, count_include_pad=False)
        return converter.finished(op, mean, fused_activation(op))
    result = pooled(converter, op, relax.op.nn.max_pool2d, converter.operand(source.index))
    if fused_activation(op) == 0:
        return result
    stored = converter.bb.emit(result)
    return converter.finished(op, converter.dequantized(stored, source), fused_activation(op))
