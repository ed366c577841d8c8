"""Building ONNX graphs: what the rewritings before the import share."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


class GraphEditor:
    """The nodes and initializers of a graph while it is being rewritten."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self._names = set(self.constants) | {name for node in model.graph.node for name in node.output}

    def fresh(self, name: str) -> str:
        """A tensor name that is not taken yet."""
        candidate, count = name, 0
        while candidate in self._names:
            count += 1
            candidate = f"{name}_{count}"
        self._names.add(candidate)
        return candidate

    def add_constant(self, name: str, value: np.ndarray) -> str:
        """A new initializer; returns its name."""
        name = self.fresh(name)
        self.constants[name] = value
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def replace_constants(self, values: dict[str, np.ndarray]) -> None:
        """New values for initializers."""
        self.constants.update(values)
        for tensor in self.graph.initializer:
            if tensor.name in values:
                tensor.CopyFrom(numpy_helper.from_array(values[tensor.name], tensor.name))

    def replace_nodes(self, nodes: Iterable[onnx.NodeProto]) -> None:
        """The graph's nodes, in order."""
        kept = list(nodes)
        del self.graph.node[:]
        self.graph.node.extend(kept)


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node as Python values."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def set_attributes(node: onnx.NodeProto, **values: Any) -> None:
    """Attributes of a node set to new values; None and an empty list take an attribute away."""
    attributes = {**attributes_of(node), **values}
    del node.attribute[:]
    node.attribute.extend(
        helper.make_attribute(name, value) for name, value in attributes.items() if value not in (None, [])
    )


def label(node: onnx.NodeProto) -> str:
    """How a node is named in messages."""
    name = node.name or (node.output[0] if node.output else "")
    return f"{node.op_type} {name!r}"


def opset_of(model: onnx.ModelProto) -> int:
    """The opset of ONNX's own domain; 13 where a model has only operators of others."""
    versions = [entry.version for entry in model.opset_import if entry.domain == ""]
    return versions[0] if versions else 13


def tensors_read(model: onnx.ModelProto) -> set[str]:
    """The tensors that operators or the model's outputs read."""
    read = {value.name for value in model.graph.output}
    return read.union(*(reads_of(node) for node in model.graph.node))


def reads_of(node: onnx.NodeProto) -> set[str]:
    """The tensors that a node reads, or graphs of its own."""
    graphs = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return set(node.input).union(
        *(reads_of(inner) for graph in graphs for inner in graph.node),
        (value.name for graph in graphs for value in graph.output),
    )
