"""TFLite operators that move, cut and join tensors, done on the integers themselves.

Input and output share their quantization; where a file says otherwise, the result is requantized. On
constants (the shape arithmetic that some converters leave behind) they are computed on the spot.
"""

import math

import numpy as np
import tflite
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.padding import padded
from tinycc.frontend.tflite_base import BaseConverter, activated, fused_activation
from tinycc.frontend.tflite_file import FileOperator, FileTensor


def same_quantization(left: FileTensor, right: FileTensor) -> bool:
    """Whether two tensors map integers to the same real numbers."""
    if not (left.is_quantized and right.is_quantized):
        return left.is_quantized == right.is_quantized
    return left.dtype == right.dtype and left.scale == right.scale and left.zero_point == right.zero_point


def moved(converter: BaseConverter, op: FileOperator, value: relax.Expr) -> relax.Expr:
    """`value`, which holds integers of the first input, in the quantization of the first output."""
    source, output = converter.file.tensors[op.inputs[0]], converter.file.tensors[op.outputs[0]]
    if same_quantization(source, output):
        return value
    return converter.requantized(converter.dequantized(converter.bb.emit(value), source), output)


def reshape(converter: BaseConverter, op: FileOperator) -> relax.Expr | None:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: the output's static shape says it all."""
    source, output = converter.file.tensors[op.inputs[0]], converter.file.tensors[op.outputs[0]]
    if math.prod(source.shape) != math.prod(output.shape):
        raise ModelError(f"{op.title} cannot turn the shape {source.shape} into {output.shape}")
    if source.index in converter.constants:
        converter.constants[output.index] = converter.constants[source.index].reshape(output.shape)
        return None
    return moved(converter, op, relax.op.reshape(converter.operand(source.index), output.shape))


def shape(converter: BaseConverter, op: FileOperator) -> None:
    """SHAPE: a constant, as all shapes are static."""
    output = converter.file.tensors[op.outputs[0]]
    converter.constants[output.index] = np.array(converter.file.tensors[op.inputs[0]].shape, output.dtype)


def pack(converter: BaseConverter, op: FileOperator) -> relax.Expr | None:
    """PACK: a new axis on each input, then a concatenation."""
    axis, output = int(op.options.Axis()), converter.file.tensors[op.outputs[0]]
    if all(index in converter.constants for index in op.inputs):
        converter.constants[output.index] = np.stack(
            [converter.constants[index] for index in op.inputs], axis
        )
        return None
    shape_of_part = list(output.shape)
    shape_of_part[axis] = 1
    parts = [relax.op.reshape(_in_output_scale(converter, op, index), shape_of_part) for index in op.inputs]
    return relax.op.concat(parts, axis)


def concatenation(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """CONCATENATION: inputs of another quantization than the output's are requantized first."""
    output = converter.file.tensors[op.outputs[0]]
    parts = [_in_output_scale(converter, op, index) for index in op.inputs]
    joined = relax.op.concat(parts, int(op.options.Axis()))
    if fused_activation(op) == 0:
        return joined
    real = converter.dequantized(converter.bb.emit(joined), output)
    return converter.requantized(activated(real, fused_activation(op), op), output)


def _in_output_scale(converter: BaseConverter, op: FileOperator, index: int) -> relax.Expr:
    tensor, output = converter.file.tensors[index], converter.file.tensors[op.outputs[0]]
    if same_quantization(tensor, output):
        return converter.operand(index)
    return converter.bb.emit(converter.requantized(converter.real(index), output))


def pad(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """PAD and PADV2: filled with the zero point, or with PADV2's own constant."""
    source = converter.file.tensors[op.inputs[0]]
    widths = converter.constant(op.inputs[1])
    if widths.shape != (len(source.shape), 2) or widths.min(initial=0) < 0:
        raise ModelError(
            f"{op.title} has paddings of shape {widths.shape} for an input of shape {source.shape}"
        )
    fill = source.zero_point
    if len(op.inputs) > 2:
        fill = int(converter.constant(op.inputs[2]).reshape(-1)[0])
    flat = [int(width) for width in widths.reshape(-1)]
    return moved(converter, op, relax.op.nn.pad(converter.operand(source.index), flat, "constant", fill))


def mirror_pad(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """MIRROR_PAD: the input mirrored at its first and last elements, which SYMMETRIC repeats."""
    source = converter.file.tensors[op.inputs[0]]
    widths = converter.constant(op.inputs[1])
    if widths.shape != (len(source.shape), 2):
        raise ModelError(
            f"{op.title} has paddings of shape {widths.shape} for an input of shape {source.shape}"
        )
    mode = "reflect" if op.options.Mode() == tflite.MirrorPadMode.REFLECT else "symmetric"
    try:
        value = padded(converter.bb, converter.operand(source.index), widths.tolist(), mode)
    except UnsupportedError as error:
        raise ModelError(f"{op.title}: {error}") from error
    return moved(converter, op, value)


def _cut(value: relax.Expr, axis: int, begin: int, length: int = 1) -> relax.Expr:
    return relax.op.strided_slice(value, [axis], [begin], [begin + length])


def transpose(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """TRANSPOSE by a constant permutation."""
    axes = [int(axis) for axis in converter.constant(op.inputs[1])]
    return moved(converter, op, relax.op.permute_dims(converter.operand(op.inputs[0]), axes))


def split(converter: BaseConverter, op: FileOperator) -> list[relax.Expr]:
    """SPLIT(axis, x), SPLIT_V(x, sizes, axis), UNPACK(x): one slice for each output."""
    if op.kind == "UNPACK":
        position, axis = op.inputs[0], int(op.options.Axis())
    elif op.kind == "SPLIT":
        position, axis = op.inputs[1], int(converter.constant(op.inputs[0]).reshape(-1)[0])
    else:
        position, axis = op.inputs[0], int(converter.constant(op.inputs[2]).reshape(-1)[0])
    source = converter.file.tensors[position]
    axis %= len(source.shape)
    value, begin, parts = converter.operand(position), 0, []
    for index in op.outputs:
        output = converter.file.tensors[index]
        length = 1 if op.kind == "UNPACK" else output.shape[axis]
        part = _cut(value, axis, begin, length)
        begin += length
        parts.append(relax.op.reshape(converter.bb.emit(part), output.shape) if op.kind == "UNPACK" else part)
        if not same_quantization(source, output):
            raise UnsupportedError(f"{op.title} changes the quantization of {output.name}")
    if begin != source.shape[axis]:
        raise ModelError(f"{op.title} cuts {source.shape[axis]} elements into parts of {begin} together")
    return parts


def slices(converter: BaseConverter, op: FileOperator) -> relax.Expr | None:
    """STRIDED_SLICE with its masks, and SLICE."""
    source, output = converter.file.tensors[op.inputs[0]], converter.file.tensors[op.outputs[0]]
    cuts = _strided(converter, op, source) if op.kind == "STRIDED_SLICE" else _plain(converter, op, source)
    if source.index in converter.constants:
        cut = converter.constants[source.index][tuple(slice(*map(_stop, bounds)) for bounds in cuts)]
        converter.constants[output.index] = cut.reshape(output.shape)
        return None
    begins, ends, strides = ([bounds[part] for bounds in cuts] for part in range(3))
    value = relax.op.strided_slice(
        converter.operand(source.index), list(range(len(cuts))), begins, ends, strides
    )
    value = converter.bb.emit(value)
    if tvm_adapter.shape_of(value) != output.shape:
        value = relax.op.reshape(value, output.shape)
    return moved(converter, op, value)


def _stop(bound: int) -> int | None:
    """A bound for numpy, where an end below zero would count from the back."""
    return None if bound < 0 else bound


def _plain(converter: BaseConverter, op: FileOperator, source: FileTensor) -> list[tuple[int, int, int]]:
    begins, sizes = (converter.constant(index).reshape(-1).tolist() for index in op.inputs[1:3])
    bounds = zip(begins, sizes, source.shape, strict=True)
    return [(begin, total if size < 0 else begin + size, 1) for begin, size, total in bounds]


def _strided(converter: BaseConverter, op: FileOperator, source: FileTensor) -> list[tuple[int, int, int]]:
    """(begin, end, stride) of each axis, masks applied, all within the axis."""
    options = op.options
    if options.EllipsisMask() or options.NewAxisMask():
        raise UnsupportedError(
            f"{op.title} has an ellipsis or new-axis mask: export it as RESHAPE and slices"
        )
    given = [converter.constant(index).reshape(-1).tolist() for index in op.inputs[1:4]]
    cuts = []
    for axis, size in enumerate(source.shape):
        if axis >= len(given[0]):
            cuts.append((0, size, 1))
            continue
        begin, end, stride = (part[axis] for part in given)
        if stride == 0:
            raise ModelError(f"{op.title} has the stride 0")
        if stride < 0:
            raise UnsupportedError(f"{op.title} has a negative stride")
        bit = 1 << axis
        if options.ShrinkAxisMask() & bit:
            begin = begin + size if begin < 0 else begin
            cuts.append((begin, begin + 1, 1))
            continue
        first, last, _ = slice(
            None if options.BeginMask() & bit else begin, None if options.EndMask() & bit else end, stride
        ).indices(size)
        cuts.append((first, last, stride))
    return cuts


def resize_nearest(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """RESIZE_NEAREST_NEIGHBOR on the integers: floor of the scaled position, or rounded where centred."""
    output = converter.file.tensors[op.outputs[0]]
    corners, half = bool(op.options.AlignCorners()), bool(op.options.HalfPixelCenters())
    value = relax.op.image.resize2d(
        converter.operand(op.inputs[0]),
        relax.ShapeExpr(output.shape[1:3]),
        layout="NHWC",
        method="nearest_neighbor",
        coordinate_transformation_mode="align_corners" if corners else "half_pixel" if half else "asymmetric",
        rounding_method="round_prefer_ceil" if corners or half else "floor",
    )
    return moved(converter, op, value)
