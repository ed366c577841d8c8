"""What an operator may have: how many operands, which options, and which values of them.

This is an allow list. A field that is not in it, or a value that it does not name, is refused, so that
nothing a file says goes unread. The values are those that TFLite's own kernels take for integers and that
tinycc computes alike. Fields are named as in TFLite's schema (tensorflow/lite/schema/schema.fbs), versions as
in LiteRT's list of kernels (tensorflow/lite/core/kernels/register.cc).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import tflite

from tinycc.frontend.tflite.file import FileOperator, FileTensor, TfliteFile

MANY = 1 << 16


@dataclass(frozen=True)
class Values:
    """What a field may hold: `text` says it in messages, "" for anything; `hold` decides for a value."""

    text: str
    hold: Callable[[Any, TfliteFile, FileOperator], bool]


# The converter reads the field, and refuses what contradicts the shapes.
READ = Values("", lambda _value, _file, _op: True)
# TFLite does not look at the field where inputs are integers.
IGNORED = Values("", lambda _value, _file, _op: True)


def _members(enumeration: Any, *names: str) -> Values:
    numbers = {getattr(enumeration, name) for name in names}
    return Values(" or ".join(names), lambda value, _file, _op: value in numbers)


def _between(low: float, high: float) -> Values:
    return Values(f"a number from {low} to {high}", lambda value, _file, _op: low <= value <= high)


def _just(expected: float) -> Values:
    return Values(f"{expected}", lambda value, _file, _op: value == expected)


def _is_type(value: int, tensor: FileTensor | None) -> bool:
    types = {tflite.TensorType.INT32: "int32", tflite.TensorType.INT64: "int64"}
    return tensor is not None and types.get(value) == tensor.dtype


def _is_bias_type(value: int, file: TfliteFile, op: FileOperator) -> bool:
    """FLOAT32 is the schema's default and says nothing."""
    bias = file.tensor(op.inputs[-1]) if len(op.inputs) > 2 else None
    return value == tflite.TensorType.FLOAT32 or _is_type(value, bias)


def _is_general(value: bool, file: TfliteFile, op: FileOperator) -> bool:
    """TFLite has other arithmetic for 16 bits if all scales are powers of two and the flag is set."""
    tensors = [file.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
    powers = all(tensor.is_quantized and math.frexp(tensor.scale)[0] == 0.5 for tensor in tensors)
    return not (value and powers and any(tensor.dtype == "int16" for tensor in tensors))


def _is_depth_multiplier(value: int, file: TfliteFile, op: FileOperator) -> bool:
    source, weights = (file.tensor(index) for index in op.inputs[:2])
    if source is None or weights is None or not (source.shape and weights.shape):
        return False
    return value * source.shape[-1] == weights.shape[-1]


_ACTIVATION = _members(tflite.ActivationFunctionType, "NONE", "RELU", "RELU6", "RELU_N1_TO_1")
_NO_ACTIVATION = _members(tflite.ActivationFunctionType, "NONE")
_PADDING = _members(tflite.Padding, "SAME", "VALID")
_STEP = _between(1, 32767)
_BIAS_TYPE = Values("FLOAT32 (none) or the type of the bias", _is_bias_type)
_OUTPUT_TYPE = Values(
    "the type of its output, INT32 or INT64",
    lambda value, file, op: _is_type(value, file.tensor(op.outputs[0])),
)
_INPUT_COUNT = Values("the number of its inputs", lambda value, _file, op: value == len(op.inputs))
_OUTPUT_COUNT = Values("the number of its outputs", lambda value, _file, op: value == len(op.outputs))
_NOT_BOTH = Values(
    "false where AlignCorners is true",
    lambda value, _file, op: not (value and op.options.AlignCorners()),
)


@dataclass(frozen=True)
class Signature:
    """One operator.

    inputs: the fewest and the most. outputs: the only number, or None for one and more.
    table: its options' type, "" for none. fields: all of that table's, with what they may hold.
    is_required: whether TFLite computes something else, or nothing, without the table.
    version: the newest that is known.
    keeps_quantization: whether TFLite demands one scale and zero point of inputs and output. Other operators
        that move elements pass on the integers whatever the output's quantization is.
    result: 1 / scale and zero point that TFLite demands of the output, by the types of input and output, and
        refuses other types; empty where it demands nothing.
    data: the input whose type the outputs have, unless changes_type.
    """

    inputs: tuple[int, int]
    version: int
    table: str = ""
    fields: Mapping[str, Values] = field(default_factory=dict)
    is_required: bool = False
    outputs: int | None = 1
    keeps_quantization: bool = False
    result: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    data: int = 0
    changes_type: bool = False


# Of a number in 0..1.
_PROBABILITIES = {
    ("int8", "int8"): (256, -128),
    ("int8", "int16"): (65536, -32768),
    ("int16", "int16"): (32768, 0),
}


def _function(version: int, table: str = "", **fields: Values) -> Signature:
    """A function of one tensor."""
    return Signature((1, 1), version, table, fields, is_required=bool(fields))


def _binary(version: int, table: str, **fields: Values) -> Signature:
    return Signature((2, 2), version, table, fields)


def _comparison(version: int, table: str) -> Signature:
    return Signature((2, 2), version, table, changes_type=True)


def _reduction(version: int) -> Signature:
    return Signature((2, 2), version, "ReducerOptions", {"KeepDims": READ})


def _windows(inputs: tuple[int, int], version: int, table: str, **fields: Values) -> Signature:
    common = {"Padding": _PADDING, "StrideH": _STEP, "StrideW": _STEP, "FusedActivationFunction": _ACTIVATION}
    return Signature(inputs, version, table, common | fields, is_required=True)


def _pooling(version: int) -> Signature:
    window = {"FilterHeight": _STEP, "FilterWidth": _STEP}
    return replace(_windows((1, 1), version, "Pool2DOptions", **window), keeps_quantization=True)


def _resize(version: int, table: str) -> Signature:
    return Signature((2, 2), version, table, {"AlignCorners": READ, "HalfPixelCenters": _NOT_BOTH}, True)


_DILATION = {"DilationHFactor": _STEP, "DilationWFactor": _STEP}
_SUM = {"FusedActivationFunction": _ACTIVATION, "PotScaleInt16": Values("false", _is_general)}

SIGNATURES: dict[str, Signature] = {
    "ABS": _function(5, "AbsOptions"),
    "ADD": _binary(5, "AddOptions", **_SUM),
    "ADD_N": Signature((1, MANY), 1, "AddNOptions"),
    "ARG_MAX": Signature((2, 2), 3, "ArgMaxOptions", {"OutputType": _OUTPUT_TYPE}, True, changes_type=True),
    "ARG_MIN": Signature((2, 2), 3, "ArgMinOptions", {"OutputType": _OUTPUT_TYPE}, True, changes_type=True),
    "ASSIGN_VARIABLE": Signature((2, 2), 1, "AssignVariableOptions", outputs=0, changes_type=True),
    "AVERAGE_POOL_2D": _pooling(3),
    "BATCH_MATMUL": Signature(
        (2, 2), 4, "BatchMatMulOptions", {"AdjX": READ, "AdjY": READ, "AsymmetricQuantizeInputs": IGNORED},
        is_required=True,
    ),
    "BATCH_TO_SPACE_ND": Signature((3, 3), 4, "BatchToSpaceNDOptions", keeps_quantization=True),
    "BROADCAST_ARGS": _binary(1, ""),
    "BROADCAST_TO": Signature((2, 2), 3, "BroadcastToOptions"),
    "CALL_ONCE": Signature(
        (0, 0), 1, "CallOnceOptions", {"InitSubgraphIndex": READ}, is_required=True, outputs=0
    ),
    "CAST": Signature(
        (1, 1), 8, "CastOptions", {"InDataType": IGNORED, "OutDataType": IGNORED}, changes_type=True
    ),
    "CEIL": _function(1),
    "CONCATENATION": Signature(
        (1, MANY), 4, "ConcatenationOptions", {"Axis": READ, "FusedActivationFunction": _NO_ACTIVATION},
        is_required=True, keeps_quantization=True,
    ),
    "CONV_2D": _windows((2, 3), 8, "Conv2DOptions", **_DILATION, QuantizedBiasType=_BIAS_TYPE),
    "COS": _function(1, "CosOptions"),
    "CUMSUM": Signature((2, 2), 1, "CumsumOptions", {"Exclusive": READ, "Reverse": READ}, is_required=True),
    "DEPTHWISE_CONV_2D": _windows(
        (2, 3), 7, "DepthwiseConv2DOptions", **_DILATION,
        DepthMultiplier=Values("output channels / input channels", _is_depth_multiplier),
    ),
    "DEPTH_TO_SPACE": Signature((1, 1), 2, "DepthToSpaceOptions", {"BlockSize": _STEP}, is_required=True),
    "DEQUANTIZE": Signature((1, 1), 6, "DequantizeOptions", changes_type=True),
    "DIV": _binary(2, "DivOptions", FusedActivationFunction=_ACTIVATION),
    "ELU": _function(1),
    "EMBEDDING_LOOKUP": Signature((2, 2), 4, data=1, changes_type=True),
    "EQUAL": _comparison(4, "EqualOptions"),
    "EXP": _function(2, "ExpOptions"),
    "EXPAND_DIMS": Signature((2, 2), 1, "ExpandDimsOptions", keeps_quantization=True),
    "FILL": Signature((2, 2), 4, "FillOptions", data=1),
    "FLOOR": _function(1),
    "FLOOR_DIV": _binary(3, "FloorDivOptions"),
    "FLOOR_MOD": _binary(2, "FloorModOptions"),
    "FULLY_CONNECTED": Signature(
        (2, 3), 13, "FullyConnectedOptions",
        {
            "FusedActivationFunction": _ACTIVATION,
            "WeightsFormat": _members(tflite.FullyConnectedOptionsWeightsFormat, "DEFAULT"),
            "KeepNumDims": READ,
            "AsymmetricQuantizeInputs": IGNORED,
            "QuantizedBiasType": _BIAS_TYPE,
        },
        is_required=True,
    ),
    "GATHER": Signature((2, 2), 7, "GatherOptions", {"Axis": READ, "BatchDims": _just(0)}, is_required=True),
    "GATHER_ND": Signature((2, 2), 5, "GatherNdOptions"),
    "GELU": _function(2, "GeluOptions", Approximate=READ),
    "GREATER": _comparison(2, "GreaterOptions"),
    "GREATER_EQUAL": _comparison(3, "GreaterEqualOptions"),
    "HARD_SWISH": _function(1, "HardSwishOptions"),
    "L2_NORMALIZATION": Signature(
        (1, 1), 2, "L2NormOptions", {"FusedActivationFunction": _NO_ACTIVATION},
        is_required=True, result={("int8", "int8"): (128, 0)},
    ),
    "L2_POOL_2D": _pooling(1),
    "LEAKY_RELU": _function(2, "LeakyReluOptions", Alpha=_between(0, 128)),
    "LESS": _comparison(3, "LessOptions"),
    "LESS_EQUAL": _comparison(3, "LessEqualOptions"),
    "LOG": _function(2),
    "LOGICAL_AND": _binary(1, "LogicalAndOptions"),
    "LOGICAL_NOT": _function(1, "LogicalNotOptions"),
    "LOGICAL_OR": _binary(1, "LogicalOrOptions"),
    "LOGISTIC": Signature((1, 1), 3, result=_PROBABILITIES),
    "LOG_SOFTMAX": Signature((1, 1), 2, "LogSoftmaxOptions", result={("int8", "int8"): (16, 127)}),
    "MAXIMUM": _binary(4, "MaximumMinimumOptions"),
    "MAX_POOL_2D": _pooling(3),
    "MEAN": _reduction(3),
    "MINIMUM": _binary(4, "MaximumMinimumOptions"),
    "MIRROR_PAD": Signature(
        (2, 2), 3, "MirrorPadOptions", {"Mode": _members(tflite.MirrorPadMode, "REFLECT", "SYMMETRIC")},
        is_required=True, keeps_quantization=True,
    ),
    "MUL": _binary(7, "MulOptions", FusedActivationFunction=_ACTIVATION),
    "NEG": _function(1, "NegOptions"),
    "NOT_EQUAL": _comparison(3, "NotEqualOptions"),
    "PACK": Signature(
        (1, MANY), 4, "PackOptions", {"Axis": READ, "ValuesCount": _INPUT_COUNT},
        is_required=True, keeps_quantization=True,
    ),
    "PAD": Signature((2, 2), 4, "PadOptions"),
    "PADV2": Signature((3, 3), 4, "PadV2Options"),
    "POW": _binary(1, "PowOptions"),
    "PRELU": Signature((2, 2), 1),
    "QUANTIZE": Signature((1, 1), 5, "QuantizeOptions", changes_type=True),
    "RANGE": Signature((3, 3), 2, "RangeOptions"),
    "RANK": Signature((1, 1), 1, "RankOptions", changes_type=True),
    "READ_VARIABLE": Signature((1, 1), 1, "ReadVariableOptions", changes_type=True),
    "REDUCE_MAX": replace(_reduction(3), keeps_quantization=True),
    "REDUCE_MIN": replace(_reduction(3), keeps_quantization=True),
    "REDUCE_PROD": _reduction(2),
    "RELU": _function(3),
    "RELU6": _function(3),
    "RELU_0_TO_1": _function(1),
    "RELU_N1_TO_1": _function(1),
    "RESHAPE": Signature((1, 2), 1, "ReshapeOptions", {"NewShape": READ}),
    "RESIZE_BILINEAR": _resize(4, "ResizeBilinearOptions"),
    "RESIZE_NEAREST_NEIGHBOR": _resize(4, "ResizeNearestNeighborOptions"),
    "REVERSE_V2": Signature((2, 2), 3, "ReverseV2Options"),
    "ROUND": _function(1),
    "RSQRT": _function(3),
    "SELECT": Signature((3, 3), 4, "SelectOptions", data=1),
    "SELECT_V2": Signature((3, 3), 2, "SelectV2Options", data=1),
    "SHAPE": Signature((1, 1), 1, "ShapeOptions", {"OutType": _OUTPUT_TYPE}, True, changes_type=True),
    "SIGN": _function(2, "SignOptions"),
    "SIN": _function(1),
    "SLICE": Signature((3, 3), 6, "SliceOptions"),
    "SOFTMAX": Signature(
        (1, 1), 3, "SoftmaxOptions", {"Beta": _just(1.0)},
        is_required=True, result=_PROBABILITIES, changes_type=True,
    ),
    "SPACE_TO_BATCH_ND": Signature((3, 3), 4, "SpaceToBatchNDOptions", keeps_quantization=True),
    "SPACE_TO_DEPTH": Signature((1, 1), 2, "SpaceToDepthOptions", {"BlockSize": _STEP}, is_required=True),
    "SPLIT": Signature((2, 2), 4, "SplitOptions", {"NumSplits": _OUTPUT_COUNT}, True, outputs=None, data=1),
    "SPLIT_V": Signature((3, 3), 2, "SplitVOptions", {"NumSplits": _OUTPUT_COUNT}, True, outputs=None),
    "SQRT": _function(2),
    "SQUARE": _function(1, "SquareOptions"),
    "SQUARED_DIFFERENCE": _binary(2, "SquaredDifferenceOptions"),
    "SQUEEZE": Signature((1, 1), 2, "SqueezeOptions", {"SqueezeDims": READ}),
    "STRIDED_SLICE": Signature(
        (4, 4), 8, "StridedSliceOptions",
        {
            "BeginMask": READ,
            "EndMask": READ,
            "ShrinkAxisMask": READ,
            "EllipsisMask": _just(0),
            "NewAxisMask": _just(0),
            "Offset": READ,
        },
        is_required=True,
    ),
    "SUB": _binary(5, "SubOptions", **_SUM),
    "SUM": _reduction(2),
    "SVDF": Signature(
        (5, 5), 4, "SVDFOptions",
        {
            "Rank": READ,
            "FusedActivationFunction": _members(tflite.ActivationFunctionType, "NONE", "RELU"),
            "AsymmetricQuantizeInputs": IGNORED,
        },
        is_required=True,
    ),
    "TANH": _function(3),
    "TILE": Signature((2, 2), 3, "TileOptions"),
    "TRANSPOSE": Signature((2, 2), 6, "TransposeOptions"),
    "TRANSPOSE_CONV": replace(
        _windows((3, 4), 5, "TransposeConvOptions", QuantizedBiasType=_BIAS_TYPE), data=2
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Signature(
        (20, 24), 4, "UnidirectionalSequenceLSTMOptions",
        {
            "FusedActivationFunction": _members(tflite.ActivationFunctionType, "TANH"),
            "CellClip": _between(0, math.inf),
            "ProjClip": IGNORED,  # there is no projection
            "TimeMajor": READ,
            "AsymmetricQuantizeInputs": IGNORED,
            "DiagonalRecurrentTensors": _just(False),
        },
        is_required=True,
    ),
    "UNPACK": Signature(
        (1, 1), 4, "UnpackOptions", {"Axis": READ, "Num": _OUTPUT_COUNT},
        is_required=True, outputs=None, keeps_quantization=True,
    ),
    "VAR_HANDLE": Signature(
        (0, 0), 1, "VarHandleOptions", {"Container": READ, "SharedName": READ}, is_required=True
    ),
    "ZEROS_LIKE": _function(1, "ZerosLikeOptions"),
}  # fmt: skip
