"""What an ONNX file may hold and tinycc does not read is refused by name; so is what contradicts itself."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tvm import relax

import tinycc
from tests.tools.onnx_graph import Graph
from tinycc.errors import ModelError, TinyccError, UnsupportedError
from tinycc.frontend.onnx import load_onnx
from tinycc.frontend.onnx.base import Convert
from tinycc.frontend.onnx.converters import CONVERTERS
from tinycc.frontend.onnx.description import describe_onnx


def _model(opset: int = 21) -> onnx.ModelProto:
    """quantize(relu(dequantize(x)))."""
    graph = Graph(opset)
    graph.output(graph.call("Relu", [graph.input((1, 4, 6, 6))])[0])
    return graph.model()


def _node(model: onnx.ModelProto, kind: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == kind)


def _int4_weights(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.INT4, [2], [1, 2]))


def _float8_weights(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT8E4M3FN, [2], [1.0, 2.0]))


def _strings(model: onnx.ModelProto) -> None:
    model.graph.initializer.add(name="w", data_type=TensorProto.STRING, dims=[1], string_data=[b"word"])


def _sequence(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, [1]))


def _optional(model: onnx.ModelProto) -> None:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    model.graph.input.append(helper.make_value_info("o", helper.make_optional_type_proto(tensor)))


def _function(model: onnx.ModelProto) -> None:
    opsets = [helper.make_opsetid("", 21)]
    model.functions.append(helper.make_function("own", "twice", ["a"], ["b"], [], opsets))


def _training(model: onnx.ModelProto) -> None:
    model.training_info.add()


def _sparse(model: onnx.ModelProto) -> None:
    values = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))


def _domain(model: onnx.ModelProto) -> None:
    _node(model, "Relu").domain = "org.example"
    model.opset_import.append(helper.make_opsetid("org.example", 1))


def _newer(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


def _branch(model: onnx.ModelProto) -> None:
    node = _node(model, "Relu")
    node.op_type = "If"
    graph = helper.make_graph([], "branch", [], [])
    node.attribute.extend([helper.make_attribute(name, graph) for name in ("then_branch", "else_branch")])


def _unknown_operator(model: onnx.ModelProto) -> None:
    _node(model, "Relu").op_type = "Hardmax"


def _other_shape(model: onnx.ModelProto) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("Relu1_0", TensorProto.FLOAT, [1, 4, 6, 7]))


def _other_type(model: onnx.ModelProto) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("Relu1_0", TensorProto.INT8, [1, 4, 6, 6]))


def _other_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info(model.graph.output[0].name, TensorProto.INT8, [1, 4, 36])
    )


FEATURES: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "int4 weights": (_int4_weights, "tensor 'w' is int4, which is not supported"),
    "float8 weights": (_float8_weights, "tensor 'w' is float8e4m3fn, which is not supported"),
    "strings": (_strings, "tensor 'w' is string, which is not supported"),
    "a sequence": (_sequence, "'s' is no tensor"),
    "an optional": (_optional, "'o' is no tensor"),
    "a function": (_function, "functions .'twice'. are not supported; inline them"),
    "training": (_training, "training information is not supported"),
    "a sparse tensor": (_sparse, "tensor 'w' is sparse"),
    "another domain": (_domain, "Relu 'Relu1_0': this operator of the domain org.example is not supported"),
    "a newer opset": (_newer, "opset 99; convert the model"),
    "a branch": (_branch, "If 'Relu1_0': this operator is not supported"),
    "an operator that is not taken": (_unknown_operator, "Hardmax 'Relu1_0': this operator is not supported"),
}
CONTRADICTIONS: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "another shape": (
        _other_shape,
        r"'Relu1_0': the file says float \[1, 4, 6, 7\], its operators give float \[1, 4, 6, 6\]",
    ),
    "another type": (
        _other_type,
        r"'Relu1_0': the file says int8 \[1, 4, 6, 6\], its operators give float \[1, 4, 6, 6\]",
    ),
    "another output": (
        _other_output,
        r"the file says int8 \[1, 4, 36\], its operators give int8 \[1, 4, 6, 6\]",
    ),
}


def _saved(change: Callable[[onnx.ModelProto], None], folder: Path) -> Path:
    model, path = _model(), folder / "model.onnx"
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_refused_by_name(name: str, tmp_path: Path) -> None:
    change, reason = FEATURES[name]
    with pytest.raises(UnsupportedError, match=reason) as caught:
        load_onnx(_saved(change, tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_tensor_is_as_the_file_says(name: str, tmp_path: Path) -> None:
    change, reason = CONTRADICTIONS[name]
    with pytest.raises(ModelError, match=reason):
        load_onnx(_saved(change, tmp_path))


@pytest.mark.parametrize("misread", [
    lambda node: relax.op.nn.max_pool2d(node.source, (2, 2)),
    lambda node: relax.op.astype(node.source, "int32"),
])  # fmt: skip
def test_an_operator_that_is_misread_is_noticed(
    misread: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONVERTERS, "Relu", misread)
    with pytest.raises(
        ModelError, match=r"'Relu1_0': .* is imported as .* where ONNX has float32 \[1, 4, 6, 6\]"
    ):
        load_onnx(_saved(lambda model: None, tmp_path))


def test_inspect_refuses_what_compile_refuses(tmp_path: Path) -> None:
    graph = Graph(18)
    scales = graph.constant(np.array([1, 1, 2, 2], np.float32))
    graph.output(graph.call("Resize", [graph.input((1, 4, 6, 6)), "", scales], mode="linear", antialias=1)[0])
    path = graph.save(tmp_path)
    reasons = [operator.reason for operator in describe_onnx(path).operators if not operator.supported]
    assert reasons == ["antialias 1 is not supported, only 0; export the model so"]
    with pytest.raises(UnsupportedError, match=reasons[0]):
        load_onnx(path)


def test_an_output_needs_no_shape_and_no_type(tmp_path: Path) -> None:
    model, path = _model(), tmp_path / "model.onnx"
    model.graph.output[0].ClearField("type")
    path.write_bytes(model.SerializeToString())
    case = np.arange(-72, 72, dtype=np.int8).reshape(1, 4, 6, 6)
    [result] = tinycc.compile(path).run([case])
    np.testing.assert_array_equal(result, np.maximum(case, 3))


def test_parameters_may_be_constant_expressions(tmp_path: Path) -> None:
    """Bounds that are dequantized, a shape that is computed; weights stay int8 meanwhile."""
    graph = Graph(21)
    bounds = [
        graph.call("DequantizeLinear", [graph.constant(np.int8(value)), graph.constant(np.float32(0.1))])[0]
        for value in (-10, 20)
    ]
    clipped = graph.call("Clip", [graph.input((1, 4, 6, 6)), *bounds])[0]
    shape = graph.call(
        "Concat", [graph.constant(np.array([1], np.int64)), graph.constant(np.array([-1]))], axis=0
    )
    graph.output(graph.call("Reshape", [clipped, *shape])[0])
    case = np.arange(-72, 72, dtype=np.int8).reshape(1, 4, 6, 6)
    model = tinycc.compile(graph.save(tmp_path))
    np.testing.assert_array_equal(model.run([case])[0], np.clip(case, 3 - 20, 3 + 40).reshape(1, 144))


def test_int16_needs_no_zero_point(tmp_path: Path) -> None:
    graph = Graph(21)
    operands = [graph.input((1, 4)), graph.constant(np.float32(0.001))]
    [result] = graph.call("QuantizeLinear", operands, output_dtype=TensorProto.INT16)
    graph.outputs.append(helper.make_tensor_value_info(result, TensorProto.INT16, [1, 4]))
    case = np.array([[-20, 3, 4, 100]], np.int8)
    [found] = tinycc.compile(graph.save(tmp_path)).run([case])
    np.testing.assert_array_equal(found, np.array([[-1150, 0, 50, 4850]], np.int16))


def test_a_transposed_convolution_in_groups_is_refused_for_what_it_is(tmp_path: Path) -> None:
    graph = Graph()
    weights = graph.call(
        "DequantizeLinear", [graph.constant(np.ones((4, 1, 3, 3), np.int8)), graph.constant(np.float32(1))]
    )
    graph.output(graph.call("ConvTranspose", [graph.input((1, 4, 6, 6)), *weights], group=4)[0])
    with pytest.raises(TinyccError, match=r"ConvTranspose .*: group 4 is not supported, only 1"):
        load_onnx(graph.save(tmp_path))
