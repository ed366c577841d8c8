"""Let whatever reads a state's old value come before what overwrites its memory, or read a copy.

Before:  lv = fused_svdf(x, s); lv1 = lv[0]; lv2 = lv[1]; lv3 = fused_add(lv1, s); (lv3, lv2)
After:   s_copy = copy(s); lv = fused_svdf(x, s); lv1 = lv[0]; lv2 = lv[1]; lv3 = fused_add(lv1, s_copy); ...
         The next value of each state is the state itself, updated in place from it, or an operator's result
         that is written over it and nothing else.
Requires: rewrite_in_place. Copies are composite functions, slices that take everything.
"""

from collections.abc import Iterable

import networkx
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops import view_of
from tinycc.ops.base import Operator
from tinycc.ops.input_rows import InputRows
from tinycc.ops.overlap import OVERLAP_DISTANCES
from tinycc.ops.states import (
    Overwrites,
    Value,
    is_operator,
    updated_operands,
    values_of,
)
from tinycc.ops.strided_copy import StridedCopy
from tinycc.states import state_parameters

# A place where a binding reads: its variable and the index of the argument.
_Read = tuple[relax.Var, int]


@tvm.transform.module_pass(opt_level=0, name="OrderStates")
class OrderStates:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Permute the bindings of `main` and put copies between them."""
        calls = [item for item in tvm_adapter.bindings_of(module["main"]) if is_operator(item.value)]
        updates = any(not tvm_adapter.is_tensor(item.var) for item in calls)
        if not updates and not state_parameters(module["main"]):
            return module
        return _Orderer(module).run()


class _Orderer:
    """The bindings and results of `main`, while they are rewritten."""

    def __init__(self, module: tvm.IRModule) -> None:
        self.module = module
        self.main = module["main"]
        self.states = state_parameters(self.main)
        self.builder = relax.BlockBuilder(module)
        self.results = tvm_adapter.returned(self.main)
        self.bindings = [
            binding
            for binding in tvm_adapter.bindings_of(self.main)
            if not isinstance(binding.value, relax.Tuple)
        ]
        self.copies = 0

    def run(self) -> tvm.IRModule:
        """The module with `main` rewritten."""
        self.copy_stray_operands(self.store_next_states())
        order = self.read_before_overwriting()
        return self.rebuilt(order)

    def view(self, call: relax.Call) -> Operator:
        return view_of(self.module[call.op])

    def values(self) -> dict[relax.Var, Value]:
        return values_of(self.main.params, self.bindings)

    def operators(self) -> dict[relax.Var, relax.Call]:
        """What each operator's variable is bound to."""
        return {binding.var: binding.value for binding in self.bindings if is_operator(binding.value)}

    def store_next_states(self) -> set[_Read]:
        """Give each state an operator that writes its next value; return where states are updated in place.

        What is not updated from the state itself, and is no result that could lie there, is copied.
        """
        in_place: set[_Read] = set()
        stored: set[Value] = set()
        values, operators = self.values(), self.operators()
        for position, state in enumerate(self.states, len(self.results) - len(self.states)):
            value = values[self.results[position]]
            updates = self.updates_between(state, value)
            if updates is not None:
                in_place |= updates
            elif value in operators and value not in stored and not self.is_fed(operators[value]):
                stored.add(value)
            else:
                self.results[position] = self.copied(self.results[position], len(self.bindings))
        return in_place

    def updates_between(self, state: relax.Var, value: Value) -> set[_Read] | None:
        """The updates in place that lead from a state to a value, none for itself; None if they do not."""
        found: set[_Read] = set()
        values, operators = self.values(), self.operators()
        while value != state:
            if not isinstance(value, tuple) or value[0] not in operators:
                return None
            variable, result = value
            view = self.view(operators[variable])
            update = result - (len(view.outputs) - view.state_count)
            if update < 0:
                return None
            operand = updated_operands(view)[update]
            found.add((variable, operand))
            value = values[operators[variable].args[operand]]
        return found

    def is_fed(self, call: relax.Call) -> bool:
        """Whether it takes rows from outside, which are nowhere in memory."""
        return bool(tvm_adapter.attribute(self.module[call.op], "Composite") == f"tinycc.{InputRows.kind}")

    def copy_stray_operands(self, in_place: set[_Read]) -> None:
        """What is updated in place without becoming the next state is a copy of its operator's own."""
        for variable, call in self.operators().items():
            if not tvm_adapter.is_tensor(variable):
                for operand in updated_operands(self.view(call)):
                    if (variable, operand) not in in_place:
                        self.let_read_copy(variable, operand)

    def read_before_overwriting(self) -> list[relax.Var]:
        """An order in which all reads of a value come before its memory is overwritten.

        What needs the result of the operator that overwrites it, or would close a circle, reads a copy.
        """
        overwrites = Overwrites.of(self.main, self.bindings, self.results, self.view)
        graph = networkx.DiGraph()
        for binding in self.bindings:
            graph.add_node(binding.var)
            graph.add_edges_from((read, binding.var) for read in tvm_adapter.variables_of(binding.value))
        for value, writer in overwrites.overwritten.items():
            for reader, operand in self.reads_of(value):
                if reader == writer and self.may_overwrite(reader, operand):
                    continue
                if networkx.has_path(graph, writer, reader):
                    copy = self.let_read_copy(reader, operand)
                    graph.add_edge(copy, reader)
                    self.put_before(graph, copy, writer)
                else:
                    graph.add_edge(reader, writer)
            for position in range(len(self.results) - len(self.states)):
                # A constant result is no value in memory.
                if self.values().get(self.results[position]) == value:
                    copy = self.results[position] = self.copied(self.results[position], self.place_of(writer))
                    self.put_before(graph, copy, writer)
        places = {binding.var: place for place, binding in enumerate(self.bindings)}
        graph.remove_nodes_from([node for node in graph if node not in places])
        return list(networkx.lexicographical_topological_sort(graph, places.__getitem__))

    def put_before(self, graph: networkx.DiGraph, copy: relax.Var, writer: relax.Var) -> None:
        """Tell the graph of a copy of what `writer` overwrites."""
        [source] = tvm_adapter.variables_of(self.bindings[self.place_of(copy)].value)
        graph.add_edges_from([(source, copy), (copy, writer)])

    def reads_of(self, value: Value) -> list[_Read]:
        """Where operators read a value."""
        values = self.values()
        return [
            (variable, operand)
            for variable, call in self.operators().items()
            for operand, argument in enumerate(call.args)
            if isinstance(argument, relax.Var) and values[argument] == value
        ]

    def may_overwrite(self, variable: relax.Var, operand: int) -> bool:
        """Whether an operator may write its result onto what it reads as this argument."""
        call = self.operators()[variable]
        view = self.view(call)
        if not tvm_adapter.is_tensor(variable):
            return operand in updated_operands(view)
        distances = tvm_adapter.attribute(self.module[call.op], OVERLAP_DISTANCES, {})
        indices = [index for index, item in enumerate(view.inputs) if item.parameter == operand]
        return all(str(index) in distances and int(distances[str(index)]) <= 0 for index in indices)

    def place_of(self, variable: relax.Var) -> int:
        """The index of a binding."""
        return next(place for place, binding in enumerate(self.bindings) if binding.var == variable)

    def let_read_copy(self, variable: relax.Var, operand: int) -> relax.Var:
        """Let an operator read a copy of one of its arguments; return that."""
        place = self.place_of(variable)
        call = self.bindings[place].value
        arguments = list(call.args)
        arguments[operand] = self.copied(arguments[operand], place)
        changed = relax.VarBinding(variable, relax.Call(call.op, arguments, ret_ty=variable.ty))
        self.bindings[self.place_of(variable)] = changed
        return arguments[operand]

    def copied(self, source: relax.Var, place: int) -> relax.Var:
        """A new variable, bound at a place to a copy of another."""
        callee = self.builder.add_func(_copy(source, self.copies), StridedCopy.kind)
        self.copies += 1
        copy = relax.DataflowVar(f"{source.name}_copy", source.ty)
        self.bindings.insert(place, relax.VarBinding(copy, relax.Call(callee, [source], ret_ty=source.ty)))
        return copy

    def rebuilt(self, order: Iterable[relax.Var]) -> tvm.IRModule:
        """The module with the bindings in this order."""
        values = {binding.var: binding.value for binding in self.bindings}
        bindings = [relax.VarBinding(variable, values[variable]) for variable in order]
        result = self.main.body.body
        if self.results != [result]:
            returned = relax.Tuple(self.results) if len(self.results) > 1 else self.results[0]
            result = relax.Var("result", result.ty)
            bindings.append(relax.VarBinding(result, returned))
        body = relax.SeqExpr([relax.DataflowBlock(bindings)], result)
        edited = relax.Function(self.main.params, body, self.main.ret_ty, self.main.is_pure, self.main.attrs)
        module = self.builder.get()
        module.update_func(module.get_global_var("main"), edited)
        return relax.transform.Normalize()(module)


def _copy(source: relax.Var, number: int) -> relax.Function:
    """A composite function that returns its parameter, with a number, as no two copies are the same."""
    parameter = relax.Var("x", source.ty)
    axes = range(min(1, len(tvm_adapter.shape_of(source))))
    sizes = [tvm_adapter.shape_of(source)[axis] for axis in axes]
    whole = relax.op.strided_slice(parameter, list(axes), [0 for _ in axes], sizes)
    result = relax.Var("copy", source.ty)
    body = relax.SeqExpr([relax.DataflowBlock([relax.VarBinding(result, whole)])], result)
    function = relax.Function([parameter], body, source.ty)
    return function.with_attrs(
        {"Composite": f"tinycc.{StridedCopy.kind}", "Primitive": True, "tinycc.copy": number}
    )
