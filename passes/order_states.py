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
from tinycc.graph import Node, OperatorGraph, Value
from tinycc.ops.base import INSTRUCTION_SET
from tinycc.ops.input_rows import InputRows
from tinycc.ops.strided_copy import StridedCopy

# A place where a binding reads: its variable and the index of the argument.
_Read = tuple[relax.Var, int]


@tvm.transform.module_pass(opt_level=0, name="OrderStates")
class OrderStates:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Permute the bindings of `main` and put copies between them."""
        graph = OperatorGraph.of(module)
        if not graph.states and not any(node.updates for node in graph.nodes):
            return module
        return _Orderer(graph).run()


class _Orderer:
    """The bindings and results of `main`, while they are rewritten."""

    def __init__(self, graph: OperatorGraph) -> None:
        """graph: of the module."""
        self.main = graph.main
        self.states = graph.states
        self.functions = tvm_adapter.FunctionTable(graph.module)
        self.results = tvm_adapter.returned(self.main)
        self.bindings = [
            binding
            for binding in tvm_adapter.bindings_of(self.main)
            if not isinstance(binding.value, relax.Tuple)
        ]
        self.copies = 0
        # That of all operators.
        self.instruction_set = next((node.view.instruction_set for node in graph.nodes), "")

    def run(self) -> tvm.IRModule:
        """The module with `main` rewritten."""
        self.copy_stray_operands(self.store_next_states())
        order = self.read_before_overwriting()
        return self.rebuilt(order)

    def graph(self) -> OperatorGraph:
        """Of the bindings as they are now."""
        return OperatorGraph.of(self.functions.module(), self.bindings, self.results)

    def store_next_states(self) -> set[_Read]:
        """Give each state an operator that writes its next value; return where states are updated in place.

        What is not updated from the state itself, and is no result that could lie there, is copied.
        """
        in_place: set[_Read] = set()
        stored: set[Value] = set()
        graph = self.graph()
        for position, state in enumerate(self.states, len(self.results) - len(self.states)):
            value = graph.results[position]
            updates = _updates_between(graph, state, value)
            if updates is not None:
                in_place |= updates
            elif value is not None and value not in stored and _may_be_stored(graph, value):
                stored.add(value)
            else:
                self.results[position] = self.copied(self.results[position], len(self.bindings))
        return in_place

    def copy_stray_operands(self, in_place: set[_Read]) -> None:
        """What is updated in place without becoming the next state is a copy of its operator's own."""
        for node in self.graph().nodes:
            for operand in _updated_operands(node):
                if (node.variable, operand) not in in_place:
                    self.let_read_copy(node.variable, operand)

    def read_before_overwriting(self) -> list[relax.Var]:
        """An order in which all reads of a value come before its memory is overwritten.

        What needs the result of the operator that overwrites it, or would close a circle, reads a copy.
        """
        needs = networkx.DiGraph()
        for binding in self.bindings:
            needs.add_node(binding.var)
            needs.add_edges_from((read, binding.var) for read in tvm_adapter.variables_of(binding.value))
        for value, overwriting in self.graph().overwritten.items():
            writer = overwriting.variable
            graph = self.graph()
            for node in graph.readers[value]:
                for operand in _operands_of(graph, node, value):
                    if node.variable == writer and _may_overwrite(node, operand):
                        continue
                    if networkx.has_path(needs, writer, node.variable):
                        copy = self.let_read_copy(node.variable, operand)
                        needs.add_edge(copy, node.variable)
                        self.put_before(needs, copy, writer)
                    else:
                        needs.add_edge(node.variable, writer)
            for position in range(len(self.results) - len(self.states)):
                if graph.results[position] == value:
                    copy = self.results[position] = self.copied(self.results[position], self.place_of(writer))
                    self.put_before(needs, copy, writer)
        places = {binding.var: place for place, binding in enumerate(self.bindings)}
        needs.remove_nodes_from([node for node in needs if node not in places])
        return list(networkx.lexicographical_topological_sort(needs, places.__getitem__))

    def put_before(self, needs: networkx.DiGraph, copy: relax.Var, writer: relax.Var) -> None:
        """Tell of a copy of what `writer` overwrites."""
        [source] = tvm_adapter.variables_of(self.bindings[self.place_of(copy)].value)
        needs.add_edges_from([(source, copy), (copy, writer)])

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
        function = _copy(source, self.copies)
        if self.instruction_set:
            function = function.with_attr(INSTRUCTION_SET, self.instruction_set)
        callee = self.functions.add(function, StridedCopy.kind)
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
        return relax.transform.Normalize()(
            tvm_adapter.rebuild_main(self.functions.module(), bindings, result)
        )


def _updates_between(graph: OperatorGraph, state: Value, value: Value | None) -> set[_Read] | None:
    """The updates in place that lead from a state to a value, none for itself; None if they do not."""
    found: set[_Read] = set()
    while value != state:
        node = graph.makers.get(value) if value is not None else None
        before = {} if node is None else {result: old for old, result in node.updates.items()}
        if node is None or value not in before:
            return None
        operand = _updated_operands(node)[list(before).index(value)]
        found.add((node.variable, operand))
        value = before[value]
    return found


def _may_be_stored(graph: OperatorGraph, value: Value) -> bool:
    """Whether what makes a value may write it over a state: rows from outside are nowhere in memory."""
    is_made = isinstance(value, relax.Var) and value in graph.makers
    return is_made and not isinstance(graph.makers[value].view, InputRows)


def _updated_operands(node: Node) -> list[int]:
    """Which arguments of its call an operator updates in place, in the order of its last results."""
    states = node.view.inputs[len(node.view.inputs) - node.view.state_count :]
    return [tensor.parameter for tensor in states if tensor.parameter is not None]


def _operands_of(graph: OperatorGraph, node: Node, value: Value) -> list[int]:
    """Which arguments of an operator's call are a value."""
    return [
        index
        for index, argument in enumerate(node.call.args)
        if isinstance(argument, relax.Var) and graph.values[argument] == value
    ]


def _may_overwrite(node: Node, operand: int) -> bool:
    """Whether an operator may write its result onto what it reads as this argument."""
    if node.updates:
        return operand in _updated_operands(node)
    distances = node.distances
    indices = [index for index, item in enumerate(node.view.inputs) if item.parameter == operand]
    return all(index in distances and distances[index] <= 0 for index in indices)


def _copy(source: relax.Var, number: int) -> relax.Function:
    """A composite function that returns its parameter, with a number, as no two copies are the same."""
    parameter = relax.Var("x", source.ty)
    axes = range(min(1, len(tvm_adapter.shape_of(source))))
    sizes = [tvm_adapter.shape_of(source)[axis] for axis in axes]
    whole = relax.op.strided_slice(parameter, list(axes), [0 for _ in axes], sizes)
    whole = relax.BlockBuilder().normalize(whole)
    result = relax.Var("copy", source.ty)
    body = relax.SeqExpr([relax.DataflowBlock([relax.VarBinding(result, whole)])], result)
    function = relax.Function([parameter], body, source.ty)
    return function.with_attrs(
        {"Composite": f"tinycc.{StridedCopy.kind}", "Primitive": True, "tinycc.copy": number}
    )
