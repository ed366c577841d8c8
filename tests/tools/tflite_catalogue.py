"""One small layer for each operator that the TFLite frontend takes, all fields of its options written out."""

import numpy as np

from tests.tools.tflite_layers import Layer, Operand
from tests.tools.tflite_writer import ACTIVATION, PADDING, Field

INT8, INT32 = 9, 2  # of the schema's TensorType
Shape = tuple[int, ...]

_GENERATOR = np.random.default_rng(0)
_NONE, _SAME = ACTIVATION["NONE"], PADDING["SAME"]
_IMAGE = (1, 4, 6, 3)


def _number(value: int) -> Operand:
    """A constant scalar of int32."""
    return Operand((), "int32", (), data=np.array(value))


def _numbers(*values: int) -> Operand:
    """A constant vector of int32."""
    return Operand((len(values),), "int32", (), data=np.array(values))


def _table(*rows: list[int]) -> Operand:
    """A constant matrix of int32."""
    return Operand((len(rows), len(rows[0])), "int32", (), data=np.array(rows))


def _weights(
    *shape: int, scale: float | tuple[float, ...] = 0.02, axis: int = 0, dtype: str = "int8"
) -> Operand:
    return Operand(shape, dtype, scale, axis=axis, data=_GENERATOR.integers(-127, 128, shape))


def _bias(size: int, scale: float = 0.002) -> Operand:
    return Operand((size,), "int32", scale, data=_GENERATOR.integers(-400, 400, size))


def _image(scale: float = 0.1, zero_point: int = 3, shape: Shape = _IMAGE) -> Operand:
    return Operand(shape, scale=scale, zero_point=zero_point)


def _layer(
    kind: str, *operands: Operand | None, result: Operand, options: str = "", **fields: Field
) -> Layer:
    return Layer(kind, operands, (result,), options, fields)


def _binary(kind: str, **fields: Field) -> Layer:
    table = f"{kind.capitalize()}Options"
    return _layer(
        kind, _image(), _image(0.07, -5), result=_image(0.15, 1), options=table,
        FusedActivationFunction=_NONE, **fields,
    )  # fmt: skip


def _unary(kind: str, result: Operand, options: str = "", **fields: Field) -> Layer:
    return _layer(kind, _image(), result=result, options=options, **fields)


def _window(kind: str, options: str, *operands: Operand, result: Operand, **fields: Field) -> Layer:
    return _layer(
        kind, *operands, result=result, options=options, Padding=_SAME, StrideH=1, StrideW=1,
        FusedActivationFunction=_NONE, **fields,
    )  # fmt: skip


def _moving(
    kind: str, *operands: Operand, shape: tuple[int, ...], options: str = "", **fields: Field
) -> Layer:
    """A layer whose result has the input's quantization."""
    return _layer(kind, _image(), *operands, result=_image(shape=shape), options=options, **fields)


def _reduction(kind: str, scale: float = 0.1) -> Layer:
    return _layer(
        kind,
        _image(),
        _numbers(1, 2),
        result=_image(scale, 3, (1, 3)),
        options="ReducerOptions",
        KeepDims=False,
    )  # fmt: skip


def _pooling(kind: str) -> Layer:
    return _window(kind, "Pool2DOptions", _image(), result=_image(), FilterHeight=2, FilterWidth=3)


def _resize(kind: str, options: str) -> Layer:
    return _moving(
        kind, _numbers(8, 9), shape=(1, 8, 9, 3), options=options, AlignCorners=False, HalfPixelCenters=False
    )


def _lstm() -> Layer:
    inputs, units = 3, 4
    operands: list[Operand | None] = [None] * 24
    operands[0] = Operand((1, 2, inputs), scale=0.05, zero_point=3)
    for gate in range(4):
        operands[1 + gate] = _weights(units, inputs, scale=0.002)
        operands[5 + gate] = _weights(units, units, scale=0.013)
        operands[12 + gate] = _bias(units, 0.05 * 0.002)
    operands[18] = Operand((1, units), scale=1 / 128, zero_point=-2, variable=True)
    operands[19] = Operand((1, units), "int16", 2**-11, variable=True)
    return Layer(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        tuple(operands),
        (Operand((1, 2, units), scale=1 / 128, zero_point=-2),),
        "UnidirectionalSequenceLSTMOptions",
        {
            "FusedActivationFunction": ACTIVATION["TANH"],
            "CellClip": 0.0,
            "ProjClip": 0.0,
            "TimeMajor": False,
            "AsymmetricQuantizeInputs": False,
            "DiagonalRecurrentTensors": False,
        },
    )


def _svdf() -> Layer:
    return _layer(
        "SVDF",
        Operand((1, 6), scale=0.03, zero_point=2),
        _weights(4, 6),
        _weights(4, 5, scale=0.0001, dtype="int16"),
        Operand((4,), "int32", 0.00014 * 0.0001, data=np.array([9, -8, 7, 6])),
        Operand((1, 20), "int16", 0.00014, variable=True),
        result=Operand((1, 4), scale=0.15, zero_point=-4),
        options="SVDFOptions",
        Rank=1,
        FusedActivationFunction=ACTIVATION["RELU"],
        AsymmetricQuantizeInputs=False,
    )  # fmt: skip


def _parts(
    kind: str, options: str, *operands: Operand, shape: tuple[int, ...], count: int, **fields: Field
) -> Layer:
    return Layer(kind, operands, (_image(shape=shape),) * count, options, fields)


LAYERS = (
    _binary("ADD", PotScaleInt16=False),
    _binary("SUB", PotScaleInt16=False),
    _binary("MUL"),
    _layer(  # by a constant, as TFLite does not define division by zero, nor of it
        "DIV", _image(0.1, -128),
        Operand((6, 1), zero_point=-5, data=np.array([[1], [-9], [40], [90], [-128], [7]])),
        result=_image(0.15, 1), options="DivOptions", FusedActivationFunction=_NONE,
    ),
    _layer("MAXIMUM", _image(), _image(), result=_image(), options="MaximumMinimumOptions"),
    _layer("MINIMUM", _image(), _image(), result=_image(), options="MaximumMinimumOptions"),
    _layer(
        "SQUARED_DIFFERENCE", _image(), _image(0.07, -5), result=_image(2.0, -128),
        options="SquaredDifferenceOptions",
    ),
    _unary("ABS", _image(0.1, -128), "AbsOptions"),
    _unary("HARD_SWISH", _image(0.1, -100), "HardSwishOptions"),
    _unary("GELU", _image(0.08, 1), "GeluOptions", Approximate=False),
    _unary("LEAKY_RELU", _image(0.08, 1), "LeakyReluOptions", Alpha=0.3),
    _unary("L2_NORMALIZATION", _image(1 / 128, 0), "L2NormOptions", FusedActivationFunction=_NONE),
    _unary("LOGISTIC", _image(1 / 256, -128)),
    _unary("LOG_SOFTMAX", _image(1 / 16, 127), "LogSoftmaxOptions"),
    _unary("TANH", _image(1 / 128, 0)),
    _unary("RELU", _image(0.05, -128)),
    _unary("RELU6", _image(0.05, -128)),
    _unary("RELU_N1_TO_1", _image(0.1, 3)),
    _unary("QUANTIZE", _image(0.2, -7), "QuantizeOptions"),
    _unary("SOFTMAX", _image(1 / 256, -128), "SoftmaxOptions", Beta=1.0),
    _unary("DEQUANTIZE", Operand(_IMAGE, "float32", ()), "DequantizeOptions"),
    _layer(
        "PRELU", _image(), Operand((1, 1, 3), scale=0.01, data=np.array([[[3, -7, 90]]])),
        result=_image(0.11, 2),
    ),
    _layer(
        "CAST", Operand((1, 5)), result=Operand((1, 5), "int32", ()), options="CastOptions",
        InDataType=INT8, OutDataType=INT32,
    ),
    _layer(
        "ARG_MAX", _image(), _numbers(3), result=Operand((1, 4, 6), "int32", ()), options="ArgMaxOptions",
        OutputType=INT32,
    ),
    _layer(
        "ARG_MIN", _image(), _numbers(3), result=Operand((1, 4, 6), "int32", ()), options="ArgMinOptions",
        OutputType=INT32,
    ),
    _layer("SHAPE", _image(), result=Operand((4,), "int32", ()), options="ShapeOptions", OutType=INT32),
    _reduction("MEAN"),
    _reduction("SUM", 2.0),
    _pooling("AVERAGE_POOL_2D"),
    _pooling("MAX_POOL_2D"),
    _window(
        "CONV_2D", "Conv2DOptions", _image(0.1, 3), _weights(2, 3, 3, 3), _bias(2),
        result=_image(0.4, -3, (1, 4, 6, 2)), DilationHFactor=1, DilationWFactor=1, QuantizedBiasType=0,
    ),
    _window(
        "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", _image(0.1, 3), _weights(1, 3, 3, 6, axis=3), _bias(6),
        result=_image(0.4, -3, (1, 4, 6, 6)), DilationHFactor=1, DilationWFactor=1, DepthMultiplier=2,
    ),
    _window(
        "TRANSPOSE_CONV", "TransposeConvOptions", _numbers(1, 8, 12, 2), _weights(2, 3, 3, 3), _image(0.1, 3),
        _bias(2), result=_image(0.4, -3, (1, 8, 12, 2)), QuantizedBiasType=0,
    ).with_field("StrideH", 2).with_field("StrideW", 2),
    _layer(
        "FULLY_CONNECTED", Operand((1, 8), zero_point=3), _weights(4, 8), _bias(4),
        result=Operand((1, 4), scale=0.4), options="FullyConnectedOptions", FusedActivationFunction=_NONE,
        WeightsFormat=0, KeepNumDims=False, AsymmetricQuantizeInputs=False, QuantizedBiasType=0,
    ),
    _layer(
        "BATCH_MATMUL", Operand((1, 2, 4, 4), zero_point=3), Operand((1, 2, 4, 4), scale=0.07, zero_point=-9),
        result=Operand((1, 2, 4, 4), scale=0.4), options="BatchMatMulOptions", AdjX=False, AdjY=False,
        AsymmetricQuantizeInputs=False,
    ),
    _layer(
        "CONCATENATION", _image(), _image(), result=_image(shape=(1, 4, 6, 6)),
        options="ConcatenationOptions", Axis=3, FusedActivationFunction=_NONE,
    ),
    _layer("PACK", _image(), _image(), result=_image(shape=(1, 2, 4, 6, 3)), options="PackOptions",
        Axis=1, ValuesCount=2),
    _moving("PAD", _table([0, 0], [1, 2], [0, 1], [0, 0]), shape=(1, 7, 7, 3), options="PadOptions"),
    _moving("MIRROR_PAD", _table([0, 0], [1, 2], [0, 1], [0, 0]),
        shape=(1, 7, 7, 3), options="MirrorPadOptions", Mode=0),
    _moving("RESHAPE", _numbers(1, 24, 3), shape=(1, 24, 3), options="ReshapeOptions", NewShape=[1, 24, 3]),
    _layer("SQUEEZE", _image(shape=(1, 1, 6, 3)), result=_image(shape=(1, 6, 3)), options="SqueezeOptions",
        SqueezeDims=[1]),
    _moving("EXPAND_DIMS", _numbers(1), shape=(1, 1, 4, 6, 3), options="ExpandDimsOptions"),
    _moving("TRANSPOSE", _numbers(0, 2, 1, 3), shape=(1, 6, 4, 3), options="TransposeOptions"),
    _resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    _resize("RESIZE_BILINEAR", "ResizeBilinearOptions"),
    _moving(
        "SLICE", _numbers(0, 1, 2, 0), _numbers(1, 2, -1, 3), shape=(1, 2, 4, 3), options="SliceOptions"
    ),
    _moving(
        "STRIDED_SLICE", _numbers(0, 1, -5, 0), _numbers(1, 4, 6, 3), _numbers(1, 2, 2, 1),
        shape=(1, 2, 3, 3), options="StridedSliceOptions", BeginMask=0, EndMask=0, EllipsisMask=0,
        NewAxisMask=0, ShrinkAxisMask=0, Offset=False,
    ),
    _parts("SPLIT", "SplitOptions", _number(2), _image(), shape=(1, 4, 2, 3), count=3, NumSplits=3),
    _parts(
        "SPLIT_V", "SplitVOptions", _image(), _numbers(2, 2, 2), _number(2),
        shape=(1, 4, 2, 3), count=3, NumSplits=3,
    ),
    _parts("UNPACK", "UnpackOptions", _image(), shape=(1, 6, 3), count=4, Axis=1, Num=4),
    _moving("BROADCAST_TO", _numbers(1, 2, 4, 6, 3), shape=(1, 2, 4, 6, 3), options="BroadcastToOptions")
    .with_version(3),
    _layer(
        "DEPTH_TO_SPACE", _image(shape=(1, 2, 3, 12)), result=_image(), options="DepthToSpaceOptions",
        BlockSize=2,
    ),
    _moving("GATHER", _numbers(5, 0, 0, 3), shape=(1, 4, 4, 3), options="GatherOptions", Axis=2, BatchDims=0),
    _reduction("REDUCE_MAX"),
    _reduction("REDUCE_MIN"),
    _moving("REVERSE_V2", _numbers(2), shape=_IMAGE, options="ReverseV2Options"),
    _moving("SPACE_TO_DEPTH", shape=(1, 2, 3, 12), options="SpaceToDepthOptions", BlockSize=2),
    _moving("TILE", _numbers(1, 2, 1, 3), shape=(1, 8, 6, 9), options="TileOptions"),
    _lstm(),
    _svdf(),
)  # fmt: skip
