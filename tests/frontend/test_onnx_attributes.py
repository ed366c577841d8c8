"""Every attribute of every ONNX operator, one value at a time: as onnxruntime has it, or refused by name.

For each operator that the frontend takes there are small quantized models (`onnx_bases`). The attributes of
the first are set to values that are plain, at the edge, nonsense and of another type. What onnxruntime
refuses is refused; what it runs is refused with the name of the node, or comes within one step of its
quantization.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, defs

from tests.passes.layout_tools import run_on_vm
from tests.tools.onnx_bases import BASES, COORDINATES, NODE, ROUNDINGS
from tests.tools.onnx_runtime import run_all
from tinycc import tvm_adapter
from tinycc.edges import Edge, read_edges
from tinycc.errors import TinyccError
from tinycc.frontend.onnx import load_onnx
from tinycc.frontend.onnx.attributes import TAKEN
from tinycc.frontend.onnx.file import read_onnx
from tinycc.frontend.onnx.importer import import_onnx
from tinycc.frontend.onnx.load import explicit_model

# Operators on integers, indices and sequences, which ONNX's own node tests try (scripts/onnx_node_tests.py).
BY_NODE_TESTS = (
    "BatchNormalization", "BitShift", "CastLike", "ConvInteger", "CumProd", "Einsum", "EyeLike",
    "GatherElements", "GatherND", "GRU", "Hardmax", "InstanceNormalization", "IsInf", "LSTM", "LogSoftmax",
    "MatMulInteger", "Mod", "OneHot", "RNN", "ReduceL1", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd",
    "ReduceSumSquare", "ReverseSequence", "ScatterElements", "ScatterND", "TopK", "Trilu",
)  # fmt: skip
SLOW = os.environ.get("TINYCC_SLOW") == "1"
STRINGS = {
    "approximate": ("none", "tanh"),
    "auto_pad": ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"),
    "coordinate_transformation_mode": COORDINATES,
    "keep_aspect_ratio_policy": ("stretch", "not_larger", "not_smaller"),
    "mode": ("constant", "edge", "reflect", "wrap", "nearest", "linear", "cubic", "DCR", "CRD"),
    "nearest_mode": ROUNDINGS,
    "round_mode": ("up", "down", "nearest"),
}
VALUES: dict[int, tuple[Any, ...]] = {
    AttributeProto.INT: (-7, -2, -1, 0, 1, 2, 3, 100),
    AttributeProto.FLOAT: (0.0, -0.7, 0.3, 1.5, float("inf"), float("nan")),
    AttributeProto.INTS: (
        [0], [1], [2], [-1], [1, 1], [0, 0], [2, 1], [1, 2], [3, 3], [2, 3], [-1, 0], [1, 0, 2, 1],
        [0, 1, 1, 0], [3, 3, 3, 3], [0, -1, 0, 0], [0, 3, 1, 2], [8, 9], [13, 11], [1, 4, 8, 9],
    ),
    AttributeProto.STRING: ("nonsense",),
}  # fmt: skip
OF_ANOTHER_TYPE = {AttributeProto.INT: 1.0, AttributeProto.FLOAT: 1, AttributeProto.STRING: 1}
MICROSOFT_TYPES = {
    "alpha": AttributeProto.FLOAT,
    "auto_pad": AttributeProto.STRING,
    "dilations": AttributeProto.INTS,
    "kernel_shape": AttributeProto.INTS,
    "pads": AttributeProto.INTS,
    "strides": AttributeProto.INTS,
}


def _attribute_types(domain: str, kind: str, opset: int) -> dict[str, int]:
    """The attributes of an operator, by ONNX's schema or, as Microsoft's has none in `onnx`, by our list."""
    if domain:
        names = TAKEN[domain, kind].attributes
        return {name: MICROSOFT_TYPES.get(name, AttributeProto.INT) for name in names}
    schema = defs.get_schema(kind, opset)
    return {name: int(attribute.type.value) for name, attribute in schema.attributes.items()}


def _models(domain: str, kind: str) -> Iterator[onnx.ModelProto]:
    """All models of an operator: as they are, and the first with other attributes."""
    bases = BASES[domain, kind]
    for base in bases:
        yield base.model(domain, kind, base.attributes)
    first = bases[0]
    yield first.model(domain, kind, {**first.attributes, "nonsense": 1})
    for name, type_ in _attribute_types(domain, kind, first.opset).items():
        rest = {key: value for key, value in first.attributes.items() if key != name}
        yield first.model(domain, kind, rest)
        values = (*VALUES[type_], *STRINGS.get(name, ()), OF_ANOTHER_TYPE.get(type_, 1))
        for value in values:
            yield first.model(domain, kind, {**rest, name: value})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all models and what onnxruntime makes of them."""
    folder = tmp_path_factory.mktemp("models")
    for domain, kind in BASES:
        for index, model in enumerate(_models(domain, kind)):
            (folder / f"{domain}.{kind}.{index:03}.onnx").write_bytes(model.SerializeToString())
    run_all(folder)
    return folder


def _difference(path: Path) -> str:
    """How the frontend's module of a model is wrong beside onnxruntime; nothing where it is not."""
    expected = path.with_suffix(".npz")
    try:
        module = load_onnx(path)
    except TinyccError as error:
        names = (NODE, *_node(path).output, "no elements")
        is_named = "\n" not in str(error) and any(name in str(error) for name in names)
        return "" if is_named else f"refused without the name of the node: {error}"
    if not expected.exists():
        return f"onnxruntime refuses it: {path.with_suffix('.refused').read_text()[:200]}"
    arrays = np.load(expected)
    inputs = [arrays[f"in{index}"] for index in range(len(module["main"].params))]
    results = [arrays[f"out{index}"] for index in range(len(tvm_adapter.returned(module["main"])))]
    if "conv2d_transpose" in str(module):  # TVM has no such kernel for channels last
        module = import_onnx(explicit_model(path, read_onnx(path)[0]))
    else:
        inputs = list(map(_on_device, inputs, read_edges(module).inputs))
        results = list(map(_on_device, results, read_edges(module).outputs))
    for index, (result, wanted) in enumerate(zip(run_on_vm(module, inputs), results, strict=True)):
        if result.shape != wanted.shape:
            return f"result {index} has the shape {result.shape}, not {wanted.shape}"
        steps = int(np.abs(wanted.astype(np.int64) - result).max())
        if steps > 1:
            return f"result {index} is {steps} steps off"
    return ""


def _on_device(value: np.ndarray, edge: Edge) -> np.ndarray:
    return value.transpose(edge.permutation) if edge.permutation else value


def _node(path: Path) -> onnx.NodeProto:
    return next(node for node in onnx.load(path).graph.node if node.name == NODE)


@pytest.mark.parametrize(("domain", "kind"), BASES)
def test_it_is_as_in_onnxruntime_or_refused_by_name(domain: str, kind: str, models: Path) -> None:
    differences = {path: _difference(path) for path in sorted(models.glob(f"{domain}.{kind}.*.onnx"))}
    wrong = [f"{_node(path)}: {difference}" for path, difference in differences.items() if difference]
    assert not wrong, "\n".join(wrong)


def test_every_operator_is_tried() -> None:
    assert TAKEN.keys() - BASES.keys() == {("", "Acosh"), *(("", kind) for kind in BY_NODE_TESTS)}
