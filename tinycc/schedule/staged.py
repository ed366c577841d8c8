"""A graph, and a module, with stages and operators of other kernels in place of their operators."""

from collections.abc import Sequence
from dataclasses import replace

import tvm

from tinycc import tvm_adapter
from tinycc.graph import BindingWriter, Node, OperatorGraph
from tinycc.schedule.candidates import Candidate
from tinycc.schedule.other_kernels import kernel_function
from tinycc.schedule.stages import stage_function, stage_node


def scheduled(graph: OperatorGraph, chosen: Sequence[Candidate]) -> OperatorGraph:
    """The graph with the steps of `chosen`, which follow each other and cover main, as operators."""
    nodes: list[Node] = []
    for candidate in chosen:
        run = graph.nodes[candidate.first : candidate.last]
        if candidate.node is not None:
            nodes.append(replace(candidate.node, index=len(nodes)))
        elif candidate.stage is None:
            nodes += (replace(node, index=index) for index, node in enumerate(run, len(nodes)))
        else:
            nodes.append(stage_node(graph, run, candidate.stage, len(nodes)))
    return replace(graph, nodes=tuple(nodes))


def staged(graph: OperatorGraph, chosen: Sequence[Candidate]) -> tvm.IRModule:
    """The module with the same steps as composites."""
    after = scheduled(graph, chosen)
    module = tvm.IRModule(dict(graph.module.functions), attrs=graph.module.attrs)
    callees = {node.results: node.call.op for node in after.nodes}
    for candidate in chosen:
        if candidate.node is not None:
            module.update_func(candidate.node.call.op, kernel_function(graph, candidate.node))
        if candidate.stage is not None:
            run = graph.nodes[candidate.first : candidate.last]
            module.update_func(callees[run[-1].results], stage_function(graph, run, candidate.stage))
    writer = BindingWriter(after, is_main=True)
    for node in after.nodes:
        writer.write(node)
    return tvm_adapter.rebuild_main(module, writer.bindings, writer.read(graph.main.body.body))
