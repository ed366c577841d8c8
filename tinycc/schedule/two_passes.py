"""Blocks with a global reduction in their middle, in two passes.

In a squeeze-and-excite block a wide tensor is reduced to one value a channel, and only then multiplied with
what became of that: the tensor is held all the while. Here what makes it is computed a second time for the
second use, so that both uses can take in its rows as they come. The price is known: the MACs of what is
computed again.
"""

from dataclasses import dataclass

import tvm

from tinycc import tvm_adapter
from tinycc.graph import BindingWriter, Node, OperatorGraph
from tinycc.ops.base import REPEATED
from tinycc.schedule.candidates import Candidates


@dataclass(frozen=True)
class Block:
    """Operators of main.

    makers: what makes the wide tensor, from a smaller one.
    second_use: the first that reads it after the reduction, and depends on that.
    saved_bytes: by how much the wide tensor is larger than what it is made of.
    """

    makers: tuple[Node, ...]
    second_use: Node
    saved_bytes: int


def blocks_of(candidates: Candidates) -> list[Block]:
    """The blocks of a module, those that save most first."""
    blocks = [block for node in candidates.nodes if (block := _block_at(candidates, node)) is not None]
    saving = [block for block in blocks if block.saved_bytes > 0]
    return sorted(saving, key=lambda block: (-block.saved_bytes, block.second_use.index))


def _block_at(candidates: Candidates, node: Node) -> Block | None:
    """The block whose wide tensor an operator makes, None if there is none."""
    readers = candidates.graph.readers[node.results[0]]
    reductions = [reader for reader in readers if candidates.accumulates(reader)]
    if not reductions:
        return None
    behind = candidates.depending_on(reductions[0])
    second = next((reader for reader in readers if reader in behind), None)
    if second is None:
        return None
    return min(
        _makers(candidates, node, second),
        key=lambda block: (-block.saved_bytes, -block.makers[0].index),
        default=None,
    )


def _makers(candidates: Candidates, last: Node, second: Node) -> list[Block]:
    """Chains of operators that run row by row and end with the operator `last`, however long."""
    graph = candidates.graph
    wide = graph.tensor_of(last.results[0]).bytes
    blocks = []
    chain: list[Node] = []
    node: Node | None = last
    while node is not None and candidates.streams(node):
        if len(node.reads) != 1 or (chain and len(graph.readers[node.results[0]]) > 1):
            break
        [source] = node.reads
        if source in graph.overwritten:
            break  # A state may have its next value by then.
        producer = graph.makers.get(source)
        if producer is not None and candidates.is_awaited(producer):
            break  # Rows from outside come once.
        chain.insert(0, node)
        blocks.append(Block(tuple(chain), second, wide - graph.tensor_of(source).bytes))
        node = producer
    return blocks


def in_two_passes(graph: OperatorGraph, blocks: list[Block]) -> tvm.IRModule:
    """The module with what makes the wide tensors of `blocks` computed again just before their second use."""
    module = tvm.IRModule(dict(graph.module.functions), attrs=graph.module.attrs)
    starting = {block.second_use: block for block in blocks}
    writer = BindingWriter(graph, is_main=True)
    for node in graph.nodes:
        if node in starting:
            for maker in starting[node].makers:
                callee = maker.call.op
                again = tvm.ir.GlobalVar(f"{callee.name_hint}_again{node.index}")
                module.update_func(again, module[callee].with_attr(REPEATED, 1))
                writer.forget(maker.variable)
                writer.write(maker, again)
        writer.write(node)
    return tvm_adapter.rebuild_main(module, writer.bindings, writer.read(graph.main.body.body))
