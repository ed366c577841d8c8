"""Branches that are settled before a model runs: an If on a constant is one of its graphs."""

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import helper

from tinycc.frontend.onnx.rewriting import GraphEditor, attributes_of


def subgraphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and those in attributes of its nodes, at any depth."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.output:
                    yield from subgraphs(inner)


def taken_branch(node: onnx.NodeProto, condition: np.ndarray, editor: GraphEditor) -> list[onnx.NodeProto]:
    """The nodes of the branch that an If takes, under names of their own; its constants go to the graph.

    The last of them have the results of the If.
    """
    branch = attributes_of(node)["then_branch" if condition.reshape(-1)[0] else "else_branch"]
    names: dict[str, str] = {}
    for tensor in branch.initializer:
        names[tensor.name] = editor.add_constant(tensor.name, onnx.numpy_helper.to_array(tensor))
    nodes = []
    for inner in branch.node:
        copied = onnx.NodeProto()
        copied.CopyFrom(inner)
        names.update({name: editor.fresh(name) for name in inner.output if name})
        _rename(copied, names)
        nodes.append(copied)
    for result, value in zip(node.output, branch.output, strict=False):
        if result:
            nodes.append(
                helper.make_node("Identity", [names.get(value.name, value.name)], [result], node.name)
            )
    return nodes


def _rename(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Other names for the tensors of a node, those that graphs of its own read from outside too."""
    for field in (node.input, node.output):
        renamed = [names.get(name, name) for name in field]
        del field[:]
        field.extend(renamed)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            own |= {name for inner in graph.node for name in inner.output}
            outer = {old: new for old, new in names.items() if old not in own}
            for inner in graph.node:
                _rename(inner, outer)
            for value in graph.output:
                value.name = outer.get(value.name, value.name)
