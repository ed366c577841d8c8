"""A float file becomes one with int4 weights, of the same format, which tinycc compiles."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinycc
from tests.tools.float_models import CLASSES, float_onnx, float_tflite, images
from tests.tools.tflite_writer import ACTIVATION, PADDING, TFLiteWriter
from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.load import load_model
from tinycc.quantization import QuantizedModel, quantize
from tinycc.quantization.runtime import open_runtime

Make = Callable[..., Path]
FORMATS = pytest.mark.parametrize("make", [float_onnx, float_tflite])


def cases(make: Make, count: int) -> np.ndarray:
    """Inputs as the float model takes them."""
    values = ((images(count).astype(np.float32) - 128) / 64).astype(np.float32)
    return values.transpose(0, 3, 1, 2) if make is float_onnx else values


def largest(quantized: QuantizedModel, folder: Path) -> list[int]:
    """The largest magnitude among the integers of each layer's weights."""
    path = folder / f"quantized.{quantized.kind}"
    quantized.save(path)
    calls = [binding.value for binding in tvm_adapter.bindings_of(load_model(path)["main"])]
    constants = [
        tvm_adapter.constant_value(call.args[0])
        for call in calls
        if tvm_adapter.op_name(call) == "relax.dequantize" and tvm_adapter.is_constant(call.args[0])
    ]
    return [int(np.abs(value.astype(int)).max()) for value in constants if value.dtype == np.int8]


@FORMATS
def test_the_c_computes_what_the_file_says(make: Make, tmp_path: Path) -> None:
    path, inputs = make(tmp_path), cases(make, 32)
    quantized = quantize(path, inputs, weights="int4")
    assert "int4 weights in 2 of 2 layers with weights" in quantized.notes
    assert all(most in (7, 8) for most in largest(quantized, tmp_path))
    compiled = tinycc.compile(quantized)
    assert not compiled.report["fallbacks"]
    [expected] = open_runtime(quantized.content, quantized.kind).run([(case[np.newaxis],) for case in inputs])
    edge = compiled.report["outputs"][0]
    steps = compiled.run([inputs])[0].reshape(-1, CLASSES) - np.float32(edge["zero_point"])
    assert np.abs(steps - expected.reshape(-1, CLASSES) / edge["scale"]).max() <= 1.01


@FORMATS
def test_a_layer_may_keep_eight_bits(make: Make, tmp_path: Path) -> None:
    path, inputs = make(tmp_path), cases(make, 16)
    mixed = quantize(path, inputs, weights="int4", keep={"scores": "int8"})
    assert "int4 weights in 1 of 2 layers with weights" in mixed.notes
    first, second = largest(mixed, tmp_path)
    assert first in (7, 8) and second == 127
    wide = quantize(path, inputs, weights="int4", keep={"features": "int16", "scores": "float"})
    assert "int4 weights in 0 of 2 layers with weights" in wide.notes


@FORMATS
def test_keep_auto_keeps_the_fewest_layers_in_int8(make: Make, tmp_path: Path) -> None:
    path, inputs = make(tmp_path), cases(make, 32)
    loose = quantize(path, inputs, weights="int4", keep="auto", at_least=0.0)
    assert not loose.choice.keep and "kept in int8: no layer" in loose.notes
    strict = quantize(path, inputs, weights="int4", keep="auto", at_least=0.99)
    assert set(strict.choice.keep.values()) <= {"int8"}


@FORMATS
def test_the_analysis_is_of_int4_weights(make: Make, tmp_path: Path) -> None:
    path, inputs = make(tmp_path), cases(make, 16)
    alone = [
        {loss.layer: loss.alone for loss in quantize(path, inputs, weights=weights, analysis=True).losses}
        for weights in ("int8", "int4")
    ]
    assert alone[1]["features"] < alone[0]["features"] - 6 and alone[1]["average"] == alone[0]["average"]


def layers_of_each_kind(folder: Path) -> Path:
    """A transposed and a depthwise convolution and a product: [1,4,3,3] to [1,5]."""
    random = np.random.default_rng(0)
    constants = {
        "up": random.normal(size=(4, 6, 2, 2)),
        "depthwise": random.normal(size=(6, 1, 3, 3)),
        "product": random.normal(size=(96, 5)),
    }
    nodes = [
        helper.make_node("ConvTranspose", ["x", "up"], ["larger"], strides=[2, 2]),
        helper.make_node("Conv", ["larger", "depthwise"], ["blurred"], group=6),
        helper.make_node("Flatten", ["blurred"], ["flat"]),
        helper.make_node("MatMul", ["flat", "product"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 3, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    path = folder / "layers.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_onnxruntime_gives_them_a_scale_for_each_channel(tmp_path: Path) -> None:
    inputs = np.random.default_rng(1).normal(size=(8, 4, 3, 3)).astype(np.float32)
    quantized = quantize(layers_of_each_kind(tmp_path), inputs, weights="int4")
    model = onnx.load_model_from_string(quantized.content)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    narrow = {name for name, tensor in stored.items() if tensor.data_type == TensorProto.INT4}
    scales = [list(stored[node.input[1]].dims) for node in model.graph.node if node.input[0] in narrow]
    assert sorted(scales) == [[5], [6], [6]]
    assert not tinycc.compile(quantized).report["fallbacks"]


def test_ai_edge_quantizer_leaves_depthwise_layers_in_int8(tmp_path: Path) -> None:
    net = TFLiteWriter()
    random = np.random.default_rng(0)
    window = {
        "Padding": PADDING["SAME"],
        "StrideH": 1,
        "StrideW": 1,
        "DilationHFactor": 1,
        "DilationWFactor": 1,
    }
    tensors = [net.add_tensor(name, (1, 6, 6, 4), "float32") for name in ("x", "blurred", "y")]
    for kind, shape, source, options in (
        ("DEPTHWISE_CONV_2D", (1, 3, 3, 4), 0, {"DepthMultiplier": 1}),
        ("CONV_2D", (4, 1, 1, 4), 1, {}),
    ):
        weights = net.add_tensor(kind, shape, "float32", data=random.normal(size=shape))
        bias = net.add_tensor(f"{kind}_bias", (4,), "float32", data=np.zeros(4))
        net.add_operator(
            kind, [tensors[source], weights, bias], [tensors[source + 1]],
            "DepthwiseConv2DOptions" if options else "Conv2DOptions",
            FusedActivationFunction=ACTIVATION["NONE"], **window, **options,
        )  # fmt: skip
    path = tmp_path / "depthwise.tflite"
    path.write_bytes(net.finish(tensors[:1], tensors[2:]))
    quantized = quantize(path, random.normal(size=(8, 6, 6, 4)).astype(np.float32), weights="int4")
    assert "int4 weights in 1 of 2 layers with weights; the library leaves blurred in int8" in quantized.notes
    wide, narrow = largest(quantized, tmp_path)
    assert wide == 127 and narrow in (7, 8)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"weights": "int2"}, "weights 'int2' are not known, only int8, int4"),
        ({"keep": {"scores": "int8"}}, "int8 is for layers whose weights would be int4"),
    ],
)
def test_what_is_not_known_is_refused(options: dict[str, object], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        quantize(float_tflite(tmp_path), cases(float_tflite, 2), **options)


def test_a_model_without_weights_has_none_of_four_bits(tmp_path: Path) -> None:
    net = TFLiteWriter()
    x, y = (net.add_tensor(name, (1, 4), "float32") for name in "xy")
    net.add_operator("LOGISTIC", [x], [y])
    path = tmp_path / "function.tflite"
    path.write_bytes(net.finish([x], [y]))
    with pytest.raises(UnsupportedError, match="has no layer whose weights could be int4"):
        quantize(path, np.zeros((2, 4), np.float32), weights="int4")
