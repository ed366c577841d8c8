"""The operators of `main` of a module of composites as a graph, which passes and planner read."""

from tinycc.graph.binding_writer import BindingWriter
from tinycc.graph.operator_graph import Node, OperatorGraph, Value
from tinycc.graph.views import view_of

__all__ = ["BindingWriter", "Node", "OperatorGraph", "Value", "view_of"]
