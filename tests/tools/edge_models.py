"""Models whose inputs and outputs have all element types that edges can have, from each frontend.

Each input is brought to int8 of one scale; together they are the channels that a convolution of single pixels
reads, and its result is given out in each type.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.frontend.torch_tools import DEQUANTIZE, QUANTIZE
from tests.tools.tflite_writer import ACTIVATION, PADDING, TFLiteWriter

SIZE = 4
CHANNELS = 3


@dataclass(frozen=True)
class EdgeType:
    """An element type with a quantization; float32 has none."""

    dtype: str
    scale: float = 1.0
    zero_point: int = 0

    def cases(self, count: int, seed: int) -> np.ndarray:
        """Random values [count, 1, SIZE, SIZE, 1]: the whole range, or floats about that of `INNER`."""
        generator = np.random.default_rng(seed)
        shape = (count, 1, SIZE, SIZE, 1)
        if self.dtype == "float32":
            return generator.uniform(-14, 14, shape).astype(np.float32)
        limits = np.iinfo(self.dtype)
        return generator.integers(limits.min, limits.max, shape, self.dtype, endpoint=True)

    def real(self, values: np.ndarray) -> np.ndarray:
        """What integers stand for."""
        return (values.astype(np.float64) - self.zero_point) * self.scale


INNER = EdgeType("int8", 0.1, -5)
RESULT = EdgeType("int8", 0.2, 7)
INPUTS = (
    EdgeType("float32"),
    INNER,
    EdgeType("uint8", 0.1, 123),  # the same numbers as INNER
    EdgeType("uint8", 0.07, 130),
    EdgeType("int16", 0.0004),
)
OUTPUTS = (
    RESULT,
    EdgeType("uint8", 0.2, 135),  # the same numbers as RESULT
    EdgeType("uint8", 0.31, 90),
    EdgeType("int16", 0.001),
    EdgeType("float32"),
)


def weights(inputs: int) -> np.ndarray:
    """int8 [outputs, inputs] of scale 0.01."""
    return np.random.default_rng(4).integers(-90, 91, (CHANNELS, inputs)).astype(np.int8)


def tflite_model(inputs: Sequence[EdgeType] = INPUTS, outputs: Sequence[EdgeType] = OUTPUTS) -> bytes:
    """A TFLite file: QUANTIZE where an edge is not the inner type, DEQUANTIZE for float outputs."""
    net = TFLiteWriter()

    def tensor(name: str, channels: int, of: EdgeType) -> int:
        scale = None if of.dtype == "float32" else of.scale
        return net.add_tensor(name, (1, SIZE, SIZE, channels), of.dtype, scale, of.zero_point)

    sources, parts = [], []
    for index, edge in enumerate(inputs):
        sources.append(tensor(f"in{index}", 1, edge))
        parts.append(sources[-1])
        if edge != INNER:
            parts[-1] = tensor(f"part{index}", 1, INNER)
            net.add_operator("QUANTIZE", [sources[-1]], [parts[-1]], "QuantizeOptions")
    joined = parts[0]
    if len(parts) > 1:
        joined = tensor("joined", len(parts), INNER)
        net.add_operator("CONCATENATION", parts, [joined], "ConcatenationOptions", Axis=3)
    values = weights(len(inputs))[:, None, None]
    w = net.add_tensor("w", values.shape, scale=np.full(CHANNELS, 0.01), data=values)
    bias = net.add_tensor("bias", (CHANNELS,), "int32", np.full(CHANNELS, 0.001), data=np.zeros(CHANNELS))
    result = tensor("result", CHANNELS, RESULT)
    net.add_operator(
        "CONV_2D", [joined, w, bias], [result], "Conv2DOptions", Padding=PADDING["VALID"],
        StrideH=1, StrideW=1, DilationHFactor=1, DilationWFactor=1,
        FusedActivationFunction=ACTIVATION["NONE"],
    )  # fmt: skip
    given = []
    for index, edge in enumerate(outputs):
        given.append(result if edge == RESULT else tensor(f"out{index}", CHANNELS, edge))
        if edge != RESULT:
            kind = "DEQUANTIZE" if edge.dtype == "float32" else "QUANTIZE"
            net.add_operator(kind, [result], [given[-1]], f"{kind.capitalize()}Options")
    return net.finish(sources, given)


def image_classifier(source: str, output: str, size: int) -> bytes:
    """What networks searched for microcontrollers look like: an image [1,size,size,3] to two probabilities.

    source, output: dtypes of the edges; QUANTIZE or DEQUANTIZE stand there unless these are int8.
    """
    net = TFLiteWriter()
    generator = np.random.default_rng(1)
    strides: dict[str, int] = {"StrideH": 1, "StrideW": 1, "Padding": PADDING["SAME"]}
    rectified = ACTIVATION["RELU"]
    dilations = {"DilationHFactor": 1, "DilationWFactor": 1}

    def activation(name: str, shape: Sequence[int], zero_point: int = -128) -> int:
        return net.add_tensor(name, shape, scale=0.02, zero_point=zero_point)

    def constant(name: str, shape: Sequence[int], axis: int = 0) -> int:
        values = generator.integers(-90, 91, shape)
        return net.add_tensor(name, shape, scale=np.full(shape[axis], 0.01), axis=axis, data=values)

    def bias(channels: int) -> int:
        values = generator.integers(-400, 400, channels)
        return net.add_tensor("bias", (channels,), "int32", np.full(channels, 0.0002), data=values)

    image = activation("image", (1, size, size, 3), -1)
    first = activation("first", (1, size, size, 4))
    second = activation("second", (1, size, size, 4))
    pooled = activation("pooled", (1, size // 2, size // 2, 4))
    means = activation("means", (1, 4))
    scores = net.add_tensor("scores", (1, 2), scale=0.1, zero_point=3)
    result = net.add_tensor("result", (1, 2), scale=1 / 256, zero_point=-128)
    given, taken = image, result
    if source == "uint8":
        given = net.add_tensor("given", (1, size, size, 3), source, 0.02, 127)
        net.add_operator("QUANTIZE", [given], [image], "QuantizeOptions")
    net.add_operator(
        "CONV_2D", [image, constant("w", (4, 3, 3, 3)), bias(4)], [first], "Conv2DOptions",
        FusedActivationFunction=rectified, **strides, **dilations,
    )  # fmt: skip
    net.add_operator(
        "DEPTHWISE_CONV_2D", [first, constant("dw", (1, 3, 3, 4), 3), bias(4)], [second],
        "DepthwiseConv2DOptions", DepthMultiplier=1, FusedActivationFunction=rectified, **strides,
        **dilations,
    )  # fmt: skip
    net.add_operator(
        "MAX_POOL_2D", [second], [pooled], "Pool2DOptions", Padding=PADDING["VALID"], StrideH=2, StrideW=2,
        FilterHeight=2, FilterWidth=2,
    )  # fmt: skip
    axes = net.add_tensor("axes", (2,), "int32", data=np.array([1, 2]))
    net.add_operator("MEAN", [pooled, axes], [means], "ReducerOptions")
    dense = net.add_tensor("dense", (2, 4), scale=0.01, data=generator.integers(-90, 91, (2, 4)))
    net.add_operator("FULLY_CONNECTED", [means, dense, -1], [scores], "FullyConnectedOptions")
    net.add_operator("SOFTMAX", [scores], [result], "SoftmaxOptions", Beta=1.0)
    if output == "uint8":
        taken = net.add_tensor("taken", (1, 2), output, 1 / 256, 0)
        net.add_operator("QUANTIZE", [result], [taken], "QuantizeOptions")
    elif output == "float32":
        taken = net.add_tensor("taken", (1, 2), output)
        net.add_operator("DEQUANTIZE", [result], [taken], "DequantizeOptions")
    return net.finish([given], [taken])


def onnx_model() -> onnx.ModelProto:
    """The same of ONNX, NCHW: DequantizeLinear and QuantizeLinear at each edge."""
    constants: dict[str, np.ndarray] = {"w": weights(len(INPUTS))[:, :, None, None]}
    constants |= {"w_scale": np.float32(0.01), "w_zero": np.int8(0)}  # type: ignore[dict-item]
    nodes, types = [], {name: TensorProto.DataType.Value(name.upper()) for name in ("int8", "uint8", "int16")}
    types["float32"] = TensorProto.FLOAT

    def convert(kind: str, source: str, result: str, of: EdgeType) -> str:
        constants[f"{result}_scale"] = np.float32(of.scale)  # type: ignore[assignment]
        constants[f"{result}_zero"] = np.array(of.zero_point, of.dtype)
        nodes.append(helper.make_node(kind, [source, f"{result}_scale", f"{result}_zero"], [result]))
        return result

    parts = []
    for index, edge in enumerate(INPUTS):
        real = f"in{index}"
        if edge.dtype != "float32":
            real = convert("DequantizeLinear", real, f"real{index}", edge)
        integers = convert("QuantizeLinear", real, f"part{index}", INNER)
        parts.append(convert("DequantizeLinear", integers, f"part_real{index}", INNER))
    nodes.append(helper.make_node("Concat", parts, ["joined"], axis=1))
    joined = convert("QuantizeLinear", "joined", "joined_integers", INNER)
    joined = convert("DequantizeLinear", joined, "joined_real", INNER)
    nodes.append(helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["w_real"]))
    nodes.append(helper.make_node("Conv", [joined, "w_real"], ["c"]))
    integers = convert("QuantizeLinear", "c", "result", RESULT)
    result = convert("DequantizeLinear", integers, "result_real", RESULT)
    for index, edge in enumerate(OUTPUTS):
        if edge.dtype == "float32":
            nodes.append(helper.make_node("Identity", [result], [f"out{index}"]))
        else:
            convert("QuantizeLinear", result, f"out{index}", edge)

    def edges(side: str, channels: int, of: Sequence[EdgeType]) -> list[Any]:
        shape = [1, channels, SIZE, SIZE]
        return [
            helper.make_tensor_value_info(f"{side}{index}", types[edge.dtype], shape)
            for index, edge in enumerate(of)
        ]

    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(
        nodes, "edges", edges("in", 1, INPUTS), edges("out", CHANNELS, OUTPUTS), initializers
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


class TorchEdges(torch.nn.Module):
    """The same of torch, in the form that PT2E leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.from_numpy(weights(len(INPUTS))[:, :, None, None]), False)

    @staticmethod
    def quantized(real: torch.Tensor, of: EdgeType) -> torch.Tensor:
        dtype, limits = getattr(torch, of.dtype), np.iinfo(of.dtype)
        return QUANTIZE(real, of.scale, of.zero_point, int(limits.min), int(limits.max), dtype)

    @staticmethod
    def real(integers: torch.Tensor, of: EdgeType) -> torch.Tensor:
        dtype, limits = getattr(torch, of.dtype), np.iinfo(of.dtype)
        return DEQUANTIZE(integers, of.scale, of.zero_point, int(limits.min), int(limits.max), dtype)

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        parts = []
        for value, edge in zip(inputs, INPUTS, strict=True):
            real = value if edge.dtype == "float32" else self.real(value, edge)
            parts.append(self.real(self.quantized(real, INNER), INNER))
        joined = self.real(self.quantized(torch.cat(parts, 1), INNER), INNER)
        product = torch.nn.functional.conv2d(joined, self.real(self.w, EdgeType("int8", 0.01)))
        result = self.real(self.quantized(product, RESULT), RESULT)
        return tuple(result if edge.dtype == "float32" else self.quantized(result, edge) for edge in OUTPUTS)
