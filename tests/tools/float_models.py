"""Small float models to be quantized: the same network as an ONNX and as a TFLite file."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.tools.tflite_writer import ACTIVATION, PADDING, TFLiteWriter

SIZE, CHANNELS, CLASSES = 8, 6, 4


def weights(seed: int = 3) -> dict[str, np.ndarray]:
    """A 3x3 convolution [out,in,3,3] with bias, and a dense layer [classes,channels] with bias."""
    random = np.random.default_rng(seed)
    return {
        "kernel": random.normal(0, 0.3, (CHANNELS, 3, 3, 3)).astype(np.float32),
        "bias": random.normal(0, 0.3, CHANNELS).astype(np.float32),
        "dense": random.normal(0, 1, (CLASSES, CHANNELS)).astype(np.float32),
        "offset": random.normal(0, 0.3, CLASSES).astype(np.float32),
    }


def images(count: int, seed: int = 5) -> np.ndarray:
    """Pixels [count,SIZE,SIZE,3], uint8, each image with colours of its own."""
    random = np.random.default_rng(seed)
    colours = random.integers(0, 256, (count, 1, 1, 3))
    noise = random.integers(-60, 61, (count, SIZE, SIZE, 3))
    return np.clip(colours + noise, 0, 255).astype(np.uint8)


def float_onnx(folder: Path, constants: dict[str, np.ndarray] | None = None) -> Path:
    """Convolution, batch normalisation, ReLU, global average, dense: [1,3,SIZE,SIZE] to [1,CLASSES]."""
    constants = constants or weights()
    normalisation = {
        "scale": np.full(CHANNELS, 2, np.float32),
        "shift": np.full(CHANNELS, 0.5, np.float32),
        "mean": np.full(CHANNELS, 0.1, np.float32),
        "variance": np.full(CHANNELS, 3.9999, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel", "bias"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["conv", *normalisation], ["norm"], epsilon=1e-4),
        helper.make_node("Relu", ["norm"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["average"]),
        helper.make_node("Flatten", ["average"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense", "offset"], ["scores"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in (constants | normalisation).items()],
    )
    path = folder / "small.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def float_tflite(folder: Path, constants: dict[str, np.ndarray] | None = None, half: bool = False) -> Path:
    """Convolution with ReLU, mean, dense: [1,SIZE,SIZE,3] to [1,CLASSES].

    half: the kernel is stored as float16 and dequantized in the graph.
    """
    constants = constants or weights()
    net = TFLiteWriter()
    image = net.add_tensor("image", (1, SIZE, SIZE, 3), "float32")
    shape = (CHANNELS, 3, 3, 3)
    kernel_data = constants["kernel"].transpose(0, 2, 3, 1)
    kernel = net.add_tensor("kernel", shape, "float32", data=None if half else kernel_data)
    if half:
        stored = net.add_tensor("stored", shape, "float16", data=kernel_data)
        net.add_operator("DEQUANTIZE", [stored], [kernel], "DequantizeOptions")
    bias = net.add_tensor("bias", (CHANNELS,), "float32", data=constants["bias"])
    features = net.add_tensor("features", (1, SIZE, SIZE, CHANNELS), "float32")
    net.add_operator(
        "CONV_2D",
        [image, kernel, bias],
        [features],
        "Conv2DOptions",
        Padding=PADDING["SAME"],
        StrideH=1,
        StrideW=1,
        FusedActivationFunction=ACTIVATION["RELU"],
        DilationHFactor=1,
        DilationWFactor=1,
    )
    axes = net.add_tensor("axes", (2,), "int32", data=np.array([1, 2], np.int32))
    average = net.add_tensor("average", (1, CHANNELS), "float32")
    net.add_operator("MEAN", [features, axes], [average], "ReducerOptions", KeepDims=False)
    dense = net.add_tensor("dense", (CLASSES, CHANNELS), "float32", data=constants["dense"])
    offset = net.add_tensor("offset", (CLASSES,), "float32", data=constants["offset"])
    scores = net.add_tensor("scores", (1, CLASSES), "float32")
    net.add_operator("FULLY_CONNECTED", [average, dense, offset], [scores], "FullyConnectedOptions")
    path = folder / "small.tflite"
    path.write_bytes(net.finish([image], [scores]))
    return path
