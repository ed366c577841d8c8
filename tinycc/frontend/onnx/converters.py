"""ONNX operators as Relax expressions, where TVM's importer refuses or misreads them or makes much of them.

Its Clip, Pad and Tile become calls of TIR functions, its Split a tuple, its Max a stack that is reduced; its
quantization keeps ONNX's shapes. Shapes, padding and zero points are written out before (`explicit`).
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import helper
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.padding import padded


@dataclass(frozen=True)
class Node:
    """An ONNX node whose inputs are converted; None is an input that is left out.

    shape: of the first result, as ONNX infers it.
    """

    builder: relax.BlockBuilder
    kind: str
    inputs: tuple[relax.Expr | None, ...]
    attributes: Mapping[str, Any]
    results: int
    shape: tuple[int, ...]

    @property
    def source(self) -> relax.Expr:
        """The first input."""
        return self.inputs[0]

    @property
    def source_shape(self) -> tuple[int, ...]:
        """The shape of the first input."""
        return tvm_adapter.shape_of(self.source)

    @property
    def dtype(self) -> str:
        """The element type of the first input."""
        return tvm_adapter.dtype_of(self.source)

    def get(self, index: int) -> relax.Expr | None:
        """An input, None where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int) -> np.ndarray | None:
        """The value of a parameter, None where it is left out."""
        expr = self.get(index)
        return None if expr is None else tvm_adapter.constant_value(expr)

    def emit(self, expr: relax.Expr) -> relax.Expr:
        """`expr` bound to a variable, so that its type is known."""
        return self.builder.emit(expr)

    def axis(self, default: int) -> int:
        """The attribute `axis`, counted from the front; UnsupportedError where there is no such."""
        return self.axes([int(self.attributes.get("axis", default))])[0]

    def axes(self, axes: Any) -> list[int]:
        """Axes of the first input, counted from the front."""
        rank = len(self.source_shape)
        for axis in axes:
            if not -rank <= axis < rank:
                raise UnsupportedError(f"axis {axis} is none of the {rank} of the tensor")
        return [int(axis) % rank for axis in axes]


Convert = Callable[[Node], relax.Expr]

# The least number that is positive.
_LEAST_SCALE = float(np.finfo(np.float32).smallest_subnormal)


def _quantization(node: Node, least: float = _LEAST_SCALE) -> tuple[np.ndarray, np.ndarray, int]:
    """Scale (float32) and zero point (int32), scalars or one for each index of the axis, and the axis.

    least: that a scale may be.
    """
    scale, zero_point = node.constant(1), node.constant(2)
    assert scale is not None and zero_point is not None
    if scale.ndim > 1:
        raise UnsupportedError("blocked quantization is not supported")
    if scale.dtype != np.float32 or not (np.isfinite(scale).all() and (scale >= least).all()):
        raise UnsupportedError("the scale of a quantization must be a positive float32 number")
    if zero_point.size not in (1, scale.size):
        raise UnsupportedError(f"{zero_point.size} zero points for {scale.size} scales are not supported")
    axis = 0
    if scale.size > 1:
        axis = node.axis(1)
        if scale.size != node.source_shape[axis]:
            size = node.source_shape[axis]
            raise UnsupportedError(
                f"{scale.size} scales for the {size} indices of axis {axis} are not supported"
            )
    if scale.size == 1 or ((scale == scale.flat[0]).all() and (zero_point == zero_point.flat[0]).all()):
        scale, zero_point = scale.flat[0].reshape(()), zero_point.flat[0].reshape(())
    return scale, np.broadcast_to(zero_point, scale.shape).astype(np.int32), axis


def _without_zero_scales(
    stored: np.ndarray, scale: np.ndarray, zero_point: np.ndarray, axis: int
) -> tuple[np.ndarray, np.ndarray]:
    """Integers and scales of the same real numbers where no scale is 0.

    Quantizers give a channel without weights the scale 0. Whatever its integers are they stand for 0, on any
    scale: it gets the least of the others.
    """
    shape = [-1 if index == axis else 1 for index in range(stored.ndim)] if scale.ndim else [1] * stored.ndim
    is_zero = scale == 0
    integers = np.where(is_zero.reshape(shape), zero_point.reshape(shape), stored)
    least = np.min(scale[~is_zero], initial=np.float32(1))
    return integers.astype(stored.dtype), np.where(is_zero, least, scale).astype(np.float32)


def _quantize(node: Node) -> relax.Expr:
    dtype = tvm_adapter.dtype_of(node.inputs[2])
    if dtype not in ("int8", "int16") or node.dtype != "float32":
        raise UnsupportedError(f"quantization of {node.dtype} to {dtype} is not supported")
    scale, zero_point, axis = _quantization(node)
    if scale.ndim:
        raise UnsupportedError("activations with a scale for each channel are not supported")
    constants = map(tvm_adapter.make_constant, (scale, zero_point))
    return relax.op.quantize(node.source, *constants, axis=axis, out_dtype=dtype)


def _dequantize(node: Node) -> relax.Expr:
    if node.dtype not in ("int8", "int16", "int32"):
        raise UnsupportedError(f"dequantization of {node.dtype} is not supported")
    source, is_constant = node.source, tvm_adapter.is_constant(node.source)
    scale, zero_point, axis = _quantization(node, least=0 if is_constant else _LEAST_SCALE)
    if node.dtype == "int32" and zero_point.any():
        raise UnsupportedError("int32 with a zero point is not supported")
    if scale.ndim and not is_constant:
        raise UnsupportedError("activations with a scale for each channel are not supported")
    if not scale.all():
        stored, scale = _without_zero_scales(tvm_adapter.constant_value(source), scale, zero_point, axis)
        source = tvm_adapter.make_constant(stored)
    return relax.op.dequantize(source, *map(tvm_adapter.make_constant, (scale, zero_point)), axis=axis)


def _clip(node: Node) -> relax.Expr:
    limits = np.iinfo(node.dtype) if "int" in node.dtype else np.finfo(np.float32)
    unbounded = (limits.min, limits.max) if "int" in node.dtype else (-np.inf, np.inf)
    given = (node.constant(1), node.constant(2))
    low, high = (
        default if bound is None else bound.reshape(-1)[0].item()
        for bound, default in zip(given, unbounded, strict=True)
    )
    if not low <= high:
        raise UnsupportedError(f"the bounds {low:g} and {high:g} are not supported, as no number is between")
    return relax.op.clip(node.source, low, high)


def _relu(node: Node) -> relax.Expr:
    """Of integers, too, since opset 14."""
    if "int" in node.dtype:
        return relax.op.clip(node.source, 0, np.iinfo(node.dtype).max)
    return relax.op.nn.relu(node.source)


PADDING_MODES = {b"reflect": "reflect", b"edge": "replicate", b"wrap": "circular"}


def _pad(node: Node) -> relax.Expr:
    """With a constant, or with the tensor's own elements."""
    pads, value, axes = (node.constant(index) for index in (1, 2, 3))
    assert pads is not None
    rank = len(node.source_shape)
    chosen = node.axes(range(rank) if axes is None else axes.reshape(-1))
    widths = np.zeros((rank, 2), np.int64)
    widths[chosen] = pads.reshape(2, -1).T
    if (widths < 0).any() or len(set(chosen)) != len(chosen):
        raise UnsupportedError(f"pads {pads.tolist()} are not supported, only numbers from 0, an axis once")
    mode = node.attributes.get("mode", b"constant")
    if mode != b"constant":
        return padded(node.builder, node.source, widths.tolist(), PADDING_MODES[mode])
    number = 0 if value is None or value.size == 0 else value.reshape(-1)[0].item()
    return relax.op.nn.pad(node.source, widths.reshape(-1).tolist(), "constant", number)


def _sliced(node: Node, source: relax.Expr, axis: int, positions: range) -> relax.Expr:
    """The indices `positions` of an axis, which are in bounds."""
    end = positions.stop
    if end < 0:  # before the first, where -1 would be the last
        end -= tvm_adapter.shape_of(source)[axis]
    return node.emit(relax.op.strided_slice(source, [axis], [positions.start], [end], [positions.step]))


def _slice(node: Node) -> relax.Expr:
    """Starts and ends beyond the tensor are at its edge, as in Python."""
    starts, ends, axes, steps = (node.constant(index) for index in (1, 2, 3, 4))
    assert starts is not None and ends is not None
    chosen = node.axes(range(starts.size) if axes is None else axes)
    result = node.source
    for index, axis in enumerate(chosen):
        step = 1 if steps is None else int(steps[index])
        bounds = slice(int(starts[index]), int(ends[index]), step)
        positions = range(*bounds.indices(node.source_shape[axis]))
        if len(positions) != node.source_shape[axis] or step < 0:
            result = _sliced(node, result, axis, positions)
    return result


def _split(node: Node) -> relax.Expr:
    """One slice for each part."""
    axis = node.axis(0)
    size = node.source_shape[axis]
    given = node.constant(1)
    sizes = node.attributes.get("split") if given is None else given.tolist()
    if sizes is None:
        part = -(-size // node.results)
        sizes = [min(part, size - index * part) for index in range(node.results)]
    if len(sizes) != node.results or sum(sizes) != size or min(sizes) < 1:
        raise UnsupportedError(f"{size} in {node.results} parts of {list(sizes)} is not supported")
    ends = np.cumsum(np.asarray(sizes)).tolist()
    slices = [
        _sliced(node, node.source, axis, range(begin, end))
        for begin, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    return slices[0] if len(slices) == 1 else relax.Tuple(slices)


def _gather(node: Node) -> relax.Expr:
    """Indices at equal distances are a slice."""
    axis = node.axis(0)
    size = node.source_shape[axis]
    indices = node.constant(1)
    assert indices is not None
    if not indices.size or indices.min() < -size or indices.max() >= size:
        raise UnsupportedError(f"indices beyond the {size} of axis {axis} are not supported")
    wanted = (indices.reshape(-1).astype(np.int64) % size).tolist()
    step = wanted[1] - wanted[0] if len(wanted) > 1 else 1
    if step and wanted == list(range(wanted[0], wanted[0] + step * len(wanted), step)):
        taken = _sliced(node, node.source, axis, range(wanted[0], wanted[-1] + (1 if step > 0 else -1), step))
    else:
        taken = node.emit(relax.op.take(node.source, relax.const(wanted, "int64"), axis, mode="clip"))
    return taken if indices.ndim == 1 else relax.op.reshape(taken, node.shape)


def _expand(node: Node) -> relax.Expr:
    return relax.op.broadcast_to(node.source, node.shape)


def _tile(node: Node) -> relax.Expr:
    repeats = node.constant(1)
    assert repeats is not None
    return relax.op.tile(node.source, repeats.tolist())


def _resize(node: Node) -> relax.Expr:
    """Over rows and columns, or columns only."""
    mode = node.attributes.get("mode", b"nearest")
    coordinates = node.attributes.get("coordinate_transformation_mode", b"half_pixel")
    rounding = node.attributes.get("nearest_mode", b"round_prefer_floor") if mode == b"nearest" else b""
    columns_only = len(node.shape) == 3
    source = node.emit(relax.op.expand_dims(node.source, 2)) if columns_only else node.source
    resized = relax.op.image.resize2d(
        source,
        (1, node.shape[2]) if columns_only else node.shape[2:],
        layout="NCHW",
        method="nearest_neighbor" if mode == b"nearest" else "linear",
        coordinate_transformation_mode=coordinates.decode(),
        rounding_method=rounding.decode(),
    )
    return relax.op.squeeze(node.emit(resized), [2]) if columns_only else resized


def _folded(combine: Callable[[relax.Expr, relax.Expr], relax.Expr]) -> Convert:
    """An operator of any number of tensors, by twos."""
    return lambda node: functools.reduce(lambda a, b: node.emit(combine(a, b)), node.inputs)


def _mean(node: Node) -> relax.Expr:
    total = _folded(relax.op.add)(node)
    count = len(node.inputs)
    return total if count == 1 else relax.op.multiply(total, relax.const(np.float32(1 / count)))


def _reduction(reduce: Callable[..., relax.Expr]) -> Convert:
    """Axes are an attribute or an input, as the opset has it."""

    def convert(node: Node) -> relax.Expr:
        given = node.constant(1)
        axes = node.attributes.get("axes", ()) if given is None else given.tolist()
        if not axes and node.attributes.get("noop_with_empty_axes"):
            return node.source
        axes = node.axes(axes or range(len(node.source_shape)))
        if len(set(axes)) != len(axes):
            raise UnsupportedError(f"the axes {axes} are not supported, only one after the other")
        return reduce(node.source, axes, keepdims=bool(node.attributes.get("keepdims", 1)))

    return convert


def _arg(reduce: Callable[..., relax.Expr]) -> Convert:
    """The first index of the extremum, or the last."""

    def convert(node: Node) -> relax.Expr:
        axis, keepdims = node.axis(0), bool(node.attributes.get("keepdims", 1))
        if not node.attributes.get("select_last_index"):
            return reduce(node.source, axis, keepdims)
        last = node.source_shape[axis] - 1
        index = node.emit(reduce(node.emit(relax.op.flip(node.source, axis)), axis, keepdims))
        return relax.op.subtract(relax.const(last, "int64"), index)

    return convert


def _gemm(node: Node) -> relax.Expr:
    """The sum alpha * A B + beta * C."""
    a, b, bias = node.inputs[0], node.inputs[1], node.get(2)
    if node.attributes.get("transA"):
        a = node.emit(relax.op.permute_dims(a, [1, 0]))
    if node.attributes.get("transB"):
        b = node.emit(relax.op.permute_dims(b, [1, 0]))
    product = relax.op.matmul(a, b)
    for name, value in (("alpha", product), ("beta", bias)):
        factor = np.float32(node.attributes.get(name, 1.0))
        if value is not None and factor != 1:
            value = relax.op.multiply(node.emit(value), relax.const(factor))
        product, bias = (value, bias) if name == "alpha" else (product, value)
    return product if bias is None else relax.op.add(node.emit(product), node.emit(bias))


def _prelu(node: Node) -> relax.Expr:
    """One slope, or one for each index of an axis; those that are dequantized stay integers."""
    slopes: Any = node.inputs[1]
    rank = len(node.source_shape)
    shape = tvm_adapter.shape_of(slopes)
    wide = [axis for axis, size in enumerate(shape, rank - len(shape)) if size != 1]
    if len(wide) > 1 or len(shape) > rank:
        raise UnsupportedError(f"slopes of shape {list(shape)} are not supported, only one for each channel")
    if tvm_adapter.is_constant(slopes):
        slopes = _flat(slopes)
    elif tvm_adapter.op_name(slopes) == "relax.dequantize" and tvm_adapter.is_constant(slopes.args[0]):
        slopes = relax.op.dequantize(_flat(slopes.args[0]), *slopes.args[1:3], axis=0)
    elif len(shape) != 1:
        raise UnsupportedError("slopes that are computed are not supported")
    return relax.op.nn.prelu(node.source, slopes, wide[0] if wide else rank - 1)


def _flat(constant: relax.Expr) -> relax.Expr:
    return tvm_adapter.make_constant(tvm_adapter.constant_value(constant).reshape(-1))


def _power(node: Node) -> relax.Expr:
    """The exponent may be of another type."""
    exponent = node.inputs[1]
    if tvm_adapter.dtype_of(exponent) != node.dtype:
        exponent = node.emit(relax.op.astype(exponent, node.dtype))
    if tvm_adapter.is_constant(node.inputs[1]):
        exponent = tvm_adapter.make_constant(tvm_adapter.constant_value(node.inputs[1]).astype(node.dtype))
    return relax.op.power(node.source, exponent)


def _cast(node: Node) -> relax.Expr:
    """From integers to wider ones or to float32: what loses nothing."""
    wanted = str(helper.tensor_dtype_to_np_dtype(node.attributes["to"]))
    if not np.can_cast(node.dtype, wanted) and (node.dtype, wanted) not in LOSSLESS_IN_PRACTICE:
        raise UnsupportedError(f"a cast of {node.dtype} to {wanted} is not supported")
    return node.source if wanted == node.dtype else relax.op.astype(node.source, wanted)


# Indices, as ArgMax computes them.
LOSSLESS_IN_PRACTICE = (("int64", "int32"), ("int64", "float32"), ("int32", "float32"))


def _number(value: float) -> relax.Expr:
    return relax.const(np.float32(value))


def _above(x: relax.Expr, bound: float) -> relax.Expr:
    """1 where x is above a bound, 0 elsewhere."""
    return relax.op.maximum(relax.op.sign(relax.op.subtract(x, _number(bound))), _number(0))


def _exponential(alpha: float, gamma: float = 1.0) -> Convert:
    """Elu, Celu and Selu: gamma * (max(x, 0) + alpha * (exp(min(x, 0) / scale) - 1)), scale 1 or alpha.

    By single operators of x, so that it is a function of one tensor to all that follows.
    """

    def convert(node: Node) -> relax.Expr:
        given, factor = node.attributes.get("alpha", alpha), node.attributes.get("gamma", gamma)
        below = relax.op.minimum(node.source, _number(0))
        if node.kind == "Celu":
            below = relax.op.divide(below, _number(given))
        fallen = relax.op.multiply(relax.op.subtract(relax.op.exp(below), _number(1)), _number(given))
        result = relax.op.add(relax.op.maximum(node.source, _number(0)), fallen)
        return result if node.kind != "Selu" else relax.op.multiply(result, _number(factor))

    return convert


def _thresholded_relu(node: Node) -> relax.Expr:
    """X where it is above alpha, 0 elsewhere."""
    return relax.op.multiply(node.source, _above(node.source, node.attributes.get("alpha", 1.0)))


def _shrink(node: Node) -> relax.Expr:
    """X - bias above lambd, x + bias below -lambd, 0 between."""
    bias, bound = node.attributes.get("bias", 0.0), node.attributes.get("lambd", 0.5)
    above = relax.op.multiply(relax.op.subtract(node.source, _number(bias)), _above(node.source, bound))
    is_below = _above(relax.op.negative(node.source), bound)
    return relax.op.add(above, relax.op.multiply(relax.op.add(node.source, _number(bias)), is_below))


def _swish(default: float) -> Convert:
    """The product x * sigmoid(alpha * x)."""

    def convert(node: Node) -> relax.Expr:
        alpha = np.float32(node.attributes.get("alpha", default))
        inner = node.source if alpha == 1 else relax.op.multiply(node.source, relax.const(alpha))
        return relax.op.multiply(node.source, relax.op.sigmoid(inner))

    return convert


def _gelu(node: Node) -> relax.Expr:
    is_tanh = node.attributes.get("approximate", b"none") == b"tanh"
    return relax.op.nn.gelu_tanh(node.source) if is_tanh else relax.op.nn.gelu(node.source)


CONVERTERS: dict[str, Convert] = {
    "ArgMax": _arg(relax.op.argmax),
    "ArgMin": _arg(relax.op.argmin),
    "Cast": _cast,
    "Celu": _exponential(1.0),
    "Clip": _clip,
    "DequantizeLinear": _dequantize,
    "Elu": _exponential(1.0),
    "Expand": _expand,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Max": _folded(relax.op.maximum),
    "Mean": _mean,
    "Min": _folded(relax.op.minimum),
    "PRelu": _prelu,
    "Pad": _pad,
    "Pow": _power,
    "QuantizeLinear": _quantize,
    "QuickGelu": _swish(1.702),
    "ReduceMax": _reduction(relax.op.max),
    "ReduceMean": _reduction(relax.op.mean),
    "ReduceMin": _reduction(relax.op.min),
    "ReduceSum": _reduction(relax.op.sum),
    "Relu": _relu,
    "Resize": _resize,
    "Selu": _exponential(1.67326319217681884765625, 1.05070102214813232421875),
    "Shrink": _shrink,
    "Slice": _slice,
    "Split": _split,
    "Sum": _folded(relax.op.add),
    "Swish": _swish(1.0),
    "ThresholdedRelu": _thresholded_relu,
    "Tile": _tile,
}
