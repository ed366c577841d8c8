"""Write the small int8 models of tests/data, each with inputs and golden outputs beside it.

    python -m models.make_test_models            (from the root of the checkout)

The weights are random and seeded. An .npz holds `in0` and `out0` with a leading axis of cases: for ONNX,
floats and onnxruntime's outputs with all optimisations off; for TFLite, int8 and the outputs of LiteRT's
reference kernels.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

from tests.tools.tflite_writer import ACTIVATION, PADDING, TFLiteWriter, run_litert

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
CASES = 4
CALIBRATION_CASES = 16
ACTIVATION_TYPES = {"int8": quantization.QuantType.QInt8, "uint8": quantization.QuantType.QUInt8}
Floats = NDArray[np.float32]


class FloatGraph:
    """A float ONNX graph with random weights under construction; tensors are known by name."""

    def __init__(self, shape: tuple[int, ...], seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.shape, self.nodes, self.constants = shape, list[onnx.NodeProto](), list[onnx.TensorProto]()

    def constant(self, value: NDArray[Any]) -> str:
        """Add an initializer and return its name."""
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def weights(self, *shape: int, fan_in: int) -> str:
        """Add random weights that keep the spread of activations."""
        return self.constant((self.random.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32))

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its one output."""
        output = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def conv(self, x: str, inputs: int, outputs: int, kernel: int, group: int = 1, **attributes: Any) -> str:
        """Add a convolution with bias."""
        fan_in = inputs // group * kernel * kernel
        weights = self.weights(outputs, inputs // group, kernel, kernel, fan_in=fan_in)
        bias = self.weights(outputs, fan_in=10)
        return self.node("Conv", x, weights, bias, kernel_shape=[kernel, kernel], group=group, **attributes)

    def finish(self, output: str) -> onnx.ModelProto:
        """Return the checked model."""
        x = helper.make_tensor_value_info("input", TensorProto.FLOAT, self.shape)
        y = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "test", [x], [y], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model)
        return model


def classifier() -> onnx.ModelProto:
    """Strided, depthwise and pointwise convolutions, a residual, both poolings, dense, softmax."""
    g = FloatGraph((1, 3, 16, 12), seed=1)
    x = g.node("Relu", g.conv("input", 3, 8, 3, strides=[2, 2], pads=[0, 0, 1, 1]))
    y = g.node("Relu", g.conv(x, 8, 8, 3, group=8, pads=[1, 1, 1, 1]))
    x = g.node("Add", x, g.conv(y, 8, 8, 1))
    x = g.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g.node("Relu", g.conv(x, 8, 16, 3, pads=[1, 1, 1, 1], strides=[1, 2]))
    x = g.node("Flatten", g.node("GlobalAveragePool", x))
    x = g.node("Gemm", x, g.weights(5, 16, fan_in=2), g.weights(5, fan_in=10), transB=1)
    return g.finish(g.node("Softmax", x, axis=1))


def branches(transposed: bool) -> onnx.ModelProto:
    """Concatenation, average pooling, nearest upsampling and, if wanted, a transposed convolution."""
    g = FloatGraph((1, 2, 9, 8), seed=2)
    x = g.node("Relu", g.conv("input", 2, 6, 3, pads=[2, 2, 2, 2], dilations=[2, 2]))
    y = g.node("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1], count_include_pad=0)
    x = g.node("Concat", x, g.conv(y, 6, 4, 1), axis=1)
    factors = g.constant(np.array([1, 1, 2, 2], np.float32))
    nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    y = g.node("Resize", x, "", factors, mode="nearest", **nearest)
    if not transposed:
        return g.finish(g.conv(y, 10, 3, 1))
    weights = g.weights(10, 3, 2, 2, fan_in=10)
    x = g.node("ConvTranspose", x, weights, g.weights(3, fan_in=10), kernel_shape=[2, 2], strides=[2, 2])
    return g.finish(g.node("Add", x, g.conv(y, 10, 3, 1)))


class Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Gives onnxruntime's quantiser one random input at a time."""

    def __init__(self, inputs: Floats) -> None:
        self.inputs = iter(inputs)

    def get_next(self) -> dict[str, Floats] | None:
        """Return the next input, None after the last."""
        case = next(self.inputs, None)
        return None if case is None else {"input": case}


def write_onnx(name: str, model: onnx.ModelProto, activations: str, layout: str) -> None:
    """Quantise a float model with activations "int8" or "uint8", layout "QDQ" or "QOperator"; keep both."""
    shape = tuple(dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim)
    random = np.random.default_rng(0)
    inputs = random.standard_normal((CALIBRATION_CASES, *shape)).astype(np.float32)
    path = DATA / f"{name}.onnx"
    with tempfile.TemporaryDirectory() as folder:
        floats = Path(folder) / "float.onnx"
        onnx.save(model, floats)
        quantization.quantize_static(
            str(floats),
            str(path),
            Calibration(inputs),
            quant_format=quantization.QuantFormat[layout],
            per_channel=True,
            activation_type=ACTIVATION_TYPES[activations],
            weight_type=quantization.QuantType.QInt8,
        )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    cases = inputs[:CASES]
    outputs = np.stack([session.run(None, {"input": case})[0] for case in cases])
    np.savez_compressed(DATA / f"{name}.npz", in0=cases, out0=outputs)


class Int8Net:
    """A TFLite model with random weights under construction; tensors are known by index."""

    SPREAD = 256 / np.sqrt(12)  # standard deviation of uniform int8 values

    def __init__(self, shape: tuple[int, ...], seed: int) -> None:
        self.writer, self.random = TFLiteWriter(), np.random.default_rng(seed)
        self.count, self.scales, self.zero_points = 0, dict[int, float](), dict[int, int]()
        self.input = self.tensor(shape, 0.05, -4)

    def tensor(self, shape: tuple[int, ...], scale: float, zero_point: int = 0) -> int:
        """Add an activation."""
        self.count += 1
        index = self.writer.add_tensor(f"t{self.count}", shape, scale=scale, zero_point=zero_point)
        self.scales[index], self.zero_points[index] = scale, zero_point
        return index

    def like(self, x: int, shape: tuple[int, ...]) -> int:
        """Add an activation with the quantisation of another."""
        return self.tensor(shape, self.scales[x], self.zero_points[x])

    def integers(self, *values: int) -> int:
        """Add an int32 constant, such as a shape."""
        self.count += 1
        return self.writer.add_tensor(f"c{self.count}", (len(values),), "int32", data=np.array(values))

    def weighted(
        self,
        kind: str,
        x: int,
        weights: tuple[int, ...],
        shape: tuple[int, ...],
        options: str,
        axis: int = 0,
        **fields: Any,
    ) -> int:
        """Add CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED with a bias and weights per channel of `axis`.

        The weights' scales keep the spread of uniform int8 values, so that outputs use their range.
        """
        self.count += 1
        channels = weights[axis]
        fan_in = int(np.prod(weights)) // channels
        y = self.tensor(shape, 0.05, -9)
        unit = self.scales[y] / (self.scales[x] * np.sqrt(fan_in) * self.SPREAD)
        scale = self.random.uniform(0.3, 1.0, channels) * unit
        values = self.random.integers(-127, 128, weights)
        w = self.writer.add_tensor(f"w{self.count}", weights, scale=scale, axis=axis, data=values)
        accumulated = self.scales[x] * scale
        bias = self.random.integers(-9000, 9000, channels)
        b = self.writer.add_tensor(f"b{self.count}", (channels,), "int32", scale=accumulated, data=bias)
        self.writer.add_operator(kind, [x, w, b], [y], options, **fields)
        return y

    def write(self, name: str, y: int, shape: tuple[int, ...]) -> None:
        """Keep the model, random inputs and what LiteRT's reference kernels make of them."""
        blob = self.writer.finish([self.input], [y])
        (DATA / f"{name}.tflite").write_bytes(blob)
        cases = self.random.integers(-128, 128, (CASES, *shape), dtype=np.int8)
        np.savez_compressed(DATA / f"{name}.npz", in0=cases, out0=run_litert(blob, [cases])[0])


def mobile() -> None:
    """Write a network of depthwise-separable blocks with a residual, dense and softmax.

    On these inputs the dense layer gives the same whether rounded once (LiteRT) or twice (TFLM).
    """
    shape = (1, 12, 10, 3)
    net = Int8Net(shape, seed=5)
    relu: dict[str, Any] = {"FusedActivationFunction": ACTIVATION["RELU"]}
    relu6: dict[str, Any] = {"FusedActivationFunction": ACTIVATION["RELU6"]}
    conv: dict[str, Any] = {"StrideH": 1, "StrideW": 1, "Padding": PADDING["SAME"]}
    halve: dict[str, Any] = {"StrideH": 2, "StrideW": 2, "Padding": PADDING["SAME"]}
    x = net.weighted("CONV_2D", net.input, (8, 3, 3, 3), (1, 6, 5, 8), "Conv2DOptions", **halve, **relu6)
    y = net.weighted(
        "DEPTHWISE_CONV_2D", x, (1, 3, 3, 8), (1, 6, 5, 8), "DepthwiseConv2DOptions", 3,
        DepthMultiplier=1, **conv, **relu,
    )  # fmt: skip
    y = net.weighted("CONV_2D", y, (8, 1, 1, 8), (1, 6, 5, 8), "Conv2DOptions", **conv)
    z = net.tensor((1, 6, 5, 8), 1.3 * max(net.scales[x], net.scales[y]), 7)
    net.writer.add_operator("ADD", [x, y], [z], "AddOptions", **relu)
    x = net.like(z, (1, 1, 1, 8))
    net.writer.add_operator(
        "AVERAGE_POOL_2D", [z], [x], "Pool2DOptions", Padding=PADDING["VALID"],
        FilterHeight=6, FilterWidth=5, StrideH=6, StrideW=5,
    )  # fmt: skip
    y = net.like(x, (1, 8))
    net.writer.add_operator("RESHAPE", [x, net.integers(1, 8)], [y], "ReshapeOptions", NewShape=[1, 8])
    x = net.weighted("FULLY_CONNECTED", y, (5, 8), (1, 5), "FullyConnectedOptions")
    y = net.tensor((1, 5), 1 / 256, -128)
    net.writer.add_operator("SOFTMAX", [x], [y], "SoftmaxOptions", Beta=1.0)
    net.write("mobile_int8", y, shape)


def pieces() -> None:
    """Write padding, dilation, maximum pooling, concatenation, mean, sigmoid, product, upsampling."""
    shape = (1, 9, 7, 2)
    net = Int8Net(shape, seed=6)
    valid: dict[str, Any] = {"Padding": PADDING["VALID"], "StrideH": 1, "StrideW": 1}
    x = net.like(net.input, (1, 12, 9, 2))
    margins = net.writer.add_tensor(
        "margins", (4, 2), "int32", data=np.array([[0, 0], [1, 2], [1, 1], [0, 0]])
    )
    net.writer.add_operator("PAD", [net.input, margins], [x], "PadOptions")
    x = net.weighted(
        "CONV_2D", x, (6, 3, 3, 2), (1, 8, 5, 6), "Conv2DOptions",
        DilationHFactor=2, DilationWFactor=2, **valid,
    )  # fmt: skip
    pooled, joined = net.like(x, (1, 8, 5, 6)), net.like(x, (1, 8, 5, 12))
    net.writer.add_operator(
        "MAX_POOL_2D", [x], [pooled], "Pool2DOptions", Padding=PADDING["SAME"],
        FilterHeight=3, FilterWidth=3, StrideH=1, StrideW=1,
    )  # fmt: skip
    net.writer.add_operator("CONCATENATION", [x, pooled], [joined], "ConcatenationOptions", Axis=3)
    mean = net.like(joined, (1, 1, 1, 12))
    net.writer.add_operator("MEAN", [joined, net.integers(1, 2)], [mean], "ReducerOptions", KeepDims=True)
    gate = net.tensor((1, 1, 1, 12), 1 / 256, -128)
    net.writer.add_operator("LOGISTIC", [mean], [gate])
    gated = net.tensor((1, 8, 5, 12), 0.7 * net.scales[joined], 3)
    net.writer.add_operator("MUL", [joined, gate], [gated], "MulOptions")
    upsampled = net.like(gated, (1, 16, 10, 12))
    size = net.integers(16, 10)
    net.writer.add_operator(
        "RESIZE_NEAREST_NEIGHBOR", [gated, size], [upsampled], "ResizeNearestNeighborOptions"
    )
    net.write("pieces_int8", upsampled, shape)


def main() -> None:
    """Write all files."""
    DATA.mkdir(exist_ok=True)
    for activations in ("int8", "uint8"):
        write_onnx(f"classifier_{activations}_qdq", classifier(), activations, "QDQ")
        write_onnx(f"branches_{activations}_qdq", branches(transposed=True), activations, "QDQ")
    write_onnx("classifier_int8_qoperator", classifier(), "int8", "QOperator")
    # onnxruntime leaves transposed convolutions in float in this layout.
    write_onnx("branches_int8_qoperator", branches(transposed=False), "int8", "QOperator")
    mobile()
    pieces()


if __name__ == "__main__":
    main()
