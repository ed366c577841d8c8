"""Compute what depends on integer constants alone, leaving quantized weights quantized.

Before: permute_dims(weights: int8 constant), reshape(bias: int32 constant), ...
After:  one integer constant. Real constants, of which there are few, are moved likewise; what is computed of
        them element by element, as factors of a batch normalization are, is one constant, too.
Requires: nothing.

TVM's FoldConstant would also evaluate dequantize(weights), so that int8 weights became float32.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.lookup.view import numbers_of, tensor_operands
from tinycc.ops.lookup_table import OPERATORS
from tinycc.passes.dataflow_rewriter import DataflowRewriter

Evaluator = Callable[[relax.Call, list[np.ndarray]], np.ndarray]


def _permute_dims(call: relax.Call, operands: list[np.ndarray]) -> np.ndarray:
    axes = call.attrs.axes
    return operands[0].transpose(None if axes is None else [int(axis) for axis in axes])


def _concat(call: relax.Call, operands: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(operands, axis=int(call.attrs.axis))


def _astype(call: relax.Call, operands: list[np.ndarray]) -> np.ndarray:
    return operands[0].astype(str(call.attrs.dtype))


# Modes of relax.nn.pad other than by a constant, as numpy calls them.
NUMPY_MODES: dict[str, Any] = {"replicate": "edge", "reflect": "reflect", "circular": "wrap"}


def _pad(call: relax.Call, operands: list[np.ndarray]) -> np.ndarray:
    widths = np.array([int(width) for width in call.attrs.pad_width]).reshape(-1, 2)
    if call.attrs.pad_mode == "constant":
        value = operands[0].dtype.type(float(call.attrs.pad_value))
        return np.pad(operands[0], widths, constant_values=value)
    return np.pad(operands[0], widths, NUMPY_MODES[str(call.attrs.pad_mode)])


def _strided_slice(call: relax.Call, operands: list[np.ndarray]) -> np.ndarray:
    axes, begins, ends = (
        [int(getattr(field, "value", field)) for field in arg.fields] for arg in call.args[1:4]
    )
    strides = (
        [int(getattr(field, "value", field)) for field in call.args[4].fields]
        if len(call.args) > 4
        else [1] * len(axes)
    )
    slices = [slice(None)] * operands[0].ndim
    for axis, begin, end, stride in zip(axes, begins, ends, strides, strict=True):
        slices[axis] = slice(begin, end, stride)
    return operands[0][tuple(slices)]


def _take(call: relax.Call, operands: list[np.ndarray]) -> np.ndarray:
    if not tvm_adapter.is_constant(call.args[1]) or call.attrs.axis is None or call.attrs.mode != "clip":
        raise NotImplementedError
    indices = tvm_adapter.constant_value(call.args[1])
    return np.take(operands[0], indices, int(call.attrs.axis), mode="clip")


def _reshape(call: relax.Call, operands: list[np.ndarray]) -> np.ndarray:
    """reshape, expand_dims and squeeze: TVM has already worked out the shape."""
    return operands[0].reshape(tvm_adapter.shape_of(call))


def _elementwise(compute: Callable[..., np.ndarray]) -> Evaluator:
    return lambda call, operands: np.asarray(compute(*operands))


def _broadcast_to(call: relax.Call, operands: list[np.ndarray]) -> np.ndarray:
    return np.broadcast_to(operands[0], tvm_adapter.shape_of(call))


def _repeat(call: relax.Call, operands: list[np.ndarray]) -> np.ndarray:
    axis = call.attrs.axis
    return np.repeat(operands[0], int(call.attrs.repeats), None if axis is None else int(axis))


# Whose second operand, too, must be a constant.
_OF_TWO = {"relax.add": np.add, "relax.subtract": np.subtract, "relax.multiply": np.multiply}

EVALUATORS: dict[str, Evaluator] = {
    **{name: _elementwise(compute) for name, compute in _OF_TWO.items()},
    "relax.astype": _astype,
    "relax.broadcast_to": _broadcast_to,
    "relax.concat": _concat,
    "relax.expand_dims": _reshape,
    "relax.nn.pad": _pad,
    "relax.permute_dims": _permute_dims,
    "relax.repeat": _repeat,
    "relax.reshape": _reshape,
    "relax.squeeze": _reshape,
    "relax.strided_slice": _strided_slice,
    "relax.take": _take,
}


def _arity(name: str) -> int:
    return 2 if name in _OF_TWO else 1


def _of_real_numbers(name: str, call: relax.Call) -> np.ndarray | None:
    """What an elementwise operator gives of float32 and logical constants; None where it is another one."""
    function, operands = OPERATORS.get(name.removeprefix("relax.")), tensor_operands(call)
    if function is None or not operands or not all(map(tvm_adapter.is_constant, operands)):
        return None
    values = [tvm_adapter.constant_value(operand) for operand in operands]
    if any(value.dtype not in (np.float32, np.bool_) for value in values):
        return None
    with np.errstate(all="ignore"):  # infinities and NaN are what they are on the device
        result = np.asarray(function(*values, *numbers_of(call)), tvm_adapter.dtype_of(call))
    return np.broadcast_to(result, tvm_adapter.shape_of(call))


class _Folder(DataflowRewriter):
    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        real = _of_real_numbers(name, self.builder.normalize(call))
        if real is not None:
            return tvm_adapter.make_constant(real)
        if name not in EVALUATORS:
            return call
        first = call.args[0]
        operands = list(first.fields) if isinstance(first, relax.Tuple) else list(call.args[: _arity(name)])
        if not all(map(tvm_adapter.is_constant, operands)):
            return call
        normalized = self.builder.normalize(call)
        try:
            value = EVALUATORS[name](
                normalized, [tvm_adapter.constant_value(operand) for operand in operands]
            )
        except NotImplementedError:
            return call
        return tvm_adapter.make_constant(value)


@tvm.transform.module_pass(opt_level=0, name="FoldIntegerConstants")
class FoldIntegerConstants:
    """Evaluate what casts, reshapes, moves and chooses elements of integer constants."""

    def transform_module(self, module: tvm.IRModule, context: tvm.transform.PassContext) -> tvm.IRModule:
        """Fold constants in `main`."""
        return _Folder(module).run()
