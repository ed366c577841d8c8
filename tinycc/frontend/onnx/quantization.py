"""QuantizeLinear and DequantizeLinear; TVM's importer keeps ONNX's shapes of scales and zero points."""

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.base import Convert, Node

QUANTIZED = ("int8", "uint8", "int16")
# The least number that is positive.
_LEAST_SCALE = float(np.finfo(np.float32).smallest_subnormal)


def _constants(node: Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Scale and zero point of one number, or of one for each index of an axis; None where they are others.

    UnsupportedError for numbers that are none of a quantization.
    """
    scale, zero_point = node.inputs[1:3]
    if node.attributes.get("block_size") and len(tvm_adapter.shape_of(scale)) != len(node.source_shape):
        raise UnsupportedError("block_size beside scales that are not of blocks is not supported")
    if not (tvm_adapter.is_constant(scale) and tvm_adapter.is_constant(zero_point)):
        return None
    scale, zero_point = tvm_adapter.constant_value(scale), tvm_adapter.constant_value(zero_point)
    least = 0 if tvm_adapter.is_constant(node.source) else _LEAST_SCALE
    if scale.dtype != np.float32 or not (np.isfinite(scale).all() and (scale >= least).all()):
        raise UnsupportedError("the scale of a quantization must be a positive float32 number")
    if zero_point.size not in (1, scale.size):
        raise UnsupportedError(f"{zero_point.size} zero points for {scale.size} scales are not supported")
    if scale.ndim > 1:
        return None
    if scale.size > 1:
        axis = node.axis(1)
        if scale.size != node.source_shape[axis]:
            size = node.source_shape[axis]
            raise UnsupportedError(
                f"{scale.size} scales for the {size} indices of axis {axis} are not supported"
            )
    if scale.size == 1 or ((scale == scale.flat[0]).all() and (zero_point == zero_point.flat[0]).all()):
        scale, zero_point = scale.flat[0].reshape(()), zero_point.flat[0].reshape(())
    return scale, np.broadcast_to(zero_point, scale.shape).astype(np.int32)


def _spread(node: Node, expr: relax.Expr) -> relax.Expr:
    """A scale or zero point as float32 that broadcasts to the tensor; that of a block is repeated."""
    shape, rank = tvm_adapter.shape_of(expr), len(node.source_shape)
    expr = node.emit(relax.op.astype(expr, "float32"))
    if np.prod(shape) == 1:
        return node.emit(relax.op.reshape(expr, ()))
    axis, block = node.axis(1), int(node.attributes.get("block_size", 0))
    size = node.source_shape[axis]
    if len(shape) == 1 and not block:
        return node.emit(relax.op.reshape(expr, [-1 if index == axis else 1 for index in range(rank)]))
    wanted = list(node.source_shape)
    wanted[axis] = -(-size // block) if block else 0
    if list(shape) != wanted:
        raise UnsupportedError(f"scales of shape {list(shape)} for blocks of {block} are not supported")
    repeated = node.emit(relax.op.repeat(expr, block, axis))
    return node.emit(relax.op.strided_slice(repeated, [axis], [0], [size]))


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
    """Relax's own, of one constant scale; else the arithmetic that defines it."""
    dtype, constants = tvm_adapter.dtype_of(node.inputs[2]), _constants(node)
    if constants is not None and not constants[0].ndim and dtype in QUANTIZED and node.dtype == "float32":
        return relax.op.quantize(node.source, *map(tvm_adapter.make_constant, constants), out_dtype=dtype)
    limits = np.iinfo(dtype)
    scale, zero_point = (_spread(node, expr) for expr in node.inputs[1:3])
    real = node.emit(relax.op.astype(node.source, "float32"))
    steps = node.emit(relax.op.round(node.emit(relax.op.divide(real, scale))))
    shifted = node.emit(relax.op.add(steps, zero_point))
    return relax.op.astype(node.emit(relax.op.clip(shifted, int(limits.min), int(limits.max))), dtype)


def _dequantize(node: Node) -> relax.Expr:
    """Alike; constants keep a scale for each index of an axis, as weights have them."""
    constants, is_constant = _constants(node), tvm_adapter.is_constant(node.source)
    is_weight = (is_constant and node.dtype == "int32") or node.dtype in QUANTIZED
    if constants is not None and is_weight and (is_constant or not constants[0].ndim):
        (scale, zero_point), source = constants, node.source
        if node.dtype == "int32" and zero_point.any():
            raise UnsupportedError("int32 with a zero point is not supported")
        axis = node.axis(1) if scale.ndim else 0
        if not scale.all():
            stored, scale = _without_zero_scales(tvm_adapter.constant_value(source), scale, zero_point, axis)
            source = tvm_adapter.make_constant(stored)
        return relax.op.dequantize(source, *map(tvm_adapter.make_constant, (scale, zero_point)), axis=axis)
    scale, zero_point = (_spread(node, expr) for expr in node.inputs[1:3])
    real = node.emit(relax.op.astype(node.source, "float32"))
    return relax.op.multiply(node.emit(relax.op.subtract(real, zero_point)), scale)


CONVERTERS: dict[str, Convert] = {
    "DequantizeLinear": _dequantize,
    "QuantizeLinear": _quantize,
}
