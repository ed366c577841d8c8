"""TFLite operators that choose elements by index, on the integers themselves.

Indices that a model computes are clamped to the axis, so that nothing outside of the tensor is read.
"""

import math

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import ModelError
from tinycc.frontend.tflite.base import BaseConverter, axis_of
from tinycc.frontend.tflite.file import FileOperator


def gather(converter: BaseConverter, op: FileOperator) -> relax.Expr | np.ndarray:
    """GATHER along one axis."""
    source, indices = (converter.file.tensors[index] for index in op.inputs)
    axis = axis_of(op, int(op.options.Axis()), len(source.shape))
    chosen = converter.constants.get(indices.index)
    if chosen is None:
        return _taken(converter.operand(source.index), converter.operand(indices.index), axis)
    _check_inside(op, chosen, source.shape[axis])
    if source.index in converter.constants:
        return np.take(converter.constants[source.index], chosen, axis)
    return _taken(converter.operand(source.index), _constant(chosen), axis)


def embedding(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """EMBEDDING_LOOKUP(indices, rows), whose rows may become real numbers."""
    rows, output = converter.file.tensors[op.inputs[1]], converter.file.tensors[op.outputs[0]]
    stored = _taken(converter.operand(rows.index), converter.operand(op.inputs[0]), 0)
    if output.dtype == rows.dtype:
        return stored
    return converter.dequantized(converter.bb.emit(stored), rows)


def gather_elements(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """GATHER_ND by constant indices [..., k] of the first k axes."""
    shape, indices = converter.file.tensors[op.inputs[0]].shape, converter.constant(op.inputs[1])
    count = indices.shape[-1] if indices.ndim else 0
    if not 0 < count <= len(shape):
        raise ModelError(f"{op.title} has indices of shape {indices.shape} for an input of shape {shape}")
    _check_inside(op, indices, np.array(shape[:count]))
    rows = np.ravel_multi_index(tuple(np.moveaxis(indices, -1, 0)), shape[:count])
    flat = relax.op.reshape(converter.operand(op.inputs[0]), [math.prod(shape[:count]), *shape[count:]])
    chosen = _taken(converter.bb.emit(flat), _constant(rows.reshape(-1)), 0)
    return relax.op.reshape(converter.bb.emit(chosen), [*indices.shape[:-1], *shape[count:]])


def reverse(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """REVERSE_V2 along one constant axis."""
    shape = converter.file.tensors[op.inputs[0]].shape
    axis = axis_of(op, int(converter.constant(op.inputs[1]).item()), len(shape))
    return _taken(converter.operand(op.inputs[0]), _constant(np.arange(shape[axis])[::-1]), axis)


def _check_inside(op: FileOperator, indices: np.ndarray, sizes: int | np.ndarray) -> None:
    """ModelError for an index outside of an axis. sizes: of the axis, or of the axis of each last index."""
    if np.any(indices < 0) or np.any(indices >= sizes):
        raise ModelError(f"{op.title} takes elements beyond the {sizes} of its input")


def _constant(indices: np.ndarray) -> relax.Expr:
    return tvm_adapter.make_constant(indices.astype(np.int32))


def _taken(value: relax.Expr, indices: relax.Expr, axis: int) -> relax.Expr:
    return relax.op.take(value, indices, axis, mode="clip")
