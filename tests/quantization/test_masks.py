"""Masks of attention: found in each form, made finite, and kept from the quantizer; nothing else is."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinycc
from tinycc.errors import ModelError
from tinycc.quantization.masks import CLOSED, write_out_masks

OPEN = np.tril(np.ones((3, 3), bool))
FORMS = {
    "added": ("Add", ["x", "added"]),
    "added in front": ("Add", ["added", "x"]),
    "chosen": ("Where", ["open", "x", "least"]),
    "filled": ("Where", ["closed", "least", "x"]),
}


def model(kind: str, inputs: list[str], reader: str = "Softmax", closed: float = -np.inf) -> onnx.ModelProto:
    constants = {
        "added": np.where(OPEN, 0, closed).astype(np.float32),
        "open": OPEN,
        "closed": ~OPEN,
        "least": np.array(closed, np.float32),
    }
    nodes = [
        helper.make_node(kind, inputs, ["sum"], "sum"),
        helper.make_node(reader, ["sum"], ["y"], "reader"),
    ]
    graph = helper.make_graph(
        nodes,
        "masked",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 3])],
        [numpy_helper.from_array(constants[name], name) for name in constants if name in inputs],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("closed", [-np.inf, -1e4, float(np.finfo(np.float32).min)])
@pytest.mark.parametrize("form", FORMS)
def test_a_mask_becomes_a_finite_sum(form: str, closed: float) -> None:
    masked = model(*FORMS[form], closed=closed)
    [mask] = write_out_masks(masked)
    assert mask.scores == "x" and mask.nodes == ("sum", "reader")
    [constant], node = masked.graph.initializer, masked.graph.node[0]
    assert node.op_type == "Add" and list(node.input) == ["x", constant.name]
    np.testing.assert_array_equal(numpy_helper.to_array(constant), np.where(OPEN, 0, np.float32(CLOSED)))


def test_a_bias_is_no_mask() -> None:
    biased = model("Add", ["x", "added"], closed=-9.0)
    before = biased.SerializeToString()
    assert not write_out_masks(biased) and biased.SerializeToString() == before


def test_infinity_that_no_softmax_reads_is_refused(tmp_path: Path) -> None:
    onnx.save(model("Add", ["x", "added"], "Relu"), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="'added' have values that are not finite"):
        tinycc.quantize(tmp_path / "model.onnx", np.zeros((2, 1, 3, 3), np.float32))
