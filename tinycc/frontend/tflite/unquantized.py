"""TFLite operators on numbers that are not quantized: comparisons, logic, functions without an integer form.

They are real numbers, plain integers or logical values; what is quantized is refused.
"""

from collections.abc import Callable

from tvm import relax

from tinycc.errors import UnsupportedError
from tinycc.frontend.tflite.base import BaseConverter, Handler, activated, axis_of, fused_activation
from tinycc.frontend.tflite.file import FileOperator
from tinycc.frontend.tflite.layers import pooled


def function(compute: Callable[..., relax.Expr]) -> Handler:
    """A function of all operands."""
    return only_unquantized(lambda converter, op: compute(*(converter.operand(index) for index in op.inputs)))


def only_unquantized(convert: Handler) -> Handler:
    """Refuse what is quantized."""

    def checked(converter: BaseConverter, op: FileOperator) -> relax.Expr:
        for index in (*op.inputs, *op.outputs):
            if converter.file.tensors[index].is_quantized:
                raise UnsupportedError(f"{op.title} is of quantized numbers, only real ones are supported")
        return convert(converter, op)

    return checked


def total(*operands: relax.Expr) -> relax.Expr:
    """ADD_N."""
    result, *others = operands
    for operand in others:
        result = relax.op.add(result, operand)
    return result


def select(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """SELECT_V2, which broadcasts; SELECT of a condition of the result's shape."""
    condition, output = converter.file.tensors[op.inputs[0]], converter.file.tensors[op.outputs[0]]
    if op.kind == "SELECT" and condition.shape != output.shape:
        raise UnsupportedError(f"{op.title} has a condition of another shape than its result")
    return relax.op.where(*(converter.operand(index) for index in op.inputs))


def cumulative_sum(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """CUMSUM along a constant axis, from either end, with or without the element itself."""
    rank = len(converter.file.tensors[op.inputs[0]].shape)
    axis = axis_of(op, int(converter.constant(op.inputs[1]).item()), rank)
    value = converter.operand(op.inputs[0])
    is_reversed = bool(op.options.Reverse())
    if is_reversed:
        value = converter.bb.emit(relax.op.flip(value, axis))
    result = relax.op.cumsum(value, axis, exclusive=bool(op.options.Exclusive()))
    return relax.op.flip(converter.bb.emit(result), axis) if is_reversed else result


def root_mean_square(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """L2_POOL_2D: the root of the mean of squares under each window."""
    squares = converter.bb.emit(relax.op.square(converter.operand(op.inputs[0])))
    mean = converter.bb.emit(pooled(converter, op, relax.op.nn.avg_pool2d, squares, count_include_pad=False))
    return activated(relax.op.sqrt(mean), fused_activation(op), op)
