"""What an ONNX file may hold and tinycc does not read is refused by name; so is what contradicts itself."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
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


def _float8_weights(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT8E4M3FN, [2], [1.0, 2.0]))


def _strings(model: onnx.ModelProto) -> None:
    model.graph.initializer.add(name="w", data_type=TensorProto.STRING, dims=[1], string_data=[b"word"])


def _sequence(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, [1]))


def _optional(model: onnx.ModelProto) -> None:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    model.graph.input.append(helper.make_value_info("o", helper.make_optional_type_proto(tensor)))


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
    _into_branches(model, "c")
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))


def _into_branches(model: onnx.ModelProto, condition: str) -> None:
    """If the condition holds relu, else the negative of it, of one name in both branches."""
    node = _node(model, "Relu")
    source, branches = node.input[0], {}
    for name, kind in (("then_branch", "Relu"), ("else_branch", "Neg")):
        inner = [helper.make_node("Relu", [source], ["r"]), helper.make_node(kind, ["r"], ["inner"])]
        result = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1, 4, 6, 6])
        branches[name] = helper.make_graph(inner, name, [], [result])
    node.CopyFrom(helper.make_node("If", [condition], list(node.output), node.name, **branches))


def _loop(model: onnx.ModelProto) -> None:
    node = _node(model, "Relu")
    node.op_type = "Loop"
    node.attribute.append(helper.make_attribute("body", helper.make_graph([], "body", [], [])))
    node.attribute[0].g.node.append(helper.make_node("Relu", ["a"], ["b"]))


def _unknown_operator(model: onnx.ModelProto) -> None:
    _node(model, "Relu").op_type = "Det"


def _dynamic_operator(model: onnx.ModelProto) -> None:
    node = _node(model, "Relu")
    node.op_type = "Compress"
    node.input.append("c")
    model.graph.initializer.append(helper.make_tensor("c", TensorProto.BOOL, [2], [1, 0]))


def _other_shape(model: onnx.ModelProto) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("Relu1_0", TensorProto.FLOAT, [1, 4, 6, 7]))


def _other_type(model: onnx.ModelProto) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("Relu1_0", TensorProto.INT8, [1, 4, 6, 6]))


def _other_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info(model.graph.output[0].name, TensorProto.INT8, [1, 4, 36])
    )


FEATURES: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "float8 weights": (_float8_weights, "tensor 'w' is float8e4m3fn, which is not supported"),
    "strings": (_strings, "tensor 'w' is string, which is not supported"),
    "a sequence": (_sequence, "'s' is no tensor"),
    "an optional": (_optional, "'o' is no tensor"),
    "training": (_training, "training information is not supported"),
    "a sparse tensor": (_sparse, "tensor 'w' is sparse"),
    "another domain": (_domain, "Relu 'Relu1_0': this operator of the domain org.example is not supported"),
    "a newer opset": (_newer, "opset 99; convert the model"),
    "a branch": (_branch, "If 'Relu1_0': its condition is computed, which is not supported"),
    "a loop": (_loop, "Loop 'Relu1_0': this operator is not supported"),
    "an unknown operator": (_unknown_operator, "Det 'Relu1_0': this operator is not supported"),
    "a result of any size": (_dynamic_operator, "Compress 'Relu1_0': the shape of its result depends on the"),
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
    mode = "tf_half_pixel_for_nn"
    operands = [graph.input((1, 4, 6, 6)), "", scales]
    graph.output(graph.call("Resize", operands, coordinate_transformation_mode=mode)[0])
    path = graph.save(tmp_path)
    [reason] = [operator.reason for operator in describe_onnx(path).operators if not operator.supported]
    assert reason.startswith(f"coordinate_transformation_mode {mode} is not supported, only half_pixel or")
    with pytest.raises(UnsupportedError, match=reason):
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


CASE = np.arange(-72, 72, dtype=np.int8).reshape(1, 4, 6, 6)


def _result(model: onnx.ModelProto, folder: Path) -> np.ndarray:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    [result] = tinycc.compile(path).run([CASE])
    return result


@pytest.mark.parametrize(("condition", "expected"), [(1, np.maximum(CASE, 3)), (0, 6 - np.maximum(CASE, 3))])
def test_a_branch_on_a_constant_is_taken(condition: int, expected: np.ndarray, tmp_path: Path) -> None:
    model = _model()
    _into_branches(model, "c")
    model.graph.initializer.append(helper.make_tensor("c", TensorProto.BOOL, [], [condition]))
    np.testing.assert_array_equal(_result(model, tmp_path), expected)


def test_a_function_of_the_model_is_written_out(tmp_path: Path) -> None:
    model = _model()
    body = [helper.make_node("Neg", ["a"], ["n"]), helper.make_node("Relu", ["n"], ["b"])]
    model.functions.append(
        helper.make_function("own", "below", ["a"], ["b"], body, [helper.make_opsetid("", 21)])
    )
    model.opset_import.append(helper.make_opsetid("own", 1))
    node = _node(model, "Relu")
    node.op_type, node.domain = "below", "own"
    np.testing.assert_array_equal(_result(model, tmp_path), np.clip(6 - CASE.astype(int), 3, 127))


def test_an_operator_newer_than_the_opset_is_taken_in_the_meaning_of_its_own(tmp_path: Path) -> None:
    model = _model(13)
    _node(model, "Relu").op_type = "HardSwish"
    report = tinycc.compile(_write(model, tmp_path)).report
    assert any(
        "from ONNX opset 13 to 14, as HardSwish 'Relu1_0' is of opset 14" in note for note in report["notes"]
    )


def test_an_older_opset_is_converted_and_said(tmp_path: Path) -> None:
    model = _model(10)
    assert "from ONNX opset 10 to 11." in " ".join(tinycc.compile(_write(model, tmp_path)).report["notes"])
    with pytest.raises(UnsupportedError, match="opset 6; convert the model to one of 7 to"):
        load_onnx(_write(_model(6), tmp_path))


def test_constants_of_the_oldest_files_are_inputs(tmp_path: Path) -> None:
    model = _model(10)
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    np.testing.assert_array_equal(_result(model, tmp_path), np.maximum(CASE, 3))


def _write(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _open_model() -> onnx.ModelProto:
    """The model of dynamic height."""
    model = _model()
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    return model


def test_a_dynamic_length_is_fixed_by_a_shape(tmp_path: Path) -> None:
    path = _write(_open_model(), tmp_path)
    with pytest.raises(
        UnsupportedError, match=r"dimension 2 of input 'x0' is dynamic; .* --shape x0=1x16x16x16"
    ):
        load_onnx(path)
    [result] = tinycc.compile(path, shapes={"x0": (1, 4, 6, 6)}).run([CASE])
    np.testing.assert_array_equal(result, np.maximum(CASE, 3))


@pytest.mark.parametrize(("shapes", "reason"), [
    ({"x0": (1, 5, 6, 6)}, "--shape x0=1x5x6x6: the shape of this input is 1x4x?x6"),
    ({"x0": (1, 4, 6)}, "--shape x0=1x4x6: the shape of this input is 1x4x.x6"),
    ({"x0": (1, 4, 0, 6)}, "--shape x0=1x4x0x6: the shape of this input is"),
    ({"x0": (1, 4, 1 << 40, 6)}, "input 'x0' has more than 268435456 elements"),
    ({"y": (1,)}, "there is no input 'y' to give a shape, only x0"),
])  # fmt: skip
def test_a_shape_that_is_none_of_the_input_is_refused(
    shapes: dict[str, tuple[int, ...]], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(TinyccError, match=reason.replace("?", ".")):
        load_onnx(_write(_open_model(), tmp_path), shapes=shapes)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = _model()
    model.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.float32(np.nan), model.graph.initializer[0].name)
    )
    with pytest.raises(ModelError, match=r"tensor 'constant0' has values that are not numbers \(NaN\)"):
        load_onnx(_write(model, tmp_path))


def test_constants_of_any_size_are_refused_before_they_are_made(tmp_path: Path) -> None:
    graph = Graph(13)
    size = graph.constant(np.array([1 << 20, 1 << 20], np.int64))
    [huge] = graph.call("ConstantOfShape", [size])
    graph.output(graph.call("Add", [graph.input((1, 4)), *graph.call("ReduceSum", [huge])])[0])
    with pytest.raises(TinyccError, match="has more than 268435456 elements"):
        load_onnx(_write(graph.model(), tmp_path))
