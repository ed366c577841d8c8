"""The ground that the TFLite operator converters stand on: TVM's importer, keyed by tensor index.

TVM's `OperatorConverter` keeps expressions by tensor name, which files may repeat, and hands out
unbound expressions, which would be computed once for each consumer. Here every result is bound to a
variable and found by its index, and the values of constants are followed through shape arithmetic.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import tflite
from tvm import relax
from tvm.relax.frontend.tflite.tflite_frontend import ExprTable, OperatorConverter

from tinycc import tvm_adapter
from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.tflite.file import FileOperator, FileTensor, TfliteFile

# An expression, an array where the result is known at compile time, or an expression for each output.
Converted: TypeAlias = relax.Expr | np.ndarray | list[relax.Expr]
Handler = Callable[["BaseConverter", FileOperator], Converted]


class BaseConverter(OperatorConverter):  # type: ignore[misc]
    """TVM's converter with values by tensor index.

    constants: arrays known at compile time by tensor index, those of the file and those computed from them.
    states: the variables that hold state tensors; they are the last parameters of `main`.
    next_states: what the state tensors become, by tensor index.
    """

    def __init__(
        self,
        file: TfliteFile,
        builder: relax.BlockBuilder,
        inputs: dict[int, relax.Var],
        states: dict[int, relax.Var],
    ) -> None:
        super().__init__(file.model, file.model.Subgraphs(0), ExprTable(), builder)
        self.file = file
        self.values: dict[int, relax.Expr] = dict(inputs)
        self.constants = {tensor.index: tensor.value for tensor in file.tensors if tensor.value is not None}
        self.states = states
        self.next_states: dict[int, relax.Expr] = {}

    # The three hooks through which TVM's converters look up operands.

    def has_expr(self, input_tensor_idx: int) -> bool:
        """Whether a tensor is computed, rather than a constant."""
        return input_tensor_idx in self.values or input_tensor_idx in self.states

    def get_expr(self, input_tensor_idx: int) -> relax.Expr:
        """The expression of a tensor, computed or constant."""
        return self.operand(int(input_tensor_idx))

    def get_tensor_value(self, tensor_wrapper: Any, is_sparse: bool = False) -> np.ndarray:
        """The array of a constant tensor."""
        return self.constant(int(tensor_wrapper.tensor_idx))

    def operand(self, index: int) -> relax.Expr:
        """A tensor as it is stored: a variable or a constant; a state as the operators so far left it."""
        if index in self.values:
            return self.values[index]
        if index in self.states:
            return self.next_states.get(index, self.states[index])
        return tvm_adapter.make_constant(self.constant(index))

    def constant(self, index: int) -> np.ndarray:
        """The array of a tensor that is known at compile time; UnsupportedError for any other."""
        if index not in self.constants:
            name = self.file.tensors[index].name if index >= 0 else "an operand"
            raise UnsupportedError(f"{name} has to be a constant")
        return self.constants[index]

    def real(self, index: int) -> relax.Expr:
        """A tensor as real numbers: dequantized where it is quantised."""
        return self.dequantized(self.operand(index), self.file.tensors[index])

    def dequantized(self, stored: relax.Expr, tensor: FileTensor, axis: int = -1) -> relax.Expr:
        """`stored` through the quantization of `tensor`, whose channels lie on `axis`."""
        if not tensor.is_quantized:
            return stored
        return relax.op.dequantize(
            stored, scale_constant(tensor.scales), relax.const(tensor.zero_point, "int32"), axis=axis
        )

    def requantized(self, value: relax.Expr, tensor: FileTensor) -> relax.Expr:
        """Real numbers in the quantization of `tensor`."""
        if not tensor.is_quantized:
            return value
        scale = relax.const(tensor.scale, "float32")
        if tensor.dtype == "int32":  # relax.quantize has no int32
            steps = relax.op.round(relax.op.divide(value, scale))
            return relax.op.astype(
                relax.op.add(steps, relax.const(float(tensor.zero_point), "float32")), "int32"
            )
        return relax.op.quantize(
            value, scale, relax.const(tensor.zero_point, "int32"), out_dtype=tensor.dtype
        )

    def finished(self, op: FileOperator, value: relax.Expr, activation: int = 0) -> relax.Expr:
        """The end of an arithmetic operator: fused activation, then the output's quantization."""
        return self.requantized(activated(value, activation, op), self.file.tensors[op.outputs[0]])


def same_quantization(left: FileTensor, right: FileTensor) -> bool:
    """Whether two tensors map integers to the same real numbers."""
    if not (left.is_quantized and right.is_quantized):
        return left.is_quantized == right.is_quantized
    return left.dtype == right.dtype and left.scale == right.scale and left.zero_point == right.zero_point


def scale_constant(scales: np.ndarray) -> relax.Expr:
    """float32 scales as a constant: a vector, or a scalar where there is just one."""
    return relax.const(scales.reshape(()) if scales.size == 1 else scales, "float32")


def activated(value: relax.Expr, activation: int, op: FileOperator) -> relax.Expr:
    """A fused activation on real numbers."""
    kinds = tflite.ActivationFunctionType
    if activation == kinds.NONE:
        return value
    if activation == kinds.RELU:
        return relax.op.nn.relu(value)
    if activation == kinds.RELU6:
        return relax.op.clip(value, 0, 6)
    if activation == kinds.RELU_N1_TO_1:
        return relax.op.clip(value, -1, 1)
    raise UnsupportedError(f"{op.title} has the fused activation {activation}, which is not supported")


def fused_activation(op: FileOperator) -> int:
    """The fused activation in the options; none where there are no options."""
    return int(op.options.FusedActivationFunction()) if op.options is not None else 0


def axis_of(op: FileOperator, axis: int, rank: int) -> int:
    """An axis that may count from the end, as TFLite has them, in 0..rank - 1."""
    if not -rank <= axis < rank:
        raise ModelError(f"{op.title} names the axis {axis} of a tensor with {rank} dimensions")
    return axis % rank
