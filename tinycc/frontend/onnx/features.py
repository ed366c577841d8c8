"""What a file in the ONNX format may hold and tinycc does not read; refused by name."""

from collections.abc import Collection, Iterator
from pathlib import Path

import onnx

from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.attributes import MICROSOFT
from tinycc.frontend.onnx.branches import subgraphs

ELEMENT_TYPES = {
    onnx.TensorProto.BOOL,
    onnx.TensorProto.DOUBLE,
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.INT8,
    onnx.TensorProto.INT16,
    onnx.TensorProto.INT32,
    onnx.TensorProto.INT64,
    onnx.TensorProto.UINT8,
    onnx.TensorProto.UINT16,
    onnx.TensorProto.UINT32,
    onnx.TensorProto.UINT64,
}
# The bits of integers that are packed, several a byte; only weights may have them.
NARROW_TYPES: dict[int, int] = {
    onnx.TensorProto.INT4: 4,
    onnx.TensorProto.UINT4: 4,
    onnx.TensorProto.INT2: 2,
    onnx.TensorProto.UINT2: 2,
}


def element_type(kind: int) -> str:
    """The name of an element type, as "int4"."""
    names = {value: name for name, value in onnx.TensorProto.DataType.items()}
    return names.get(kind, f"element type {kind}").lower()


def refuse_unread_features(path: Path, model: onnx.ModelProto) -> None:
    """UnsupportedError for domains that are not known, and all but tensors of plain numbers."""
    if model.training_info:
        raise UnsupportedError(
            f"{path}: training information is not supported; export the model for inference"
        )
    for sparse in (item for graph in subgraphs(model.graph) for item in graph.sparse_initializer):
        raise UnsupportedError(
            f"{path}: tensor {sparse.values.name!r} is sparse, which is not supported; store a dense one"
        )
    for graph in subgraphs(model.graph):
        for node in graph.node:
            _refuse_node(path, node)
    stored = {tensor.name for tensor in model.graph.initializer}
    for tensor in tensors_of(model):
        _refuse_type(path, tensor.name, tensor.data_type, {*ELEMENT_TYPES, *NARROW_TYPES})
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        kind = value.type.WhichOneof("value")
        if kind not in ("tensor_type", None):
            raise UnsupportedError(f"{path}: {value.name!r} is no tensor ({kind}), which is not supported")
    for value in (*model.graph.input, *model.graph.output):
        if value.name not in stored:
            _refuse_type(path, value.name, value.type.tensor_type.elem_type, ELEMENT_TYPES)
    for value in model.graph.value_info:
        _refuse_type(path, value.name, value.type.tensor_type.elem_type, {*ELEMENT_TYPES, *NARROW_TYPES})


def _refuse_node(path: Path, node: onnx.NodeProto) -> None:
    name = f"{path}: {node.op_type} {node.name or ''.join(node.output[:1])!r}"
    if node.domain not in ("", MICROSOFT):
        raise UnsupportedError(f"{name}: this operator of the domain {node.domain} is not supported")
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            raise UnsupportedError(f"{name}: {attribute.name} refers to the attribute of a function")
        has_graph = attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
        if has_graph and (node.domain or node.op_type != "If"):
            raise UnsupportedError(f"{name}: this operator is not supported, as it has a graph of its own")
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i not in ELEMENT_TYPES:
            raise UnsupportedError(f"{name}: to {element_type(attribute.i)} is not supported")
        if node.op_type == "Constant" and attribute.name in ("sparse_value", "value_string", "value_strings"):
            raise UnsupportedError(f"{name}: {attribute.name} is not supported; store a dense tensor")


def tensors_of(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All tensors that a file holds: initializers, and attributes of nodes."""
    for graph in subgraphs(model.graph):
        yield from graph.initializer
        for node in graph.node:
            yield from (item.t for item in node.attribute if item.type == onnx.AttributeProto.TENSOR)


def _refuse_type(path: Path, name: str, kind: int, known: Collection[int]) -> None:
    if kind and kind not in known:
        raise UnsupportedError(
            f"{path}: tensor {name!r} is {element_type(kind)}, which is not supported; quantize to int8"
        )
