"""One quantized ONNX operator at a time, against onnxruntime: at most one int8 step apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import tinycc
from tests.tools.onnx_graph import Graph, Shape
from tinycc.errors import UnsupportedError


def steps_apart(path: Path, cases: int = 6) -> int:
    """The largest difference between the generated C and onnxruntime, in int8 steps."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options)
    generator = np.random.default_rng(0)
    inputs = {
        item.name: generator.integers(-128, 128, (cases, *item.shape)).astype(np.int8)
        for item in session.get_inputs()
    }
    results = tinycc.compile(path).run([values[:, 0] for values in inputs.values()])
    apart = 0
    for case in range(cases):
        expected = session.run(None, {name: values[case] for name, values in inputs.items()})
        for wanted, result in zip(expected, results, strict=True):
            assert result[case].shape == wanted.shape[1:]
            apart = max(apart, int(np.abs(wanted[0].astype(int) - result[case]).max()))
    return apart


def one(kind: str, shape: Shape = (1, 4, 6, 6), opset: int = 13, **attributes: Any) -> Callable[[], Graph]:
    """An operator of one input."""

    def build() -> Graph:
        graph = Graph(opset)
        graph.output(graph.call(kind, [graph.input(shape)], **attributes)[0])
        return graph

    return build


def layer(
    kind: str, shape: Shape, weights: Shape, axis: int | None = None, **attributes: Any
) -> Callable[[], Graph]:
    """A layer with weights and a bias on the accumulator's scale."""

    def build() -> Graph:
        graph = Graph()
        transposed = kind == "ConvTranspose"
        channels = weights[1] * attributes.get("group", 1) if transposed else weights[0]
        operands = [graph.input(shape), graph.weights(weights, axis)]
        operands.append(graph.constant(graph.random.normal(size=channels).astype(np.float32)))
        graph.output(graph.call(kind, operands, **attributes)[0], 0.4)
        return graph

    return build


def channels_of_zeros() -> Graph:
    """Of a convolution with a bias in real numbers two outputs have nothing but zeros of the scale 0."""
    graph = Graph()
    values = graph.random.integers(-127, 128, (6, 4, 3, 3)).astype(np.int8)
    scales = np.float32([0.01, 0, 0.008, 0.012, 0, 0.009])
    values[scales == 0] = 0
    operands = [graph.constant(values), graph.constant(scales), graph.constant(np.zeros(6, np.int8))]
    weights = graph.call("DequantizeLinear", operands, axis=0)[0]
    bias = graph.constant(graph.random.normal(size=6).astype(np.float32))
    graph.output(graph.call("Conv", [graph.input((1, 4, 6, 6)), weights, bias])[0], 0.1)
    return graph


def resize(mode: str, coordinates: str, scale: float, nearest_mode: str = "floor") -> Callable[[], Graph]:
    def build() -> Graph:
        graph = Graph()
        operands = [graph.input((1, 4, 6, 6)), "", graph.constant(np.array([1, 1, scale, scale], np.float32))]
        [result] = graph.call(
            "Resize", operands,
            mode=mode, coordinate_transformation_mode=coordinates, nearest_mode=nearest_mode,
        )  # fmt: skip
        graph.output(result)
        return graph

    return build


def with_constant(kind: str, shape: Shape) -> Callable[[], Graph]:
    """A binary operator of an input and a float constant."""

    def build() -> Graph:
        graph = Graph()
        constant = graph.constant(graph.random.uniform(0.5, 2.0, shape).astype(np.float32))
        graph.output(graph.call(kind, [graph.input((1, 4, 6, 6)), constant])[0], 0.1)
        return graph

    return build


def split(opset: int, *operands: Any, **attributes: Any) -> Callable[[], Graph]:
    def build() -> Graph:
        graph = Graph(opset)
        constants = [graph.constant(np.array(operand, np.int64)) for operand in operands]
        for part in graph.call("Split", [graph.input((1, 6, 4, 4)), *constants], 2, axis=1, **attributes):
            graph.output(part)
        return graph

    return build


def channel_without_weights() -> Graph:
    """The quantizer gave a channel of zeros a scale at which its bias does not fit 32 bits."""
    graph = Graph()
    weights = graph.random.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    scale = np.array([0.01, 1e-11, 0.01, 0.005], np.float32)
    operands = [graph.constant(weights), graph.constant(scale), graph.constant(np.zeros(4, np.int8))]
    kernel = graph.call("DequantizeLinear", operands, axis=0)[0]
    bias = graph.constant(np.array([1, 5, -3, 0.5], np.float32))
    graph.output(graph.call("Conv", [graph.input((1, 3, 6, 6)), kernel, bias])[0], 0.4)
    return graph


def shared_inputs() -> Graph:
    graph = Graph()
    left, right = graph.input((1, 4, 6, 6)), graph.input((1, 4, 1, 1), 0.08, -5)
    graph.output(graph.call("Add", [left, right])[0], 0.1)
    graph.output(graph.call("Mul", [left, right])[0], 0.2)
    return graph


def product_of_two() -> Graph:
    graph = Graph()
    left, right = graph.input((1, 2, 5, 7), 0.04, 3), graph.input((1, 2, 7, 6), 0.03, -5)
    graph.output(graph.call("MatMul", [left, right])[0], 0.1)
    return graph


OPERATORS: dict[str, Callable[[], Graph]] = {
    "convolution with uneven padding": layer(
        "Conv", (1, 3, 9, 9), (4, 3, 3, 3), dilations=[2, 3], pads=[1, 2, 3, 0]
    ),
    "convolution in groups": layer("Conv", (1, 4, 6, 6), (6, 2, 3, 3), 0, group=2),
    "convolution padded below": layer(
        "Conv", (1, 3, 6, 6), (4, 3, 4, 4), auto_pad="SAME_LOWER", strides=[2, 2]
    ),
    "depthwise with multiplier": layer("Conv", (1, 4, 6, 6), (8, 1, 3, 3), 0, group=4),
    "transposed convolution": layer("ConvTranspose", (1, 3, 5, 5), (3, 4, 3, 3), strides=[2, 2]),
    "transposed convolution, padded": layer(
        "ConvTranspose",
        (1, 3, 5, 5),
        (3, 4, 3, 3),
        1,
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        output_padding=[1, 1],
    ),
    "transposed convolution of a stated size": layer(
        "ConvTranspose", (1, 3, 4, 5), (3, 4, 3, 3), strides=[2, 2], output_shape=[8, 10]
    ),
    "transposed convolution of the stride's size": layer(
        "ConvTranspose", (1, 3, 4, 5), (3, 4, 3, 3), strides=[2, 2], auto_pad="SAME_LOWER"
    ),
    "transposed convolution in groups": layer(
        "ConvTranspose", (1, 4, 5, 5), (4, 3, 3, 3), strides=[2, 2], group=2
    ),
    "transposed convolution, dilated": layer(
        "ConvTranspose", (1, 3, 5, 5), (3, 4, 3, 2), 1, dilations=[2, 3], pads=[1, 0, 2, 1]
    ),
    "product of two activations": product_of_two,
    "a norm": one("LpNormalization"),
    "linear, by no whole size": resize("linear", "half_pixel", 1.7),
    "max pooling, rounded up": one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "max pooling of lines": one("MaxPool", (1, 4, 12), kernel_shape=[3], strides=[2]),
    "average pooling, padded": one("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "average pooling that counts its padding": one(
        "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, count_include_pad=1, ceil_mode=1
    ),
    "mean of channels": one("ReduceMean", axes=[1], keepdims=0),
    "mean of pixels": one("ReduceMean", axes=[2, 3], keepdims=1),
    "elu": one("Elu", alpha=0.7),
    "a threshold": one("ThresholdedRelu", alpha=0.6),
    "depth to space": one("DepthToSpace", blocksize=2, mode="CRD"),
    "hard swish": one("HardSwish", opset=14),
    "leaky relu": one("LeakyRelu", alpha=0.1),
    "nearest, upwards": resize("nearest", "asymmetric", 2.0),
    "nearest, downwards": resize("nearest", "asymmetric", 0.5),
    "nearest, rounded up": resize("nearest", "asymmetric", 1.5, "ceil"),
    "linear, half-pixel": resize("linear", "half_pixel", 2.0),
    "linear, corners": resize("linear", "align_corners", 2.5),
    "split by sizes": split(13, [2, 4]),
    "split by number": split(18, num_outputs=2),
    "plus a vector": with_constant("Add", (4, 1, 1)),
    "times a vector": with_constant("Mul", (4, 1, 1)),
    "by a number": with_constant("Div", ()),
    "a channel without weights": channel_without_weights,
    "channels of zeros": channels_of_zeros,
    "two inputs, two outputs": shared_inputs,
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_it_agrees_with_onnxruntime(name: str, tmp_path: Path) -> None:
    assert steps_apart(OPERATORS[name]().save(tmp_path)) <= 1


def large_bias() -> Graph:
    graph = Graph()
    operands = [graph.input((1, 3, 6, 6)), graph.weights((4, 3, 3, 3))]
    operands.append(graph.constant(np.full(4, 3e6, np.float32)))
    graph.output(graph.call("Conv", operands)[0], 0.4)
    return graph


REFUSED: dict[str, tuple[Callable[[], Graph], str]] = {
    "a bias beyond 32 bits": (large_bias, "does not fit 32 bits"),
    "a tensor without elements": (one("MaxPool", (1, 4, 2, 2), kernel_shape=[3, 3]), "no elements"),
    "an unknown operator": (one("Det"), "this operator is not supported"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str, tmp_path: Path) -> None:
    build, reason = REFUSED[name]
    with pytest.raises(UnsupportedError, match=reason) as caught:
        tinycc.compile(build().save(tmp_path))
    assert "\n" not in str(caught.value)
