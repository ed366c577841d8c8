"""What a TFLite file may say of its tensors, inputs and outputs; what tinycc does not follow is named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm
from tvm_ffi import structural_equal

import tinycc
from tests.tools import tflite_writer
from tests.tools.tflite_catalogue import LAYERS
from tests.tools.tflite_layers import Layer, write_layers
from tests.tools.tflite_writer import TFLiteWriter, run_litert
from tinycc import tvm_adapter
from tinycc.errors import ModelError, TinyccError
from tinycc.frontend.tflite import load_tflite

LAYER = {layer.kind: layer for layer in LAYERS}
QUANTIZED: dict[str, Any] = {"scale": 0.1, "zero_point": 3}
Edges = Callable[[dict[str, int]], tuple[list[int], list[int]]]


def _loaded(content: bytes, folder: Path) -> tvm.IRModule:
    path = folder / "model.tflite"
    path.write_bytes(content)
    return load_tflite(path)


def _sum_and_product(edges: Edges, **second: Any) -> bytes:
    """a + b and a * b beside a constant and a state; `edges` picks inputs and outputs by name.

    second: what b is besides quantized.
    """
    net = TFLiteWriter()
    tensors = {
        "a": net.add_tensor("a", (1, 4), **QUANTIZED),
        "b": net.add_tensor("b", (1, 4), **QUANTIZED, **second),
        "sum": net.add_tensor("same name", (1, 4), scale=0.2),
        "product": net.add_tensor("same name", (1, 4), scale=0.4),
        "constant": net.add_tensor("constant", (1, 4), **QUANTIZED, data=np.array([[1, 2, 3, 4]])),
        "state": net.add_tensor("state", (1, 4), **QUANTIZED, variable=True),
    }
    net.add_operator("ADD", [tensors["a"], tensors["b"]], [tensors["sum"]], "AddOptions")
    net.add_operator("MUL", [tensors["a"], tensors["b"]], [tensors["product"]], "MulOptions")
    inputs, outputs = edges(tensors)
    return net.finish(inputs, outputs)


REFUSED_EDGES: dict[str, tuple[Edges, str]] = {
    "input twice": (lambda t: ([t["a"], t["b"], t["a"]], [t["sum"]]), "input a is listed twice"),
    "constant as input": (lambda t: ([t["a"], t["b"], t["constant"]], [t["sum"]]), "constant is a constant"),
    "state as input": (lambda t: ([t["a"], t["b"], t["state"]], [t["sum"]]), "state is a state"),
    "state that nobody updates": (lambda t: ([t["a"], t["b"]], [t["state"]]), "state is never computed"),
    "no inputs": (lambda t: ([], [t["sum"]]), "reads a before it is computed"),
}


@pytest.mark.parametrize("case", REFUSED_EDGES)
def test_refused_inputs_and_outputs(case: str, tmp_path: Path) -> None:
    edges, reason = REFUSED_EDGES[case]
    with pytest.raises(TinyccError, match=reason):
        _loaded(_sum_and_product(edges), tmp_path)


def test_outputs_may_be_listed_twice_and_be_inputs(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(
        _sum_and_product(lambda t: ([t["b"], t["a"]], [t["sum"], t["a"], t["product"], t["sum"]]))
    )
    b, a = (np.array([values], np.int8) for values in ([13, 3, -7, 23], [23, 13, 3, -17]))
    outputs = tinycc.compile(path).run([b, a])
    expected = ([[15, 5, -5, 0]], a, [[5, 0, 0, -10]], [[15, 5, -5, 0]])
    for output, values in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(output, values)


BOTH: Edges = lambda t: ([t["a"], t["b"]], [t["sum"]])  # noqa: E731
TENSORS = {
    "int4": ({"dtype": "int4"}, r"tensor 1 \(b\) is INT4"),
    "complex64": ({"dtype": "complex64"}, r"tensor 1 \(b\) is COMPLEX64"),
    "string": ({"dtype": "string"}, r"tensor 1 \(b\) is STRING"),
    "sparse": ({"sparse": True}, r"tensor 1 \(b\) is sparse"),
}


@pytest.mark.parametrize("case", TENSORS)
def test_refused_tensors(case: str, tmp_path: Path) -> None:
    properties, reason = TENSORS[case]
    with pytest.raises(TinyccError, match=reason):
        _loaded(_sum_and_product(BOTH, **properties), tmp_path)


def test_another_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite_writer, "SCHEMA_VERSION", 4)
    with pytest.raises(TinyccError, match="schema version 4"):
        _loaded(_sum_and_product(BOTH), tmp_path)


def _with_operand(kind: str, position: int, **changes: Any) -> Layer:
    operands = list(LAYER[kind].operands)
    operand = operands[position]
    assert operand is not None
    operands[position] = replace(operand, **changes)
    return replace(LAYER[kind], operands=tuple(operands))


BIASES = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}


@pytest.mark.parametrize("kind", BIASES)
def test_the_bias_counts_as_its_integers(kind: str, tmp_path: Path) -> None:
    # FULLY_CONNECTED alone looks at its scale: 0.004 - 0.002 is 0.5 % of the output's 0.4.
    scale = 0.004 if kind == "FULLY_CONNECTED" else 0.2
    usual = _loaded(write_layers([LAYER[kind]]), tmp_path)
    for other in (scale, ()):
        changed = _with_operand(kind, BIASES[kind], scale=other)
        assert structural_equal(_loaded(write_layers([changed]), tmp_path), usual)


def test_a_dense_bias_beyond_two_percent_of_the_output_is_refused(tmp_path: Path) -> None:
    _loaded(write_layers([_with_operand("FULLY_CONNECTED", 2, scale=0.0099)]), tmp_path)
    with pytest.raises(ModelError, match=r"its bias layer0_in2 has the scale 0\.0101"):
        _loaded(write_layers([_with_operand("FULLY_CONNECTED", 2, scale=0.0101)]), tmp_path)


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"])
def test_zero_points_of_weights_and_biases_are_refused(kind: str, tmp_path: Path) -> None:
    for position in (1, BIASES[kind]):
        with pytest.raises(ModelError, match=f"{kind}.*zero point 2"):
            _loaded(write_layers([_with_operand(kind, position, zero_point=2)]), tmp_path)


def test_the_arithmetic_of_shapes_is_done_at_import(tmp_path: Path) -> None:
    """reshape(x, [shape(x)[0], prod(shape(x)[1:]) * 1])"""
    net = TFLiteWriter()

    def numbers(*values: int) -> int:
        return net.add_tensor("constant", (len(values),), "int32", data=np.array(values))

    x = net.add_tensor("x", (1, 2, 3), **QUANTIZED)
    shape, one = net.add_tensor("shape", (3,), "int32"), net.add_tensor("one", (), "int32", data=np.array(1))
    batch, rest = net.add_tensor("batch", (), "int32"), net.add_tensor("rest", (2,), "int32")
    product, same = net.add_tensor("product", (), "int32"), net.add_tensor("same", (), "int32")
    wanted, y = net.add_tensor("wanted", (2,), "int32"), net.add_tensor("y", (1, 6), **QUANTIZED)
    net.add_operator("SHAPE", [x], [shape], "ShapeOptions", OutType=2)
    first = [shape, numbers(0), numbers(1), numbers(1)]
    net.add_operator("STRIDED_SLICE", first, [batch], "StridedSliceOptions", ShrinkAxisMask=1)
    others = [shape, numbers(1), numbers(0), numbers(1)]
    net.add_operator("STRIDED_SLICE", others, [rest], "StridedSliceOptions", EndMask=1)
    net.add_operator("REDUCE_PROD", [rest, numbers(0)], [product], "ReducerOptions")
    net.add_operator("MUL", [product, one], [same], "MulOptions")
    net.add_operator("PACK", [batch, same], [wanted], "PackOptions", Axis=0, ValuesCount=2)
    net.add_operator("RESHAPE", [x, wanted], [y], "ReshapeOptions")
    module = _loaded(net.finish([x], [y]), tmp_path)
    names = [tvm_adapter.op_name(binding.value) for binding in tvm_adapter.bindings_of(module["main"])]
    assert [name for name in names if name] == ["relax.reshape"]


def test_a_scale_may_be_zero_where_all_weights_of_the_channel_are(tmp_path: Path) -> None:
    weights = LAYER["CONV_2D"].operands[1]
    assert weights is not None and weights.data is not None
    empty = np.array(weights.data)
    empty[1] = 0
    changes: dict[str, Any] = {"scale": (0.02, 0.0), "data": empty}
    path = tmp_path / "model.tflite"
    path.write_bytes(write_layers([_with_operand("CONV_2D", 1, **changes)]))
    x = np.arange(-36, 36, dtype=np.int8).reshape(1, 4, 6, 3)
    expected = run_litert(path, [x[None]])[0][0]
    np.testing.assert_array_equal(tinycc.compile(path).run([x])[0], expected)
    with pytest.raises(ModelError, match="not a positive number"):
        _loaded(write_layers([_with_operand("CONV_2D", 1, scale=(0.02, 0.0))]), tmp_path)
