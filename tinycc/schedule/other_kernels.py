"""Operators on whole tensors that are run by another kernel than the one that was chosen for them."""

import tvm
from tvm import relax

from tinycc.graph import Node, OperatorGraph
from tinycc.ops.base import VARIANT, Operator
from tinycc.ops.overlap import OVERLAP_DISTANCES, overlap_distances


def by_kernel(node: Node, view: Operator) -> Node:
    """An operator of main run by the kernel that `view` names, the call of a function of its own."""
    distances = {int(key): distance for key, distance in overlap_distances(view).items()}
    name = f"{node.call.op.name_hint}_{view.variant}{node.index}"
    call = relax.Call(tvm.ir.GlobalVar(name), node.call.args, ret_ty=node.variable.ty)
    return Node(node.index, node.variable, call, view, node.reads, node.operands, node.results, distances)


def kernel_function(graph: OperatorGraph, node: Node) -> relax.Function:
    """The composite function that an operator of `by_kernel` calls."""
    function = graph.module[graph.nodes[node.index].call.op]
    return function.with_attrs({VARIANT: node.view.variant, OVERLAP_DISTANCES: overlap_distances(node.view)})
