"""Channels of a tensor between a convolution and a depthwise one are brought to one range."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinycc
from tests.tools.tflite_writer import ACTIVATION, PADDING, TFLiteWriter
from tinycc.quantization import quantize
from tinycc.quantization.equalization import factors_in
from tinycc.quantization.runtime import open_runtime
from tinycc.quantization.signal import signal_to_noise
from tinycc.validation import validate

SIZE, CHANNELS = 6, 4
# What the first layer gives differs by as much from channel to channel, and the second makes up for it.
UNEQUAL = np.array([1, 30, 100, 300], np.float32)


def weights() -> tuple[np.ndarray, ...]:
    """A 1x1 convolution [C,2], its bias, a depthwise 3x3 [C,3,3] and a 1x1 convolution [3,C]."""
    random = np.random.default_rng(1)
    first = random.normal(0, 1, (CHANNELS, 2)) / UNEQUAL[:, None]
    bias = random.normal(0, 0.5, CHANNELS) / UNEQUAL
    second = random.normal(0, 1, (CHANNELS, 3, 3)) * UNEQUAL[:, None, None]
    return tuple(
        array.astype(np.float32) for array in (first, bias, second, random.normal(0, 1, (3, CHANNELS)))
    )


def unequal_onnx(folder: Path) -> Path:
    first, bias, second, third = weights()
    constants = {
        "first": first[:, :, None, None],
        "bias": bias,
        "second": second[:, None],
        "third": third[:, :, None, None],
        "low": np.float32(0),
        "high": np.float32(6),
    }
    nodes = [
        helper.make_node("Conv", ["x", "first", "bias"], ["conv"]),
        helper.make_node("Clip", ["conv", "low", "high"], ["clipped"]),
        helper.make_node("Conv", ["clipped", "second"], ["depthwise"], group=CHANNELS, pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["depthwise", "third"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "unequal",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, SIZE, SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    path = folder / "unequal.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def unequal_tflite(folder: Path) -> Path:
    first, bias, second, third = weights()
    net = TFLiteWriter()

    def constant(name: str, value: np.ndarray) -> int:
        return net.add_tensor(name, value.shape, "float32", data=value)

    def conv(kind: str, name: str, operands: list[int], channels: int, **options: int) -> int:
        result = net.add_tensor(name, (1, SIZE, SIZE, channels), "float32")
        steps = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
        table = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}[kind]
        net.add_operator(kind, operands, [result], table, Padding=PADDING["SAME"], **steps, **options)
        return result

    x = net.add_tensor("x", (1, SIZE, SIZE, 2), "float32")
    operands = [x, constant("first", first[:, None, None]), constant("bias", bias)]
    clipped = conv("CONV_2D", "clipped", operands, CHANNELS, FusedActivationFunction=ACTIVATION["RELU6"])
    operands = [
        clipped,
        constant("second", second.transpose(1, 2, 0)[None].copy()),
        constant("none", np.zeros(CHANNELS, np.float32)),
    ]
    depthwise = conv("DEPTHWISE_CONV_2D", "depthwise", operands, CHANNELS, DepthMultiplier=1)
    operands = [depthwise, constant("third", third[:, None, None]), constant("zero", np.zeros(3, np.float32))]
    y = conv("CONV_2D", "y", operands, 3)
    path = folder / "unequal.tflite"
    path.write_bytes(net.finish([x], [y]))
    return path


@pytest.mark.parametrize("make", [unequal_onnx, unequal_tflite])
def test_small_channels_get_all_the_steps(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    shape = (16, 2, SIZE, SIZE) if make is unequal_onnx else (16, SIZE, SIZE, 2)
    data = np.random.default_rng(2).normal(0, 1, shape).astype(np.float32)
    reference = open_runtime(path.read_bytes(), path.suffix[1:]).run([(case[None],) for case in data])

    def decibels(*, equalize: bool) -> float:
        quantized = quantize(path, data, equalize=equalize)
        quantized.save(tmp_path / f"int8{path.suffix}")
        found = open_runtime(quantized.content, quantized.kind).run([(case[None],) for case in data])
        return signal_to_noise(reference, found)

    before = decibels(equalize=False)
    assert decibels(equalize=True) > before + 6

    # The file says what was done, so that its layers can be compared with the float model's.
    int8 = tmp_path / f"int8{path.suffix}"
    factors = factors_in(int8.read_bytes(), path.suffix[1:])
    assert factors.keys() == {"clipped", "depthwise"}
    assert factors["clipped"].factors.min() == 1 and factors["clipped"].factors.max() > 100
    tinycc.compile(int8).export(tmp_path / "out")
    np.savez(tmp_path / "data.npz", in0=data)
    found = validate(tmp_path / "out", tmp_path / "data.npz", reference=path, quantized=int8, board_cases=0)
    assert {layer.layer for layer in found.layers if layer.operator} == {"clipped", "depthwise", "y"}
    assert all(layer.c > 25 and layer.quantized > 25 for layer in found.layers if layer.operator)
