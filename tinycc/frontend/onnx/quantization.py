"""QuantizeLinear and DequantizeLinear; TVM's importer keeps ONNX's shapes of scales and zero points."""

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.base import Convert, Node

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


CONVERTERS: dict[str, Convert] = {
    "DequantizeLinear": _dequantize,
    "QuantizeLinear": _quantize,
}
