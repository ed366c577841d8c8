"""Draws of operators that compute: layers, elementwise arithmetic, functions of one tensor, reductions.

Each adds one operator with tensors of its own to a RandomModel.
"""

from typing import Any

import numpy as np

from tests.tools.random_model import Array, Operand, RandomModel, Shape, tied_scale
from tests.tools.random_movement import Draw, resized
from tests.tools.tflite_writer import PADDING

ROWS: Shape = (1, 16, 64)


def _binary(kind: str, options: str, *ratios: float) -> Draw:
    """ADD and its like of two tensors, of which the second may be broadcast, or a constant."""

    def draw(model: RandomModel) -> None:
        a = model.input(ROWS)
        first = model.inputs[-1]
        shape = model.choose(ROWS, (1, 1, 64), (1, 16, 1), (1,), (64,))
        scale = float(np.float32(a.scale * model.generator.uniform(0.3, 3.0)))
        if model.happens(0.4):
            data = model.values(shape, model.dtype)
            b = model.tensor(shape, model.dtype, scale, zero_point=model.zero_point(), data=data)
        else:
            b = model.input(shape, scale)
            data = model.inputs[-1]
        wider = 1 if model.dtype == "int8" else 256
        if kind == "MUL":
            products = (first.astype(np.int64) - a.zero_point) * (data.astype(np.int64) - b.zero_point)
            result = model.scale_for(a.scale * scale, *(ratio * wider for ratio in ratios), sums=products)
        elif kind == "SQUARED_DIFFERENCE":
            result = model.scale_for(max(a.scale, scale) ** 2, *(ratio * wider for ratio in ratios))
        else:
            result = model.scale_for(max(a.scale, scale), *ratios)
        y = model.output(ROWS, result)
        pair = [b, a] if model.happens(0.3) else [a, b]
        fields = {} if kind == "SQUARED_DIFFERENCE" else {"FusedActivationFunction": model.activation()}
        model.add(kind, pair, [y], options, **fields)

    return draw


def _divide(model: RandomModel) -> None:
    """DIV with quotients that are not near 0, where TFLM shifts by more than 31 bits."""
    operands = []
    for low in (64, 1):
        operand = model.input(ROWS, zero_point=model.choose(-128, 127))
        distances = model.generator.integers(low, 256, ROWS)
        distances[..., :8] = low  # quotients that are whole
        model.inputs[-1] = operand.zero_point + np.where(operand.zero_point < 0, 1, -1) * distances
        model.inputs[-1] = model.inputs[-1].astype(np.int8)
        operands.append(operand)
    a, b = operands
    scale = tied_scale(a.scale / b.scale, 64, model.choose(0.02, 0.1, 0.4, 0.9))
    model.add("DIV", operands, [model.output(ROWS, scale)], "DivOptions")


def _chosen(kind: str) -> Draw:
    """MAXIMUM and MINIMUM, all in one quantization."""

    def draw(model: RandomModel) -> None:
        a = model.input(ROWS)
        b = model.input(model.choose(ROWS, (1, 1, 64)), a.scale, a.zero_point)
        model.add(kind, [a, b], [model.output(ROWS, a.scale, a.zero_point)], "MaximumMinimumOptions")

    return draw


def _unary(
    kind: str, *, options: str = "", is_positive: bool = False, high: float = 2.0, **fields: Any
) -> Draw:
    """A function of one tensor; `high` is the largest scale of its input."""

    def draw(model: RandomModel) -> None:
        x = model.input(ROWS, model.scale(1e-3, high), -128 if is_positive else None)
        y = model.output(ROWS, model.scale_for(x.scale, 0.4, 1.0, 2.5))
        model.add(kind, [x], [y], options, **fields)

    return draw


def _in_place(kind: str) -> Draw:
    """RELU6 and its like: TFLM does not change the scale."""

    def draw(model: RandomModel) -> None:
        x = model.input(ROWS)
        model.add(kind, [x], [model.output(ROWS, x.scale, x.zero_point)])

    return draw


def _l2_normalization(model: RandomModel) -> None:
    """L2_NORMALIZATION of vectors, some of them 0 or a single step long."""
    channels = model.choose(1, 2, 5, 64, 700)
    x = model.input((1, 16, channels))
    values = model.inputs[-1]
    values[0, :4] = x.zero_point
    values[0, 1:4, 0] += np.array([1 if x.zero_point < 127 else -1, 0, 0], np.int8)
    values[0, 4] = (x.zero_point + values[0, 4].astype(np.int64) % 3 - 1).clip(-128, 127)
    model.add(
        "L2_NORMALIZATION", [x], [model.output(x.shape, 2.0**-7, 0)], "L2NormOptions",
        FusedActivationFunction=0,
    )  # fmt: skip


def _negative(model: RandomModel) -> None:
    """NEG, which looks at no quantization."""
    x = model.input(ROWS, zero_point=0)
    model.add("NEG", [x], [model.output(ROWS, x.scale, 0)])


def _saturating(kind: str, scale: float, zero_point: int) -> Draw:
    """LOGISTIC, TANH, SOFTMAX and LOG_SOFTMAX, whose output has a quantization of its own."""

    def draw(model: RandomModel) -> None:
        wide = model.dtype == "int16"
        x = model.input((1, 16, 64), model.scale(1e-5, 1e-3) if wide else model.scale(1e-3, 1.0))
        y = model.output(ROWS, 2.0**-15 if wide else scale, 0 if wide else zero_point)
        options = {"options": "SoftmaxOptions", "Beta": 1.0} if kind == "SOFTMAX" else {}
        model.add(kind, [x], [y], **options)

    return draw


def _prelu(model: RandomModel) -> None:
    x = model.input((1, 9, 8, 6))
    data = model.values((1, 1, 6), "int8")
    slopes = model.tensor(data.shape, "int8", model.scale(), zero_point=model.zero_point(), data=data)
    model.add("PRELU", [x, slopes], [model.output(x.shape, model.scale_for(x.scale, 0.4, 1.0, 2.5))])


def _layer(
    model: RandomModel, x: Operand, shape: Shape, axis: int, patch: Array
) -> tuple[Operand, Operand | None, float]:
    """Weights, bias and output scale of a layer.

    axis: of the output channels in the weights. patch: inputs that one sum is made of, to be broadcast to
    the weights.
    """
    count = shape[axis]
    spreads = model.generator.uniform(0.3, 1.0, count if model.happens(0.6) else 1)
    scales = np.asarray(spreads * model.scale(), np.float32)
    data = np.clip(model.values(shape, "int8"), -127, 127).astype(np.int64)
    weights = model.tensor(shape, "int8", scales, axis=axis, data=data)
    others = tuple(index for index in range(len(shape)) if index != axis)
    centred = patch.astype(np.int64) - x.zero_point
    sums = (centred * data).sum(others)
    spread = 1.0 + np.abs(sums).mean()
    bias = None
    if model.happens(0.7):
        numbers = np.round(model.generator.normal(0, spread, count)).astype(np.int64)
        dtype = "int32" if model.dtype == "int8" else "int64"
        bias = model.tensor((count,), dtype, np.float32(x.scale) * scales, data=numbers)
        sums += numbers
    channel = int(model.generator.integers(count))
    unit = x.scale * float(scales[min(channel, scales.size - 1)])
    step = spread / (100.0 if model.dtype == "int8" else 25000.0)
    ratios = [max(step * factor, 0.3) for factor in (0.3, 1.0, 4.0)]
    return weights, bias, model.scale_for(unit, *ratios, sums=sums[channel : channel + 1])


def _dense(model: RandomModel) -> None:
    inputs, outputs = model.choose(1, 3, 16, 64), model.choose(4, 32)
    x = model.input((1, 64, inputs))
    weights, bias, scale = _layer(model, x, (outputs, inputs), 0, model.inputs[-1][0, 0])
    y = model.output((1, 64, outputs), scale)
    model.add(
        "FULLY_CONNECTED", [x, weights, bias], [y], "FullyConnectedOptions",
        FusedActivationFunction=model.activation(), KeepNumDims=True,
    )  # fmt: skip


def _product(model: RandomModel) -> None:
    """BATCH_MATMUL of batches that are broadcast; either operand may be transposed, or a constant."""
    rows, depth, columns = model.choose(1, 5, 16), model.choose(1, 3, 24), model.choose(1, 4, 17)
    batches, other = model.choose(
        ((1,), ()), ((1,), (1,)), ((), (1, 3)), ((1, 3), (3,)), ((1, 2), (1, 1)), ((1, 2, 3), (1, 2, 1)),
        ((1, 2, 1), (3,)), ((1, 2, 1), (1, 1, 3)), ((1, 2, 1), (1, 3)),
    )  # fmt: skip
    constant = model.choose(None, 0, 1) if batches[:1] == other[:1] == (1,) else None
    flags = [model.happens(0.4), model.happens(0.4)]
    operands, values = [], []
    for place, shape in enumerate(((*batches, rows, depth), (*other, depth, columns))):
        stored = (*shape[:-2], shape[-1], shape[-2]) if flags[place] else shape
        operand, data = _matrices(model, stored, place == constant)
        operands.append(operand)
        centred = data.astype(np.int64) - operand.zero_point
        values.append(centred.swapaxes(-1, -2) if flags[place] else centred)
    sums = values[0] @ values[1]
    ratios = [max(np.abs(sums).mean() / 100 * factor, 0.3) for factor in (0.3, 1.0, 4.0)]
    y = model.output(sums.shape, model.scale_for(operands[0].scale * operands[1].scale, *ratios, sums=sums))
    model.add(
        "BATCH_MATMUL", operands, [y], "BatchMatMulOptions", AdjX=flags[0], AdjY=flags[1],
        AsymmetricQuantizeInputs=False,
    )  # fmt: skip


def _matrices(model: RandomModel, shape: Shape, is_constant: bool) -> tuple[Operand, Array]:
    """An operand of a product and its values.

    An input is flat before a RESHAPE, so that no transpose becomes its layout; as an input, what has a first
    axis of more than one would be several images.
    """
    if is_constant or shape[0] > 1:
        data = model.values(shape, model.dtype)
        return model.tensor(shape, model.dtype, model.scale(), zero_point=model.zero_point(), data=data), data
    x = model.input((1, int(np.prod(shape))))
    operand = model.tensor(shape, model.dtype, x.scale, zero_point=x.zero_point)
    model.add("RESHAPE", [x, model.integers(shape)], [operand], "ReshapeOptions")
    return operand, model.inputs[-1].reshape(shape)


def _window(model: RandomModel, side: int) -> tuple[dict[str, Any], int]:
    """Fields of a square window with stride and padding, and how often it fits over 12 pixels."""
    stride, padding = model.choose(1, 2), model.choose("SAME", "VALID")
    fields = {"Padding": PADDING[padding], "StrideH": stride, "StrideW": stride}
    return fields, -(-(12 if padding == "SAME" else 13 - side) // stride)


def _convolution(model: RandomModel) -> None:
    side, channels = model.choose(1, 3), model.choose(1, 4)
    x = model.input((1, 12, 12, channels))
    patch = model.inputs[-1][:, :side, :side]
    weights, bias, scale = _layer(model, x, (8, side, side, channels), 0, patch)
    fields, size = _window(model, side)
    y = model.output((1, size, size, 8), scale)
    model.add(
        "CONV_2D", [x, weights, bias], [y], "Conv2DOptions", DilationHFactor=1, DilationWFactor=1,
        FusedActivationFunction=model.activation(), **fields,
    )  # fmt: skip


def _depthwise(model: RandomModel) -> None:
    channels, multiplier = model.choose((8, 1), (4, 2), (1, 8))
    x = model.input((1, 12, 12, channels))
    patch = np.repeat(model.inputs[-1][:, :3, :3], multiplier, 3)
    weights, bias, scale = _layer(model, x, (1, 3, 3, 8), 3, patch)
    fields, size = _window(model, 3)
    y = model.output((1, size, size, 8), scale)
    model.add(
        "DEPTHWISE_CONV_2D", [x, weights, bias], [y], "DepthwiseConv2DOptions", DepthMultiplier=multiplier,
        DilationHFactor=1, DilationWFactor=1, FusedActivationFunction=model.activation(), **fields,
    )  # fmt: skip


def _transposed(model: RandomModel) -> None:
    """TRANSPOSE_CONV whose windows do not overlap."""
    x = model.input((1, 7, 7, 4))
    patch = np.full((1, 2, 2, 4), x.zero_point)  # of the four taps an output has the first
    patch[:, 0, 0] = model.inputs[-1][:, 0, 0]
    weights, bias, scale = _layer(model, x, (6, 2, 2, 4), 0, patch)
    y = model.output((1, 14, 14, 6), scale)
    model.add(
        "TRANSPOSE_CONV", [model.integers(y.shape), weights, x, bias], [y], "TransposeConvOptions",
        Padding=PADDING["SAME"], StrideH=2, StrideW=2,
    )  # fmt: skip


def _pooling(kind: str) -> Draw:
    def draw(model: RandomModel) -> None:
        side = model.choose(2, 3, 5)
        x = model.input((1, 12, 12, 8))
        fields, size = _window(model, side)
        y = model.output((1, size, size, 8), x.scale, x.zero_point)
        model.add(
            kind, [x], [y], "Pool2DOptions", FilterHeight=side, FilterWidth=side,
            FusedActivationFunction=model.activation(), **fields,
        )  # fmt: skip

    return draw


def _reduction(kind: str) -> Draw:
    def draw(model: RandomModel) -> None:
        axes = model.choose((1, 2), (1,), (3,), (2, 3), (1, 2, 3))
        x = model.input((1, 7, 9, 20))
        shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        count = 1.0 if kind == "MEAN" else float(np.prod(x.shape) / np.prod(shape)) ** 0.5
        y = model.output(shape, model.scale_for(x.scale, 0.2 * count, count, 2.0 * count))
        model.add(kind, [x, model.integers(axes)], [y], "ReducerOptions", KeepDims=True)

    return draw


def _position(kind: str, options: str) -> Draw:
    """ARG_MAX and ARG_MIN."""

    def draw(model: RandomModel) -> None:
        x = model.input(ROWS)
        y = model.output(ROWS[:2], None, 0, "int32")
        model.add(kind, [x, model.integers(2)], [y], options, OutputType=2)

    return draw


def _conversion(kind: str, target: str) -> Draw:
    """QUANTIZE between integers of other widths and scales, DEQUANTIZE and CAST."""

    def draw(model: RandomModel) -> None:
        x = model.input(ROWS)
        if kind != "QUANTIZE":
            y = model.output(ROWS, None, 0, target)
        else:
            step = {"int8": 1.0, "int16": 2.0**-8, "int32": 2.0**-20}
            scale = model.scale_for(x.scale * step[target] / step[model.dtype], 0.4, 1.0, 2.5)
            y = model.output(ROWS, scale, None if target == "int8" else 0, target)
        model.add(kind, [x], [y])

    return draw


def _quantize(model: RandomModel) -> None:
    """QUANTIZE of real numbers, among them the middles between two integers."""
    x = model.tensor(ROWS, "float32")
    model.sources.append(x.index)
    y = model.output(ROWS, model.scale(1e-3, 2.0))
    steps = np.float32(model.generator.integers(-300, 300, ROWS) / 2)
    model.inputs.append(np.where(steps % 1, steps * np.float32(y.scale), model.generator.normal(0, 90, ROWS)))
    model.inputs[-1] = model.inputs[-1].astype(np.float32)
    model.add("QUANTIZE", [x], [y], "QuantizeOptions")


def _hard_swish(model: RandomModel) -> None:
    """HARD_SWISH; one of its two factors, whose mantissas have 15 bits, lies in the middle between two."""
    half = (model.generator.integers(2**14, 2**15) + 0.5) / 2.0**15
    if model.happens(0.5):
        x = model.input(ROWS)
        scale = x.scale / 128 / float(half) * 2.0 ** int(model.generator.integers(1, 9))
    else:
        x = model.input(ROWS, float(np.float32(half * 3 / 256 * 2.0 ** int(model.generator.integers(-3, 6)))))
        scale = x.scale * float(model.generator.uniform(0.6, 2.0))
    model.add("HARD_SWISH", [x], [model.output(ROWS, float(np.float32(scale)))])


def _leaky_relu(model: RandomModel) -> None:
    """LEAKY_RELU with ties on either side of zero."""
    x = model.input(ROWS)
    slope = float(np.float32(model.choose(0.1, 0.01, 0.3, 0.9, 1.7)))
    unit = x.scale * (abs(slope) if model.happens(0.7) else 1.0)
    y = model.output(ROWS, model.scale_for(unit, 0.5, 1.0, 2.0))
    model.add("LEAKY_RELU", [x], [y], "LeakyReluOptions", Alpha=slope)


ARITHMETIC: dict[str, Draw] = {
    "ABS": _unary("ABS"),
    "ADD": _binary("ADD", "AddOptions", 0.3, 1.0, 2.0),
    "ARG_MAX": _position("ARG_MAX", "ArgMaxOptions"),
    "ARG_MIN": _position("ARG_MIN", "ArgMinOptions"),
    "AVERAGE_POOL_2D": _pooling("AVERAGE_POOL_2D"),
    "BATCH_MATMUL": _product,
    "CAST": _conversion("CAST", "int32"),
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEQUANTIZE": _conversion("DEQUANTIZE", "float32"),
    "DIV": _divide,
    "ELU": _unary("ELU"),
    "EXP": _unary("EXP", high=0.02),
    "FULLY_CONNECTED": _dense,
    "GELU": _unary("GELU", options="GeluOptions"),
    "GELU by tanh": _unary("GELU", options="GeluOptions", Approximate=True),
    "HARD_SWISH": _hard_swish,
    "L2_NORMALIZATION": _l2_normalization,
    "LEAKY_RELU": _leaky_relu,
    "LOG": _unary("LOG", is_positive=True),
    "LOG_SOFTMAX": _saturating("LOG_SOFTMAX", 2.0**-4, 127),
    "LOGISTIC": _saturating("LOGISTIC", 2.0**-8, -128),
    "MAXIMUM": _chosen("MAXIMUM"),
    "MAX_POOL_2D": _pooling("MAX_POOL_2D"),
    "MEAN": _reduction("MEAN"),
    "MINIMUM": _chosen("MINIMUM"),
    "MUL": _binary("MUL", "MulOptions", 0.5, 20.0, 90.0),
    "NEG": _negative,
    "PRELU": _prelu,
    "QUANTIZE": _conversion("QUANTIZE", "int8"),
    "QUANTIZE of float32": _quantize,
    "QUANTIZE to int16": _conversion("QUANTIZE", "int16"),
    "QUANTIZE to int32": _conversion("QUANTIZE", "int32"),
    "RELU": _unary("RELU"),
    "RELU6": _in_place("RELU6"),
    "RELU_0_TO_1": _unary("RELU_0_TO_1"),
    "RELU_N1_TO_1": _unary("RELU_N1_TO_1"),
    "RSQRT": _unary("RSQRT", is_positive=True, high=0.1),
    "SQRT": _unary("SQRT", is_positive=True),
    "RESIZE_BILINEAR": resized("RESIZE_BILINEAR", "ResizeBilinearOptions"),
    "SOFTMAX": _saturating("SOFTMAX", 2.0**-8, -128),
    "SQUARED_DIFFERENCE": _binary("SQUARED_DIFFERENCE", "SquaredDifferenceOptions", 1.0, 20.0, 300.0),
    "SUB": _binary("SUB", "SubOptions", 0.3, 1.0, 2.0),
    "SUM": _reduction("SUM"),
    "TANH": _saturating("TANH", 2.0**-7, 0),
    "TRANSPOSE_CONV": _transposed,
}
