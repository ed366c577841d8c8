"""The numbers that constant expressions stand for: dequantized integers, moved and scaled."""

from collections.abc import Callable

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.passes.dataflow_rewriter import DataflowRewriter

_ARITHMETIC: dict[str, Callable[..., np.ndarray]] = {
    "relax.add": np.add,
    "relax.subtract": np.subtract,
    "relax.multiply": np.multiply,
    "relax.divide": np.divide,
}
_SHAPING = ("relax.reshape", "relax.squeeze", "relax.expand_dims")


def real_value(rewriter: DataflowRewriter, expr: relax.Expr) -> np.ndarray | None:
    """The real numbers of an expression of constants as float64; None where it depends on anything else."""
    if tvm_adapter.is_constant(expr):
        return tvm_adapter.constant_value(expr).astype(np.float64)
    call = rewriter.producer(expr)
    name = tvm_adapter.op_name(call)
    if name == "relax.dequantize":
        if not tvm_adapter.is_constant(call.args[0]):
            return None
        stored, scale, zero_point = dequantized_constant(call)
        return (stored.astype(np.float64) - zero_point) * scale.astype(np.float64)
    if name not in (*_ARITHMETIC, *_SHAPING, "relax.permute_dims", "relax.broadcast_to"):
        return None
    operands = [real_value(rewriter, operand) for operand in call.args[: 2 if name in _ARITHMETIC else 1]]
    values = [operand for operand in operands if operand is not None]
    if len(values) < len(operands):
        return None
    if name in _ARITHMETIC:
        return _ARITHMETIC[name](*values)
    if name == "relax.permute_dims":
        axes = call.attrs.axes
        return values[0].transpose(None if axes is None else [int(axis) for axis in axes])
    shape = tvm_adapter.shape_of(expr)
    return np.broadcast_to(values[0], shape) if name == "relax.broadcast_to" else values[0].reshape(shape)


def dequantized_constant(call: relax.Call) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integers, scales and zero points that a dequantize of a constant reads, shaped to be broadcast."""
    stored, scale, zero_point = (tvm_adapter.constant_value(argument) for argument in call.args[:3])
    shape = [1] * stored.ndim
    if stored.ndim:
        shape[int(call.attrs.axis) % stored.ndim] = -1
    return (
        stored,
        scale.reshape(shape if scale.ndim else ()),
        zero_point.reshape(shape if zero_point.ndim else ()),
    )
