"""Keep the last rows of a sequence in a line that moves up in place, rather than join and cut them anew.

Before:  rows = concatenate(s, x); s' = the last rows of `rows`, s a state, as streaming layers have it, or
         rows = concatenate(s without its first rows, x), which is s' itself
After:   rows = delay_line(x, s), which is s' itself; in the first case the state has room for the new rows,
         too, so that nothing is joined or cut off
Requires: fuse_quantized_ops, and layouts that are final. order_states lets what reads old rows come first.
Source:  states of streaming layers (Rybakov et al., "Streaming keyword spotting on mobile devices", 2020). A
         line that moves up serves every reader, a dense layer as well as a convolution, where a ring whose
         begin moves serves only what reads row by row; what moves is less than the state once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import TypeVar

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops import view_of
from tinycc.ops.base import Operator
from tinycc.ops.concatenate import Concatenate
from tinycc.ops.delay_line import delay_line
from tinycc.ops.states import Value, is_operator, values_of
from tinycc.ops.strided_copy import StridedCopy
from tinycc.states import State, read_states, state_parameters, with_states

_Kind = TypeVar("_Kind", bound=Operator)


@dataclass(frozen=True)
class _Line:
    """A state that can be a line.

    state: its index.
    joined: the variable of old rows and new ones, along `axis`; added: that of the new ones.
    line: that of the old ones; None where the state is to hold all that is joined.
    """

    state: int
    joined: relax.Var
    axis: int
    added: relax.Var
    line: relax.Var | None


@tvm.transform.module_pass(opt_level=0, name="SlideStates")
class SlideStates:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite the bindings that join rows to a state."""
        lines = list(_Finder(module).lines())
        return _rewritten(module, lines) if lines else module


class _Finder:
    """What `main` joins to its states and cuts off."""

    def __init__(self, module: tvm.IRModule) -> None:
        self.main = module["main"]
        self.states = state_parameters(self.main)
        self.results = tvm_adapter.returned(self.main)
        bindings = list(tvm_adapter.bindings_of(self.main)) if self.states else []
        self.values = values_of(self.main.params, bindings)
        self.calls: dict[Value, tuple[relax.Call, Operator]] = {
            item.var: (item.value, view_of(module[item.value.op]))
            for item in bindings
            if is_operator(item.value)
        }

    def lines(self) -> Iterator[_Line]:
        """The states that can be lines."""
        following = self.results[len(self.results) - len(self.states) :]
        for index, (state, result) in enumerate(zip(self.states, following, strict=True)):
            line = self.window(index, state, result) or self.shifted(index, state, result)
            if line is not None:
                yield line

    def window(self, index: int, state: relax.Var, following: relax.Expr) -> _Line | None:
        """The line of old and new rows that the next state is cut from, where nothing else reads the old."""
        rows = self.cut(following, _elements(state))
        joined = self.joined(rows)
        if joined is None or self.values[joined.line] != state or self.read_count(state) > 1:
            return None
        return replace(joined, state=index, line=None)

    def shifted(self, index: int, state: relax.Var, following: relax.Expr) -> _Line | None:
        """The line of the state's last rows and the new ones, which is the next state."""
        joined = self.joined(self.values.get(following))
        if joined is None or tvm_adapter.shape_of(state) != tvm_adapter.shape_of(joined.joined):
            return None
        if self.cut(joined.line, _elements(joined.line)) != state:
            return None
        return replace(joined, state=index, line=state)

    def cut(self, part: relax.Expr, elements: int) -> Value | None:
        """That of which a value is the last so many elements; None where it is not cut so."""
        call, view = self.made_by(self.values.get(part), StridedCopy)
        if call is None or view is None:
            return None
        size = view.inputs[0].elements
        return self.values[call.args[0]] if view.is_run(size - elements, size) else None

    def joined(self, value: Value | None) -> _Line | None:
        """The concatenation of two tensors behind each other in memory, the first as the line."""
        call, view = self.made_by(value, Concatenate)
        if (
            call is None
            or view is None
            or len(view.inputs) != 2
            or prod(view.outputs[0].shape[: view.axis]) > 1
        ):
            return None
        operands = [tensor.parameter for tensor in view.inputs]
        line, added = (None if operand is None else call.args[operand] for operand in operands)
        return None if line is None or added is None else _Line(0, value, view.axis, added, line)

    def made_by(self, value: Value | None, kind: type[_Kind]) -> tuple[relax.Call, _Kind] | tuple[None, None]:
        """The operator of a kind that makes a value, with its view."""
        call, view = self.calls.get(value, (None, None))
        return (call, view) if isinstance(view, kind) else (None, None)

    def read_count(self, value: Value) -> int:
        """How often operators read a value, or `main` returns it."""
        reads = [read for call, _ in self.calls.values() for read in tvm_adapter.variables_of(call)]
        return sum(self.values[read] == value for read in [*reads, *self.results])


def _elements(variable: relax.Expr) -> int:
    return prod(tvm_adapter.shape_of(variable))


def _rewritten(module: tvm.IRModule, lines: list[_Line]) -> tvm.IRModule:
    """The module with delay lines."""
    main = module["main"]
    builder = relax.BlockBuilder(module)
    count = len(state_parameters(main))
    parameters, results, states = list(main.params), tvm_adapter.returned(main), list(read_states(main))
    calls = {}
    for line in lines:
        held = line.line
        if held is None:
            position = len(parameters) - count + line.state
            held = relax.Var(parameters[position].name, line.joined.ty)
            states[line.state] = _with_room(states[line.state], parameters[position], held)
            parameters[position] = held
        results[len(results) - count + line.state] = line.joined
        callee = builder.add_func(delay_line(line.added, held, line.axis), "delay_line")
        calls[line.joined] = relax.Call(callee, [line.added, held], ret_ty=line.joined.ty)
    bindings = [
        relax.VarBinding(item.var, calls.get(item.var, item.value)) for item in tvm_adapter.bindings_of(main)
    ]
    result = relax.Tuple(results) if len(results) > 1 else results[0]
    body = relax.SeqExpr([relax.DataflowBlock(bindings)], result)
    edited = relax.Function(parameters, body, result.ty, main.is_pure, main.attrs)
    rewritten = builder.get()
    rewritten.update_func(rewritten.get_global_var("main"), with_states(edited, states))
    cleanup = [relax.transform.Normalize(), relax.transform.DeadCodeElimination(["main"])]
    return tvm.transform.Sequential(cleanup)(rewritten)


def _with_room(state: State, old: relax.Var, held: relax.Var) -> State:
    """A state that holds more: what comes before its initial value goes before it is read."""
    if not isinstance(state.initial, np.ndarray):
        return state
    initial = state.initial.reshape(-1)
    whole = np.zeros(tvm_adapter.shape_of(held), initial.dtype)
    whole.reshape(-1)[whole.size - initial.size :] = initial
    return replace(state, initial=whole)
