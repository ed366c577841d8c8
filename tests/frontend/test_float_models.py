"""Float models through each door: refused with advice, or compiled in float32 where that is asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import tinycc
from tests.tools.float_models import float_onnx, float_tflite, weights
from tests.tools.tflite_writer import TFLiteWriter, run_litert
from tinycc.compiler import CompiledModel
from tinycc.errors import ModelError, UnsupportedError

GENERATOR = np.random.default_rng(4)


def kinds(compiled: CompiledModel) -> list[str]:
    return [step.operator.kind for step in compiled.plan.steps]


def dense_file(path: Path, stored: np.ndarray, *, through: str, **quantization: Any) -> Path:
    """A dense layer with a bias whose weights are `stored`, read by a DEQUANTIZE or as they are."""
    net = TFLiteWriter()
    x = net.add_tensor("x", (1, 6), "float32")
    w = net.add_tensor("w", stored.shape, str(stored.dtype), data=stored, **quantization)
    b = net.add_tensor("b", (4,), "float32", data=np.arange(4, dtype=np.float32))
    y = net.add_tensor("y", (1, 4), "float32")
    if through:
        wide = net.add_tensor("wide", stored.shape, "float32")
        net.add_operator(through, [w], [wide])
        w = wide
    net.add_operator("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions", FusedActivationFunction=1)
    path.write_bytes(net.finish([x], [y]))
    return path


def check_dense(path: Path, weights: np.ndarray) -> None:
    """Assert that a file is a dense layer of these weights."""
    compiled = tinycc.compile(path, allow_float=True)
    assert kinds(compiled) == ["dense"]
    x = GENERATOR.normal(size=(1, 1, 6)).astype(np.float32)
    expected = np.maximum(x @ weights.T + np.arange(4), 0)
    np.testing.assert_allclose(compiled.run([x])[0], expected, rtol=1e-5, atol=1e-6)


def test_float16_weights_are_widened(tmp_path: Path) -> None:
    stored = GENERATOR.normal(size=(4, 6)).astype(np.float16)
    path = dense_file(tmp_path / "half.tflite", stored, through="DEQUANTIZE")
    check_dense(path, stored.astype(np.float32))


@pytest.mark.parametrize("through", ["", "DEQUANTIZE"])
def test_integer_weights_of_a_float_layer_are_made_real(tmp_path: Path, through: str) -> None:
    stored = GENERATOR.integers(-127, 128, (4, 6)).astype(np.int8)
    path = dense_file(tmp_path / "hybrid.tflite", stored, through=through, scale=0.02)
    check_dense(path, stored * np.float32(0.02))


def test_a_float_layer_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    path = dense_file(tmp_path / "float.tflite", np.ones((4, 6), np.float32), through="")
    with pytest.raises(UnsupportedError, match="compile it with --float"):
        tinycc.compile(path)


def test_layers_of_tflite_agree_with_litert(tmp_path: Path) -> None:
    """Padding by a number, a maximum, and functions."""
    net = TFLiteWriter()
    x = net.add_tensor("x", (1, 3, 4, 2), "float32")
    widths = net.add_tensor("widths", (4, 2), "int32", data=np.array([[0, 0], [1, 0], [0, 2], [0, 0]]))
    value = net.add_tensor("value", (), "float32", data=np.array(-1.5, np.float32))
    names = ("padded", "tangent", "negative", "y")
    padded, tangent, negative, y = (net.add_tensor(name, (1, 4, 6, 2), "float32") for name in names)
    net.add_operator("PADV2", [x, widths, value], [padded], "PadV2Options")
    net.add_operator("TANH", [padded], [tangent])
    net.add_operator("NEG", [tangent], [negative], "NegOptions")
    net.add_operator("MAXIMUM", [negative, padded], [y], "MaximumMinimumOptions")
    path = tmp_path / "layers.tflite"
    path.write_bytes(net.finish([x], [y]))
    values = GENERATOR.normal(size=(1, 3, 4, 2)).astype(np.float32)
    [expected] = run_litert(path, [values[np.newaxis]])
    found = tinycc.compile(path, allow_float=True).run([values[np.newaxis]])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_a_batch_norm_of_onnx_goes_into_the_convolution(tmp_path: Path) -> None:
    shapes = {"w": (5, 3, 3, 3), "b": (5,), "gamma": (5,), "beta": (5,), "mean": (5,)}
    constants = {name: GENERATOR.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    constants["variance"] = GENERATOR.uniform(0.5, 2, 5).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node(
            "BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], ["n"], epsilon=1e-3
        ),
        helper.make_node("Relu", ["n"], ["y"]),
    ]
    edges = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, channels, 6, 7))
        for name, channels in (("x", 3), ("y", 5))
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "graph", edges[:1], edges[1:], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    path = tmp_path / "norm.onnx"
    onnx.save(model, path)
    compiled = tinycc.compile(path, allow_float=True)
    assert kinds(compiled) == ["conv2d"]
    values = GENERATOR.normal(size=(1, 3, 6, 7)).astype(np.float32)
    [expected] = ReferenceEvaluator(model).run(None, {"x": values})
    np.testing.assert_allclose(compiled.run([values[np.newaxis]])[0][0], expected, rtol=1e-4, atol=1e-5)


NO_NUMBERS = [(np.nan, r"has values that are not numbers \(NaN\)"), (-np.inf, "has infinite values")]


@pytest.mark.parametrize(("value", "reason"), NO_NUMBERS)
@pytest.mark.parametrize("make", [float_tflite, float_onnx])
def test_weights_of_a_file_that_are_no_numbers_are_refused(
    make: Callable[..., Path], value: float, reason: str, tmp_path: Path
) -> None:
    constants = weights()
    constants["kernel"].flat[0] = value
    with pytest.raises(ModelError, match=f"small.*tensor 'kernel' {reason}"):
        tinycc.compile(make(tmp_path, constants), allow_float=True)


@pytest.mark.parametrize(("value", "reason"), NO_NUMBERS)
def test_weights_of_a_program_that_are_no_numbers_are_refused(value: float, reason: str) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(4, 2)
    module.weight.data[0, 0] = value
    program = torch.export.export(module, (torch.zeros(1, 4),))
    with pytest.raises(ModelError, match=f"weight' {reason}"):
        tinycc.compile(program, allow_float=True)


@pytest.mark.parametrize(("value", "reason"), NO_NUMBERS)
def test_statistics_of_a_normalization_are_weights(value: float, reason: str) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).eval()
    module[1].running_mean[1] = value
    image = torch.zeros(1, 3, 6, 6)
    with pytest.raises(ModelError, match=r"the weights '1\.running_mean' hold NaN or infinity"):
        tinycc.compile(module, example_inputs=image, allow_float=True)
    with pytest.raises(ModelError, match=f"running_mean' {reason}"):
        tinycc.compile(torch.export.export(module, (image,)), allow_float=True)


def test_a_mask_may_be_infinite_and_probabilities_stay_real() -> None:
    torch = pytest.importorskip("torch")

    class Masked(torch.nn.Module):  # type: ignore[misc, name-defined]
        mask = torch.full((4, 4), float("-inf")).triu(1)

        def forward(self, x: Any) -> Any:
            return torch.softmax(x + self.mask, -1)

    values = GENERATOR.normal(size=(1, 4, 4)).astype(np.float32)
    module = Masked()
    compiled = tinycc.compile(torch.export.export(module, (torch.zeros(1, 4, 4),)), allow_float=True)
    expected = module(torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(compiled.run([values[np.newaxis]])[0][0], expected, rtol=1e-6, atol=1e-6)
