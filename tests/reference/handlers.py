"""How each TFLite operator's tensors and options become a call of a reference function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tflite

from . import activation, conversion, convolution, dense, elementwise, movement, pooling, recurrent, reduction
from .fixed_point import Range, activation_range
from .interpreter import Array, Handler, Run
from .softmax import softmax_int8, softmax_int16

FUSED = {
    tflite.ActivationFunctionType.NONE: "none",
    tflite.ActivationFunctionType.RELU: "relu",
    tflite.ActivationFunctionType.RELU_N1_TO_1: "relu_n1_to_1",
    tflite.ActivationFunctionType.RELU6: "relu6",
}


def bounds(run: Run) -> Range:
    """The output's range under the operator's fused activation."""
    output = run.output
    fused = FUSED[run.operator.options.FusedActivationFunction()] if run.operator.options else "none"
    return activation_range(fused, output.quantization, output.range)


def spatial(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of an NHWC or OHWI shape."""
    return shape[1], shape[2]


def window(run: Run, size: tuple[int, int], kernel: tuple[int, int]) -> convolution.Window:
    options = run.operator.options
    stride = (options.StrideH(), options.StrideW())
    dilation = (1, 1)
    if run.operator.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        dilation = (options.DilationHFactor(), options.DilationWFactor())
    if options.Padding() == tflite.Padding.SAME:
        return convolution.same_window(size, kernel, stride, dilation)
    return convolution.Window(stride, dilation)


def has_wide_accumulator(bias: Array | None, activations: np.dtype[Any]) -> bool:
    return activations == np.int16 and (bias is None or bias.dtype == np.int64)


def conv_2d(run: Run) -> Sequence[Array]:
    depthwise = run.operator.kind == "DEPTHWISE_CONV_2D"
    own, weights, bias = run.tensor(0), run.value(1), run.optional(2)
    requantize = convolution.convolution_requantization(
        own.quantization.scale,
        run.tensor(1).scales,
        run.output.quantization,
        bounds(run),
        has_wide_accumulator(bias, own.dtype),
    )
    place = window(run, spatial(own.shape), spatial(weights.shape))
    function = convolution.depthwise_conv2d if depthwise else convolution.conv2d
    return [function(run.value(0), weights, bias, own.quantization.zero_point, place, requantize)]


def transpose_conv(run: Run) -> Sequence[Array]:
    own, weights, bias = run.tensor(2), run.value(1), run.optional(3)
    requantize = convolution.convolution_requantization(
        own.quantization.scale,
        run.tensor(1).scales,
        run.output.quantization,
        bounds(run),
        own.dtype == np.int16,
    )
    size = spatial(run.output.shape)
    place = window(run, size, spatial(weights.shape))
    return [
        convolution.transpose_conv2d(
            run.value(2), weights, bias, own.quantization.zero_point, size, place, requantize
        )
    ]


def fully_connected(run: Run) -> Sequence[Array]:
    own, weights, bias = run.tensor(0), run.tensor(1), run.optional(2)
    requantize = convolution.convolution_requantization(
        own.quantization.scale,
        weights.scales,
        run.output.quantization,
        bounds(run),
        has_wide_accumulator(bias, own.dtype),
    )
    zero_point = weights.zero_points[0] if len(weights.scales) == 1 else 0
    return [
        dense.fully_connected(
            run.value(0), run.value(1), bias, own.quantization.zero_point, requantize, zero_point
        )
    ]


def binary(function: Callable[..., Any], int16_shift: bool = False) -> Handler:
    def handler(run: Run) -> Sequence[Array]:
        quantizations = (run.tensor(0).quantization, run.tensor(1).quantization, run.output.quantization)
        extra = []
        if int16_shift:
            is_int8 = run.output.dtype == np.int8
            extra = [elementwise.INT8_LEFT_SHIFT if is_int8 else elementwise.INT16_LEFT_SHIFT]
        return [function(run.value(0), run.value(1), quantizations, bounds(run), *extra)]

    return handler


def pool(function: Callable[..., Any]) -> Handler:
    def handler(run: Run) -> Sequence[Array]:
        options = run.operator.options
        kernel = (options.FilterHeight(), options.FilterWidth())
        return [
            function(run.value(0), kernel, window(run, spatial(run.tensor(0).shape), kernel), bounds(run))
        ]

    return handler


def reduce(function: Callable[..., Any]) -> Handler:
    def handler(run: Run) -> Sequence[Array]:
        return [
            function(
                run.value(0),
                np.atleast_1d(run.value(1)).tolist(),
                bool(run.operator.options.KeepDims()),
                run.tensor(0).quantization,
                run.output.quantization,
                run.output.range,
            )
        ]

    return handler


def softmax(run: Run) -> Sequence[Array]:
    own = run.tensor(0)
    beta = float(run.operator.options.Beta())
    if own.dtype == np.int16:
        return [softmax_int16(run.value(0), own.quantization.scale, beta)]
    return [softmax_int8(run.value(0), own.quantization.scale, beta, run.output.range)]


def sigmoid_like(narrow: Callable[..., Any], wide: Callable[..., Any]) -> Handler:
    def handler(run: Run) -> Sequence[Array]:
        own = run.tensor(0)
        if own.dtype == np.int16:
            return [wide(run.value(0), own.quantization.scale)]
        return [narrow(run.value(0), own.quantization)]

    return handler


def relu(run: Run) -> Sequence[Array]:
    own = run.tensor(0)
    return [
        activation.relu(run.value(0), own.quantization, run.output.quantization, "relu", run.output.range)
    ]


def relu6(run: Run) -> Sequence[Array]:
    return [activation.relu6(run.value(0), run.tensor(0).quantization, run.output.range)]


def leaky_relu(run: Run) -> Sequence[Array]:
    alpha = float(run.operator.options.Alpha())
    return [
        activation.leaky_relu(
            run.value(0), run.tensor(0).quantization, run.output.quantization, alpha, run.output.range
        )
    ]


def prelu(run: Run) -> Sequence[Array]:
    quantizations = (run.tensor(0).quantization, run.tensor(1).quantization, run.output.quantization)
    return [activation.prelu(run.value(0), run.value(1), quantizations)]


def hard_swish(run: Run) -> Sequence[Array]:
    return [activation.hard_swish(run.value(0), run.tensor(0).quantization, run.output.quantization)]


def absolute(run: Run) -> Sequence[Array]:
    return [
        elementwise.absolute(
            run.value(0), run.tensor(0).quantization, run.output.quantization, run.output.range
        )
    ]


def quantize(run: Run) -> Sequence[Array]:
    own, output = run.tensor(0), run.output
    if own.dtype == np.float32:
        return [conversion.quantize(run.value(0), output.quantization, output.range)]
    return [conversion.requantize(run.value(0), own.quantization, output.quantization, output.range)]


def dequantize(run: Run) -> Sequence[Array]:
    return [conversion.dequantize(run.value(0), run.tensor(0).quantization)]


def cast(run: Run) -> Sequence[Array]:
    return [conversion.cast(run.value(0), run.output.dtype)]


def unchanged(run: Run) -> Sequence[Array]:
    return [run.value(0)]


def pad(run: Run) -> Sequence[Array]:
    constant = run.optional(2)
    value = run.output.quantization.zero_point if constant is None else int(constant.reshape(-1)[0])
    return [movement.pad(run.value(0), run.value(1), value)]


def concatenation(run: Run) -> Sequence[Array]:
    parts = [run.value(i) for i in range(len(run.operator.inputs))]
    return [movement.concatenation(parts, run.operator.options.Axis())]


def pack(run: Run) -> Sequence[Array]:
    parts = [run.value(i) for i in range(len(run.operator.inputs))]
    return [movement.pack(parts, run.operator.options.Axis())]


def split(run: Run) -> Sequence[Array]:
    return movement.split(run.value(1), run.operator.options.NumSplits(), int(run.value(0).reshape(-1)[0]))


def strided_slice(run: Run) -> Sequence[Array]:
    options = run.operator.options
    begin, end, strides = (run.value(index).tolist() for index in (1, 2, 3))
    masks = (options.BeginMask(), options.EndMask(), options.ShrinkAxisMask())
    return [movement.strided_slice(run.value(0), begin, end, strides, *masks)]


def transpose(run: Run) -> Sequence[Array]:
    return [np.transpose(run.value(0), run.value(1).tolist())]


def shape(run: Run) -> Sequence[Array]:
    return [np.asarray(run.value(0).shape)]


def resize(function: Callable[..., Any]) -> Handler:
    def handler(run: Run) -> Sequence[Array]:
        options = run.operator.options
        height, width = run.value(1).tolist()
        flags = (bool(options.AlignCorners()), bool(options.HalfPixelCenters()))
        return [function(run.value(0), (height, width), *flags)]

    return handler


def arg_max(run: Run) -> Sequence[Array]:
    return [reduction.arg_max(run.value(0), int(run.value(1).reshape(-1)[0]))]


def svdf(run: Run) -> Sequence[Array]:
    state = run.tensor(4)
    quantization = recurrent.SvdfQuantization(
        run.tensor(0).quantization,
        run.tensor(1).quantization.scale,
        run.tensor(2).quantization.scale,
        state.quantization,
        run.output.quantization,
        state.range,
    )
    result, new_state = recurrent.svdf(
        run.value(0),
        run.value(1),
        run.value(2),
        run.optional(3),
        run.value(4),
        run.operator.options.Rank(),
        quantization,
    )
    run.values[run.operator.inputs[4]] = new_state.astype(state.dtype)
    return [result]


# Input numbers of UNIDIRECTIONAL_SEQUENCE_LSTM, gates in the order of recurrent.GATES.
LSTM_INPUT_WEIGHTS, LSTM_RECURRENT_WEIGHTS, LSTM_BIASES = 1, 5, 12
LSTM_HIDDEN, LSTM_CELL = 18, 19


def lstm(run: Run) -> Sequence[Array]:
    options = run.operator.options
    gates = {
        name: recurrent.LstmGate(
            run.value(LSTM_INPUT_WEIGHTS + index).astype(np.int64),
            run.tensor(LSTM_INPUT_WEIGHTS + index).quantization.scale,
            run.value(LSTM_RECURRENT_WEIGHTS + index).astype(np.int64),
            run.tensor(LSTM_RECURRENT_WEIGHTS + index).quantization.scale,
            run.optional(LSTM_BIASES + index),
        )
        for index, name in enumerate(recurrent.GATES)
    }
    x = run.value(0)
    result, hidden, cell = recurrent.lstm(
        x.swapaxes(0, 1) if options.TimeMajor() else x,
        gates,
        run.value(LSTM_HIDDEN),
        run.value(LSTM_CELL),
        (
            run.tensor(0).quantization,
            run.tensor(LSTM_HIDDEN).quantization,
            run.tensor(LSTM_CELL).quantization,
        ),
        float(options.CellClip()),
    )
    run.values[run.operator.inputs[LSTM_HIDDEN]] = hidden.astype(np.int8)
    run.values[run.operator.inputs[LSTM_CELL]] = cell.astype(np.int16)
    return [result.swapaxes(0, 1) if options.TimeMajor() else result]


HANDLERS: dict[str, Handler] = {
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": conv_2d,
    "TRANSPOSE_CONV": transpose_conv,
    "FULLY_CONNECTED": fully_connected,
    "ADD": binary(elementwise.add, int16_shift=True),
    "SUB": binary(elementwise.sub, int16_shift=True),
    "MUL": binary(elementwise.mul),
    "DIV": binary(elementwise.div),
    "MAXIMUM": lambda run: [elementwise.maximum(run.value(0), run.value(1))],
    "MINIMUM": lambda run: [elementwise.minimum(run.value(0), run.value(1))],
    "ABS": absolute,
    "AVERAGE_POOL_2D": pool(pooling.average_pool2d),
    "MAX_POOL_2D": pool(pooling.max_pool2d),
    "MEAN": reduce(reduction.mean),
    "SUM": reduce(reduction.sum_),
    "ARG_MAX": arg_max,
    "SOFTMAX": softmax,
    "LOGISTIC": sigmoid_like(activation.logistic_int8, activation.logistic_int16),
    "TANH": sigmoid_like(activation.tanh_int8, activation.tanh_int16),
    "RELU": relu,
    "RELU6": relu6,
    "LEAKY_RELU": leaky_relu,
    "PRELU": prelu,
    "HARD_SWISH": hard_swish,
    "QUANTIZE": quantize,
    "DEQUANTIZE": dequantize,
    "CAST": cast,
    "RESHAPE": unchanged,
    "SQUEEZE": unchanged,
    "EXPAND_DIMS": unchanged,
    "PAD": pad,
    "PADV2": pad,
    "TRANSPOSE": transpose,
    "CONCATENATION": concatenation,
    "PACK": pack,
    "SPLIT": split,
    "STRIDED_SLICE": strided_slice,
    "SHAPE": shape,
    "RESIZE_NEAREST_NEIGHBOR": resize(movement.resize_nearest_neighbor),
    "RESIZE_BILINEAR": resize(movement.resize_bilinear),
    "SVDF": svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
}
