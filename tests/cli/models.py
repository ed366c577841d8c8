"""Small model files, sound and unsound, made for the tests of the command line."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.tools.tflite_writer import ACTIVATION, PADDING, TFLiteWriter

INPUT: dict[str, Any] = {"scale": 0.5, "zero_point": 3}
OUTPUT: dict[str, Any] = {"scale": 0.25, "zero_point": -7}


def tflite_model(
    *,
    shape: tuple[int, int, int, int] = (1, 4, 4, 2),
    float_edges: bool = False,
    dense_bias_scale: float | None = None,
) -> bytes:
    """A 3x3 convolution with RELU and a dense layer of 3 outputs; quantized inside QUANTIZE and DEQUANTIZE
    where `float_edges`. A `dense_bias_scale` far from 0.003 contradicts the dense layer's weights; without
    one it has no bias."""
    generator = np.random.default_rng(7)
    net = TFLiteWriter()
    batch, height, width, channels = shape
    features = abs(height * width * 4)
    x = net.add_tensor("x", shape, **INPUT)
    w = net.add_tensor(
        "w", (4, 3, 3, channels), scale=0.01, data=generator.integers(-127, 128, (4, 3, 3, channels))
    )
    b = net.add_tensor("b", (4,), "int32", scale=0.005, data=generator.integers(-500, 500, 4))
    c = net.add_tensor("first_layer", (batch, height, width, 4), scale=0.3, zero_point=-128)
    flat = net.add_tensor("flat", (batch, features), scale=0.3, zero_point=-128)
    dense = net.add_tensor(
        "dense", (3, features), scale=0.01, data=generator.integers(-127, 128, (3, features))
    )
    y = net.add_tensor("y", (batch, 3), **OUTPUT)
    source, result = x, y
    if float_edges:
        source = net.add_tensor("x_real", shape, "float32")
        net.add_operator("QUANTIZE", [source], [x], "QuantizeOptions")
    net.add_operator(
        "CONV_2D",
        [x, w, b],
        [c],
        "Conv2DOptions",
        Padding=PADDING["SAME"],
        StrideH=1,
        StrideW=1,
        FusedActivationFunction=ACTIVATION["RELU"],
        DilationHFactor=1,
        DilationWFactor=1,
    )
    net.add_operator("RESHAPE", [c], [flat], "ReshapeOptions", NewShape=[batch, features])
    bias = -1
    if dense_bias_scale is not None:
        bias = net.add_tensor("dense_bias", (3,), "int32", scale=dense_bias_scale, data=np.array([1, 2, 3]))
    net.add_operator("FULLY_CONNECTED", [flat, dense, bias], [y], "FullyConnectedOptions")
    if float_edges:
        result = net.add_tensor("y_real", (batch, 3), "float32")
        net.add_operator("DEQUANTIZE", [y], [result], "DequantizeOptions")
    return net.finish([source], [result])


def dense_tflite_model(activations: str, weights: str) -> bytes:
    """One dense layer of 8 inputs and 2 outputs with the given dtypes, quantized where these are integers."""
    net = TFLiteWriter()

    def quantization(dtype: str) -> dict[str, Any]:
        return {} if dtype == "float32" else {"scale": 0.1, "zero_point": 128 if dtype == "uint8" else 0}

    x = net.add_tensor("x", (1, 8), activations, **quantization(activations))
    w = net.add_tensor("w", (2, 8), weights, data=np.ones((2, 8)), **quantization(weights))
    y = net.add_tensor("y", (1, 2), activations, **quantization(activations))
    net.add_operator("FULLY_CONNECTED", [x, w, -1], [y], "FullyConnectedOptions")
    return net.finish([x], [y])


def custom_tflite_model() -> bytes:
    """One custom operator called FancyFilter."""
    net = TFLiteWriter()
    x, y = (net.add_tensor(name, (1, 8), scale=0.1) for name in "xy")
    net.add_operator("CUSTOM", [x], [y], custom="FancyFilter")
    return net.finish([x], [y])


def onnx_model(*, batch: int = 1, height: int | str = 5, is_quantized: bool = True) -> bytes:
    """A 3x3 convolution in QDQ form on float edges, NCHW; plain float where not `is_quantized`."""
    generator = np.random.default_rng(8)
    constants: dict[str, Any] = {
        "scale": np.float32(0.05),
        "zero": np.int8(3),
        "weight_scale": np.float32(0.01),
        "weight_zero": np.int8(0),
        "result_scale": np.float32(0.2),
    }
    if is_quantized:
        constants["w"] = generator.integers(-127, 128, (4, 2, 3, 3)).astype(np.int8)
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "scale", "zero"], ["xd"]),
            helper.make_node("DequantizeLinear", ["w", "weight_scale", "weight_zero"], ["wd"]),
            helper.make_node("Conv", ["xd", "wd"], ["c"]),
            helper.make_node("QuantizeLinear", ["c", "result_scale", "zero"], ["cq"]),
            helper.make_node("DequantizeLinear", ["cq", "result_scale", "zero"], ["y"]),
        ]
    else:
        constants = {"w": generator.normal(size=(4, 2, 3, 3)).astype(np.float32)}
        nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    result_height = height - 2 if isinstance(height, int) else None
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 2, height, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4, result_height, 4])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if is_quantized and batch == 1 and isinstance(height, int):
        onnx.checker.check_model(model)
    return model.SerializeToString()
