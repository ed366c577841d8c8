"""TFLite operators that move, cut and join tensors, done on the integers themselves.

As TFLite's own kernels do, they pass on the integers whatever the quantization of the output says. On
constants (the shape arithmetic that some converters leave behind) they are computed on the spot.
"""

import math

import numpy as np
import tflite
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.padding import padded
from tinycc.frontend.tflite.base import BaseConverter, axis_of
from tinycc.frontend.tflite.file import FileOperator, FileTensor

MAX_COPIES = 256  # of a tensor along one axis


def _source(converter: BaseConverter, op: FileOperator) -> FileTensor:
    return converter.file.tensors[op.inputs[0]]


def _reshaped(converter: BaseConverter, op: FileOperator, shape: tuple[int, ...]) -> relax.Expr | np.ndarray:
    source = _source(converter, op)
    if math.prod(source.shape) != math.prod(shape):
        raise ModelError(f"{op.title} cannot turn the shape {source.shape} into {shape}")
    if source.index in converter.constants:
        return converter.constants[source.index].reshape(shape)
    return relax.op.reshape(converter.operand(source.index), shape)


def reshape(converter: BaseConverter, op: FileOperator) -> relax.Expr | np.ndarray:
    """RESHAPE to the shape of its second operand or, without one, of its options; one size may be -1."""
    if len(op.inputs) > 1 and op.inputs[1] not in converter.constants:
        wanted = list(converter.file.tensors[op.outputs[0]].shape)  # computed at run time, but static
    elif len(op.inputs) > 1:
        wanted = converter.constants[op.inputs[1]].reshape(-1).tolist()
    else:
        stored = op.options.NewShapeAsNumpy() if op.options is not None else 0
        wanted = stored.tolist() if isinstance(stored, np.ndarray) else []
    if wanted.count(-1) == 1:
        known = -math.prod(wanted)
        position = wanted.index(-1)
        wanted[position] = math.prod(_source(converter, op).shape) // known if known > 0 else 0
    return _reshaped(converter, op, tuple(wanted))


def squeeze(converter: BaseConverter, op: FileOperator) -> relax.Expr | np.ndarray:
    """SQUEEZE of the axes in its options, all of size 1; of all such axes where it names none."""
    shape = _source(converter, op).shape
    stored = op.options.SqueezeDimsAsNumpy() if op.options is not None else 0
    named = stored.tolist() if isinstance(stored, np.ndarray) else []
    axes = {axis_of(op, axis, len(shape)) for axis in named}
    if any(shape[axis] != 1 for axis in axes):
        raise ModelError(f"{op.title} squeezes the axes {named} of the shape {shape}")
    axes = axes or {axis for axis, size in enumerate(shape) if size == 1}
    return _reshaped(converter, op, tuple(size for axis, size in enumerate(shape) if axis not in axes))


def expand_dims(converter: BaseConverter, op: FileOperator) -> relax.Expr | np.ndarray:
    """EXPAND_DIMS by a constant axis."""
    shape = list(_source(converter, op).shape)
    shape.insert(axis_of(op, int(converter.constant(op.inputs[1]).item()), len(shape) + 1), 1)
    return _reshaped(converter, op, tuple(shape))


def shape(converter: BaseConverter, op: FileOperator) -> np.ndarray:
    """SHAPE: a constant, as all shapes are static."""
    return np.array(_source(converter, op).shape, converter.file.tensors[op.outputs[0]].dtype)


def pack(converter: BaseConverter, op: FileOperator) -> relax.Expr | np.ndarray:
    """PACK: a new axis on each input, then a concatenation."""
    shape = list(_source(converter, op).shape)
    axis = axis_of(op, int(op.options.Axis()), len(shape) + 1)
    if all(index in converter.constants for index in op.inputs):
        return np.stack([converter.constants[index] for index in op.inputs], axis)
    shape.insert(axis, 1)
    parts = [relax.op.reshape(converter.operand(index), shape) for index in op.inputs]
    return relax.op.concat([converter.bb.emit(part) for part in parts], axis)


def concatenation(converter: BaseConverter, op: FileOperator) -> relax.Expr | np.ndarray:
    """CONCATENATION."""
    axis = axis_of(op, int(op.options.Axis()), len(_source(converter, op).shape))
    if all(index in converter.constants for index in op.inputs):
        return np.concatenate([converter.constants[index] for index in op.inputs], axis)
    return relax.op.concat([converter.operand(index) for index in op.inputs], axis)


def pad(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """PAD and PADV2: filled with the output's zero point, or with PADV2's own constant."""
    source, output = _source(converter, op), converter.file.tensors[op.outputs[0]]
    fill: float = output.zero_point
    if len(op.inputs) > 2:
        constant = converter.constant(op.inputs[2])
        if str(constant.dtype) != source.dtype:
            raise ModelError(f"{op.title} pads {source.dtype} by {constant.dtype}")
        fill = constant.item()
    widths = [int(width) for width in _widths(converter, op).reshape(-1)]
    if not any(widths):
        return converter.operand(source.index)
    return relax.op.nn.pad(converter.operand(source.index), widths, "constant", fill)


def _widths(converter: BaseConverter, op: FileOperator) -> np.ndarray:
    """How much is put before and after each axis."""
    shape, widths = _source(converter, op).shape, converter.constant(op.inputs[1])
    if widths.shape != (len(shape), 2) or widths.min(initial=0) < 0:
        raise ModelError(f"{op.title} has paddings of shape {widths.shape} for an input of shape {shape}")
    return widths


def mirror_pad(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """MIRROR_PAD: the input mirrored at its first and last elements, which SYMMETRIC repeats."""
    mode = "reflect" if op.options.Mode() == tflite.MirrorPadMode.REFLECT else "symmetric"
    widths = _widths(converter, op).tolist()
    try:
        return padded(converter.bb, converter.operand(op.inputs[0]), widths, mode)
    except UnsupportedError as error:
        raise ModelError(f"{op.title}: {error}") from error


def _cut(value: relax.Expr, axis: int, begin: int, length: int = 1) -> relax.Expr:
    return relax.op.strided_slice(value, [axis], [begin], [begin + length])


def transpose(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """TRANSPOSE by a constant permutation."""
    axes = [
        axis_of(op, axis, len(_source(converter, op).shape))
        for axis in converter.constant(op.inputs[1]).tolist()
    ]
    return relax.op.permute_dims(converter.operand(op.inputs[0]), axes)


def split(converter: BaseConverter, op: FileOperator) -> list[relax.Expr]:
    """SPLIT(axis, x) into equal parts, SPLIT_V(x, sizes, axis), where one size may be -1."""
    position, where = (op.inputs[1], 0) if op.kind == "SPLIT" else (op.inputs[0], 2)
    source = converter.file.tensors[position]
    axis = axis_of(op, int(converter.constant(op.inputs[where]).item()), len(source.shape))
    size = source.shape[axis]
    if op.kind == "SPLIT":
        lengths = [size // len(op.outputs)] * len(op.outputs)
    else:
        lengths = converter.constant(op.inputs[1]).reshape(-1).tolist()
        if lengths.count(-1) == 1:
            lengths[lengths.index(-1)] = size - sum(lengths) - 1
    if min(lengths) < 0 or sum(lengths) != size:
        raise ModelError(f"{op.title} cuts {size} elements into parts of {lengths}")
    ends = np.cumsum(lengths).tolist()
    value = converter.operand(position)
    return [_cut(value, axis, end - length, length) for length, end in zip(lengths, ends, strict=True)]


def unpack(converter: BaseConverter, op: FileOperator) -> list[relax.Expr]:
    """UNPACK: one slice for each output, without the axis."""
    source = _source(converter, op)
    axis = axis_of(op, int(op.options.Axis()), len(source.shape))
    if len(op.outputs) != source.shape[axis]:
        raise ModelError(f"{op.title} unpacks {source.shape[axis]} elements into {len(op.outputs)}")
    shape = source.shape[:axis] + source.shape[axis + 1 :]
    value = converter.operand(source.index)
    parts = [converter.bb.emit(_cut(value, axis, begin)) for begin in range(source.shape[axis])]
    return [relax.op.reshape(part, shape) for part in parts]


def slices(converter: BaseConverter, op: FileOperator) -> relax.Expr | np.ndarray:
    """STRIDED_SLICE with its masks, and SLICE."""
    source = _source(converter, op)
    cuts = _strided(converter, op, source) if op.kind == "STRIDED_SLICE" else _plain(converter, op, source)
    removed = int(op.options.ShrinkAxisMask()) if op.kind == "STRIDED_SLICE" else 0
    lengths = [len(range(*bounds)) for bounds in cuts]
    shape = tuple(length for axis, length in enumerate(lengths) if not removed & 1 << axis)
    # An end before the axis is one that counts from the end, and beyond.
    ends = [end if end >= 0 else end - size for (_, end, _), size in zip(cuts, source.shape, strict=True)]
    begins, strides = ([bounds[part] for bounds in cuts] for part in (0, 2))
    if source.index in converter.constants:
        return converter.constants[source.index][tuple(map(slice, begins, ends, strides))].reshape(shape)
    value = converter.bb.emit(
        relax.op.strided_slice(converter.operand(source.index), list(range(len(cuts))), begins, ends, strides)
    )
    return value if tvm_adapter.shape_of(value) == shape else relax.op.reshape(value, shape)


def _plain(converter: BaseConverter, op: FileOperator, source: FileTensor) -> list[tuple[int, int, int]]:
    begins, sizes = (converter.constant(index).reshape(-1).tolist() for index in op.inputs[1:3])
    cuts = []
    for begin, size, total in zip(begins, sizes, source.shape, strict=True):
        end = total if size == -1 else begin + size
        if not 0 <= begin <= end <= total:
            raise ModelError(f"{op.title} takes {size} elements from {begin} on of {total}")
        cuts.append((begin, end, 1))
    return cuts


def _strided(converter: BaseConverter, op: FileOperator, source: FileTensor) -> list[tuple[int, int, int]]:
    """(begin, end, stride) of each axis, masks applied, all within the axis, or -1 for the end before it."""
    options = op.options
    given = [converter.constant(index).reshape(-1).tolist() for index in op.inputs[1:4]]
    if any(len(part) != len(source.shape) for part in given):
        raise UnsupportedError(f"{op.title} slices {len(given[0])} of {len(source.shape)} axes")
    cuts = []
    for axis, (size, begin, end, stride) in enumerate(zip(source.shape, *given, strict=True)):
        bit = 1 << axis
        if not stride:
            raise ModelError(f"{op.title} has a stride of 0")
        if stride < 0 and options.Offset():  # TFLite reads beyond its input then
            raise UnsupportedError(f"{op.title} has the stride {stride} and Offset, which is not supported")
        if options.ShrinkAxisMask() & bit:
            first = axis_of(op, begin, size)
            cuts.append((first, first + 1, 1))
            continue
        start = None if options.BeginMask() & bit else begin
        first, last, _ = slice(start, None, stride).indices(size)
        if not options.EndMask() & bit:
            wanted = slice(None, end, stride).indices(size)[1]
            last = min(first + end, size) if options.Offset() else wanted
        cuts.append((first, last, stride))
    return cuts


def tile(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """TILE by constant multiples."""
    multiples = converter.constant(op.inputs[1]).reshape(-1).tolist()
    if len(multiples) != len(_source(converter, op).shape) or min(multiples) < 1:
        raise ModelError(f"{op.title} has the multiples {multiples}")
    return _repeated(converter, op, converter.operand(op.inputs[0]), multiples)


def broadcast(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """BROADCAST_TO a constant shape."""
    shape, wanted = _source(converter, op).shape, converter.constant(op.inputs[1]).reshape(-1).tolist()
    aligned = (1,) * (len(wanted) - len(shape)) + shape
    pairs = list(zip(aligned, wanted, strict=False))
    if len(aligned) != len(wanted) or any(size not in (1, other) for size, other in pairs):
        raise ModelError(f"{op.title} cannot broadcast the shape {shape} to {wanted}")
    value = converter.bb.emit(relax.op.reshape(converter.operand(op.inputs[0]), aligned))
    return _repeated(converter, op, value, [other // size for size, other in pairs])


def _repeated(
    converter: BaseConverter, op: FileOperator, value: relax.Expr, multiples: list[int]
) -> relax.Expr:
    for axis, multiple in enumerate(multiples):
        if multiple > MAX_COPIES:
            raise UnsupportedError(f"{op.title} makes {multiple} copies, at most {MAX_COPIES} are supported")
        if multiple > 1:
            value = converter.bb.emit(relax.op.concat([value] * multiple, axis))
    return value


def resize_nearest(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """RESIZE_NEAREST_NEIGHBOR on the integers: floor of the scaled position, or rounded where centred."""
    corners, half = bool(op.options.AlignCorners()), bool(op.options.HalfPixelCenters())
    return relax.op.image.resize2d(
        converter.operand(op.inputs[0]),
        relax.ShapeExpr(converter.constant(op.inputs[1]).tolist()),
        layout="NHWC",
        method="nearest_neighbor",
        coordinate_transformation_mode="align_corners" if corners else "half_pixel" if half else "asymmetric",
        rounding_method="round_prefer_ceil" if corners or half else "floor",
    )
