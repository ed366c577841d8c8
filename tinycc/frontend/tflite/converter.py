"""From TFLite operators to the normal form: which converter serves which operator."""

import re

import numpy as np
import tflite
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import ModelError, TinyccError
from tinycc.frontend.tflite import (
    arithmetic,
    blocks,
    constants,
    indexing,
    layers,
    movement,
    recurrent,
    unquantized,
    variables,
)
from tinycc.frontend.tflite.base import BaseConverter, Converted, Handler
from tinycc.frontend.tflite.file import FileOperator

_ACTIVATIONS = tflite.ActivationFunctionType

CONVERTERS: dict[str, Handler] = {
    "ABS": arithmetic.unary(relax.op.abs),
    "ADD": constants.or_constants(np.add, arithmetic.binary(relax.op.add)),
    "ADD_N": unquantized.function(unquantized.total),
    "ARG_MAX": arithmetic.position(relax.op.argmax),
    "ARG_MIN": arithmetic.position(relax.op.argmin),
    "ASSIGN_VARIABLE": variables.assign,
    "AVERAGE_POOL_2D": layers.pooling,
    "BATCH_MATMUL": arithmetic.only_int8(layers.matrix_product),
    "BATCH_TO_SPACE_ND": blocks.batch_to_space,
    "BROADCAST_ARGS": constants.only_constants(constants.broadcast_shape),
    "BROADCAST_TO": movement.broadcast,
    "CAST": arithmetic.cast,
    "CEIL": unquantized.function(relax.op.ceil),
    "CONCATENATION": movement.concatenation,
    "CONV_2D": layers.convolution,
    "COS": unquantized.function(relax.op.cos),
    "CUMSUM": unquantized.only_unquantized(unquantized.cumulative_sum),
    "DEPTHWISE_CONV_2D": layers.depthwise_convolution,
    "DEPTH_TO_SPACE": blocks.depth_to_space,
    "DEQUANTIZE": arithmetic.dequantize,
    "DIV": arithmetic.binary(relax.op.divide),
    "ELU": arithmetic.only_int8(arithmetic.unary(arithmetic.elu)),
    "EMBEDDING_LOOKUP": indexing.embedding,
    "EQUAL": unquantized.function(relax.op.equal),
    "EXP": arithmetic.unary(relax.op.exp),
    "EXPAND_DIMS": movement.expand_dims,
    "FILL": constants.filled,
    "FLOOR": unquantized.function(relax.op.floor),
    "FLOOR_DIV": constants.or_constants(np.floor_divide, unquantized.function(relax.op.floor_divide)),
    "FLOOR_MOD": constants.or_constants(np.mod, unquantized.function(relax.op.floor_mod)),
    "FULLY_CONNECTED": layers.dense,
    "GATHER": indexing.gather,
    "GATHER_ND": indexing.gather_elements,
    "GELU": arithmetic.gelu,
    "GREATER": unquantized.function(relax.op.greater),
    "GREATER_EQUAL": unquantized.function(relax.op.greater_equal),
    "HARD_SWISH": arithmetic.hard_swish,
    "L2_NORMALIZATION": arithmetic.only_int8(arithmetic.l2_normalization),
    "L2_POOL_2D": unquantized.only_unquantized(unquantized.root_mean_square),
    "LEAKY_RELU": arithmetic.leaky_relu,
    "LESS": unquantized.function(relax.op.less),
    "LESS_EQUAL": unquantized.function(relax.op.less_equal),
    "LOG": arithmetic.unary(relax.op.log),
    "LOGICAL_AND": unquantized.function(relax.op.logical_and),
    "LOGICAL_NOT": unquantized.function(relax.op.logical_not),
    "LOGICAL_OR": unquantized.function(relax.op.logical_or),
    "LOGISTIC": arithmetic.unary(relax.op.sigmoid),
    "LOG_SOFTMAX": arithmetic.only_int8(arithmetic.unary(relax.op.nn.log_softmax)),
    "MAXIMUM": arithmetic.extremum(relax.op.maximum),
    "MAX_POOL_2D": layers.pooling,
    "MEAN": arithmetic.reduction(relax.op.mean),
    "MINIMUM": arithmetic.extremum(relax.op.minimum),
    "MIRROR_PAD": movement.mirror_pad,
    "MUL": constants.or_constants(np.multiply, arithmetic.binary(relax.op.multiply)),
    "NEG": arithmetic.negative,
    "NOT_EQUAL": unquantized.function(relax.op.not_equal),
    "PACK": movement.pack,
    "PAD": movement.pad,
    "PADV2": movement.pad,
    "POW": unquantized.function(relax.op.power),
    "PRELU": arithmetic.prelu,
    "QUANTIZE": arithmetic.quantize,
    "RANGE": constants.span,
    "RANK": constants.rank,
    "READ_VARIABLE": variables.read,
    "REDUCE_MAX": arithmetic.choice(relax.op.max),
    "REDUCE_MIN": arithmetic.choice(relax.op.min),
    "REDUCE_PROD": constants.product,
    "RELU": arithmetic.activation(_ACTIVATIONS.RELU),
    "RELU6": arithmetic.activation(_ACTIVATIONS.RELU6),
    "RELU_0_TO_1": arithmetic.only_int8(arithmetic.unary(lambda value: relax.op.clip(value, 0, 1))),
    "RELU_N1_TO_1": arithmetic.activation(_ACTIVATIONS.RELU_N1_TO_1),
    "RESHAPE": movement.reshape,
    "RESIZE_BILINEAR": arithmetic.resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": movement.resize_nearest,
    "REVERSE_V2": indexing.reverse,
    "ROUND": unquantized.function(relax.op.round),
    "RSQRT": arithmetic.unary(relax.op.rsqrt),
    "SELECT": unquantized.select,
    "SELECT_V2": unquantized.select,
    "SHAPE": movement.shape,
    "SIGN": unquantized.function(relax.op.sign),
    "SIN": unquantized.function(relax.op.sin),
    "SLICE": movement.slices,
    "SOFTMAX": arithmetic.softmax,
    "SPACE_TO_BATCH_ND": blocks.space_to_batch,
    "SPACE_TO_DEPTH": blocks.space_to_depth,
    "SPLIT": movement.split,
    "SPLIT_V": movement.split,
    "SQRT": arithmetic.square_root,
    "SQUARE": unquantized.function(relax.op.square),
    "SQUARED_DIFFERENCE": arithmetic.binary(arithmetic.squared_difference),
    "SQUEEZE": movement.squeeze,
    "STRIDED_SLICE": movement.slices,
    "SUB": constants.or_constants(np.subtract, arithmetic.binary(relax.op.subtract)),
    "SUM": arithmetic.reduction(relax.op.sum),
    "SVDF": recurrent.svdf,
    "TANH": arithmetic.unary(relax.op.tanh),
    "TILE": movement.tile,
    "TRANSPOSE": movement.transpose,
    "TRANSPOSE_CONV": layers.transposed_convolution,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": recurrent.lstm,
    "UNPACK": movement.unpack,
    "ZEROS_LIKE": constants.zeros_like,
}


class TfliteConverter(BaseConverter):
    """Converts all operators of a file, in order, with the converters above."""

    def convert_op_to_relax(self) -> None:
        """Bind the outputs of every operator; each is checked against the shape and dtype in the file."""
        for op in self.file.operators:
            try:
                self._store(op, CONVERTERS[op.kind](self, op))
            except TinyccError as error:
                raise type(error)(f"{self.file.path}: {error}") from error
            except Exception as error:
                raise ModelError(
                    f"{self.file.path}: {op.title} cannot be imported: {_reason(error)}"
                ) from error

    def _store(self, op: FileOperator, converted: Converted) -> None:
        results = converted if isinstance(converted, list) else [converted]
        for index, value in zip(op.outputs, results, strict=True):
            tensor = self.file.tensors[index]
            if isinstance(value, np.ndarray):
                shape, dtype = value.shape, str(value.dtype)
                self.constants[index] = value
            else:
                variable = self.bb.emit(value)
                shape, dtype = tvm_adapter.shape_of(variable), tvm_adapter.dtype_of(variable)
                self.values[index] = variable
            if (shape, dtype) != (tensor.shape, tensor.dtype):
                raise ModelError(
                    f"{op.title} makes {dtype}{list(shape)}, "
                    f"but the file says that {tensor.name} is {tensor.dtype}{list(tensor.shape)}"
                )


def _reason(error: Exception) -> str:
    """The gist of an error of TVM's: its last line, without the printed operator, in a bearable length."""
    lines = str(error).strip().splitlines()
    text = re.sub(r"^In ir\.Op\(.*\)[:,] ", "", lines[-1]) if lines else type(error).__name__
    return text if len(text) <= 200 else text[:200] + "..."


def unsupported_reason(op: FileOperator) -> str:
    """Why an operator cannot be imported at all; "" if it can."""
    if op.kind == "CUSTOM":
        return f"the custom operator {op.custom} is not supported"
    if op.kind not in CONVERTERS and op.kind not in variables.RESOLVED:
        return f"the operator {op.kind} is not supported"
    return ""
