"""Blocks with a global reduction in their middle, in two passes.

In a squeeze-and-excite block a wide tensor is reduced to one value a channel, and only then multiplied with
what became of that: the tensor is held all the while. Here what makes it is computed a second time for the
second use, so that both uses can take in its rows as they come. The price is known: the MACs of what is
computed again.
"""

from dataclasses import dataclass

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import REPEATED
from tinycc.schedule.candidates import Candidates


@dataclass(frozen=True)
class Block:
    """Bindings of main, by index.

    makers: what makes the wide tensor, from a smaller one.
    second_use: the first that reads it after the reduction, and depends on that.
    saved_bytes: by how much the wide tensor is larger than what it is made of.
    """

    makers: tuple[int, ...]
    second_use: int
    saved_bytes: int


def blocks_of(candidates: Candidates) -> list[Block]:
    """The blocks of a module, those that save most first."""
    found = []
    for index in range(len(candidates.bindings)):
        block = _block_at(candidates, index)
        if block is not None and block.saved_bytes > 0:
            found.append(block)
    return sorted(found, key=lambda block: (-block.saved_bytes, block.second_use))


def _block_at(candidates: Candidates, index: int) -> Block | None:
    """The block whose wide tensor binding `index` makes, None if there is none."""
    wide = candidates.bindings[index].var
    readers = candidates.readers(wide)
    reductions = [reader for reader in readers if candidates.accumulates(reader)]
    if not reductions:
        return None
    behind = candidates.depending_on(reductions[0])
    second = next((reader for reader in readers if reader in behind), None)
    if second is None:
        return None
    return min(
        _makers(candidates, index, second),
        key=lambda block: (-block.saved_bytes, -block.makers[0]),
        default=None,
    )


def _makers(candidates: Candidates, index: int, second: int) -> list[Block]:
    """Chains of operators that run row by row and end with binding `index`, however long."""
    wide = candidates.bindings[index].var
    blocks = []
    chain: list[int] = []
    while candidates.callee(index) is not None and candidates.streams(index):
        operands = tvm_adapter.variables_of(candidates.bindings[index].value)
        if len(set(operands)) != 1 or (chain and len(candidates.readers(candidates.bindings[index].var)) > 1):
            break
        if candidates.is_overwritten(operands[0]):
            break  # A state may have its next value by then.
        producer = candidates.maker(operands[0])
        if producer is not None and candidates.is_awaited(producer):
            break  # Rows from outside come once.
        chain.insert(0, index)
        saved = candidates.bytes_of(wide) - candidates.bytes_of(operands[0])
        blocks.append(Block(tuple(chain), second, saved))
        if producer is None:
            break
        index = producer
    return blocks


def in_two_passes(candidates: Candidates, blocks: list[Block]) -> tvm.IRModule:
    """The module with what makes the wide tensors of `blocks` computed again just before their second use."""
    module = tvm.IRModule(dict(candidates.module.functions), attrs=candidates.module.attrs)
    main = candidates.main
    starting = {block.second_use: block for block in blocks}
    renamed: dict[relax.Var, relax.Var] = {}
    bindings = []
    for index, binding in enumerate(candidates.bindings):
        if index in starting:
            again = dict(renamed)
            for maker in starting[index].makers:
                original = candidates.bindings[maker]
                variable = tvm.ir.GlobalVar(f"{original.value.op.name_hint}_again{index}")
                module.update_func(variable, module[original.value.op].with_attr(REPEATED, 1))
                arguments = [again.get(item, item) for item in original.value.args]
                again[original.var] = relax.DataflowVar(f"{original.var.name}_again", original.var.ty)
                call = relax.Call(variable, arguments, ret_ty=original.var.ty)
                bindings.append(relax.VarBinding(again[original.var], call))
            wide = candidates.bindings[starting[index].makers[-1]].var
            renamed[wide] = again[wide]
        value = binding.value
        if any(variable in renamed for variable in tvm_adapter.variables_of(value)):
            value = _with_operands(value, renamed, binding.var)
        bindings.append(relax.VarBinding(binding.var, value))
    body = relax.SeqExpr([relax.DataflowBlock(bindings)], main.body.body)
    edited = relax.Function(main.params, body, main.ret_ty, main.is_pure, main.attrs)
    module.update_func(module.get_global_var("main"), edited)
    return module


def _with_operands(value: relax.Expr, renamed: dict[relax.Var, relax.Var], result: relax.Var) -> relax.Expr:
    if isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar):
        return relax.Call(value.op, [renamed.get(item, item) for item in value.args], ret_ty=result.ty)
    return tvm_adapter.substitute(value, renamed)
