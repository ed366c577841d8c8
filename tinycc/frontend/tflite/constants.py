"""TFLite operators on constants alone, computed at import: what converters leave of the arithmetic of shapes.

They are on plain integers; operators that move elements fold constants themselves.
"""

from collections.abc import Callable

import numpy as np

from tinycc.frontend.tflite.base import BaseConverter, Converted, Handler
from tinycc.frontend.tflite.file import FileOperator


def _filled(shape: np.ndarray, value: np.ndarray) -> np.ndarray:
    return np.full(tuple(shape.tolist()), value.item(), value.dtype)


def _range(*bounds: np.ndarray) -> np.ndarray:
    start, limit, step = bounds
    return np.arange(start.item(), limit.item(), step.item(), dtype=start.dtype)


def only_constants(function: Callable[..., np.ndarray]) -> Handler:
    """A function of arrays; UnsupportedError where an operand is computed."""

    def convert(converter: BaseConverter, op: FileOperator) -> np.ndarray:
        return np.asarray(function(*map(converter.constant, op.inputs)))

    return convert


def or_constants(function: Callable[..., np.ndarray], otherwise: Handler) -> Handler:
    """A function of arrays where all operands are constants that are not quantized."""

    def convert(converter: BaseConverter, op: FileOperator) -> Converted:
        tensors = [converter.file.tensors[index] for index in op.inputs]
        if all(tensor.index in converter.constants and not tensor.is_quantized for tensor in tensors):
            return np.asarray(function(*(converter.constants[index] for index in op.inputs)))
        return otherwise(converter, op)

    return convert


def product(converter: BaseConverter, op: FileOperator) -> np.ndarray:
    """REDUCE_PROD, as of the sizes of a shape."""
    value, axes = map(converter.constant, op.inputs)
    keep = bool(op.options.KeepDims()) if op.options is not None else False
    along = tuple(axes.reshape(-1).tolist())
    return np.asarray(np.prod(value, axis=along, dtype=value.dtype, keepdims=keep))


def rank(converter: BaseConverter, op: FileOperator) -> np.ndarray:
    """RANK: a constant, as all shapes are static."""
    return np.array(len(converter.file.tensors[op.inputs[0]].shape), np.int32)


def zeros_like(converter: BaseConverter, op: FileOperator) -> np.ndarray:
    """ZEROS_LIKE: a constant, as all shapes are static."""
    tensor = converter.file.tensors[op.inputs[0]]
    return np.zeros(tensor.shape, tensor.dtype)


def broadcast_shape(*shapes: np.ndarray) -> np.ndarray:
    """BROADCAST_ARGS of constant shapes."""
    return np.array(np.broadcast_shapes(*(tuple(shape.tolist()) for shape in shapes)), shapes[0].dtype)


filled = only_constants(_filled)
span = only_constants(_range)
