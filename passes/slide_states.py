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

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import Node, OperatorGraph, Value
from tinycc.ops.concatenate import Concatenate
from tinycc.ops.delay_line import delay_line
from tinycc.ops.strided_copy import StridedCopy
from tinycc.states import State, read_states, with_states


@dataclass(frozen=True)
class _Line:
    """A state that can be a line.

    state: its index.
    joined: the operator that joins old and new rows, along `axis`.
    has_room: whether the state is to hold all that is joined, rather than what it holds now.
    """

    state: int
    joined: Node
    axis: int
    has_room: bool


@tvm.transform.module_pass(opt_level=1, name="SlideStates")
class SlideStates:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite the operators that join rows to a state."""
        graph = OperatorGraph.of(module)
        lines = list(_lines(graph))
        return _rewritten(graph, lines) if lines else module


def _lines(graph: OperatorGraph) -> Iterator[_Line]:
    """The states that can be lines."""
    following = graph.results[len(graph.results) - len(graph.states) :]
    for index, (state, value) in enumerate(zip(graph.states, following, strict=True)):
        elements = graph.tensor_of(state).elements
        rows = _end_of(graph, value, elements)
        window, shifted = _joining(graph, rows), _joining(graph, value)
        is_alone = graph.readers[state] == [window] and state not in graph.results
        if window is not None and window.operands[0] == state and is_alone:
            yield _Line(index, window, _axis(window), has_room=True)
        elif shifted is not None and graph.tensor_of(state).shape == shifted.view.outputs[0].shape:
            kept = shifted.view.inputs[0].elements
            if _end_of(graph, shifted.operands[0], kept) == state:
                yield _Line(index, shifted, _axis(shifted), has_room=False)


def _end_of(graph: OperatorGraph, value: Value | None, elements: int) -> Value | None:
    """That of which a value is the last so many elements; None where it is not cut so."""
    node = graph.makers.get(value)
    if node is None or not isinstance(node.view, StridedCopy):
        return None
    size = node.view.inputs[0].elements
    return node.operands[0] if node.view.is_run(size - elements, size) else None


def _joining(graph: OperatorGraph, value: Value | None) -> Node | None:
    """The operator that makes a value of two tensors, one behind the other in memory."""
    node = graph.makers.get(value)
    if node is None or not isinstance(node.view, Concatenate) or len(node.operands) != 2:
        return None
    is_in_a_row = prod(node.view.outputs[0].shape[: node.view.axis]) == 1
    return node if is_in_a_row and None not in node.operands else None


def _axis(node: Node) -> int:
    assert isinstance(node.view, Concatenate)
    return node.view.axis


def _rewritten(graph: OperatorGraph, lines: list[_Line]) -> tvm.IRModule:
    """The module with delay lines."""
    main, functions = graph.main, tvm_adapter.FunctionTable(graph.module)
    count = len(graph.states)
    parameters, results, states = graph.parameters.copy(), tvm_adapter.returned(main), list(read_states(main))
    calls = {}
    for line in lines:
        joined, place = line.joined.variable, len(parameters) - count + line.state
        added = line.joined.call.args[line.joined.view.inputs[1].parameter]
        if line.has_room:
            states[line.state] = _with_room(states[line.state], joined)
            parameters[place] = relax.Var(parameters[place].name, joined.ty)
        results[len(results) - count + line.state] = joined
        callee = functions.add(delay_line(added, parameters[place], line.axis), "delay_line")
        calls[joined] = relax.Call(callee, [added, parameters[place]], ret_ty=joined.ty)
    bindings = [
        relax.VarBinding(item.var, calls.get(item.var, item.value)) for item in tvm_adapter.bindings_of(main)
    ]
    result = relax.Tuple(results) if len(results) > 1 else results[0]
    body = relax.SeqExpr([relax.DataflowBlock(bindings)], result)
    edited = relax.Function(parameters, body, result.ty, main.is_pure, main.attrs)
    rewritten = functions.module()
    rewritten.update_func(rewritten.get_global_var("main"), with_states(edited, states))
    cleanup = [relax.transform.Normalize(), relax.transform.DeadCodeElimination(["main"])]
    return tvm.transform.Sequential(cleanup)(rewritten)


def _with_room(state: State, joined: relax.Var) -> State:
    """A state that holds more: what comes before its initial value goes before it is read."""
    if not isinstance(state.initial, np.ndarray):
        return state
    initial = state.initial.reshape(-1)
    whole = np.zeros(tvm_adapter.shape_of(joined), initial.dtype)
    whole.reshape(-1)[whole.size - initial.size :] = initial
    return replace(state, initial=whole)
