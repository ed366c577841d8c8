"""The operators of `main`: what each reads and makes, and which must come before which.

A pass builds the graph once and reads nothing else of main's body.

States are memory of main's last parameters that an inference overwrites with what the next one finds. The
parameter of a state is its old value, wherever it is read: what reads it has to run before the operator that
overwrites its memory. There are two kinds of those: an operator that updates a state in place (SVDF, LSTM),
and one whose result is the next state and is written over the old one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.graph.views import view_of
from tinycc.ops.base import Operator
from tinycc.ops.composite import VIEWS
from tinycc.ops.input_rows import row_input
from tinycc.ops.overlap import OVERLAP_DISTANCES
from tinycc.ops.tensor import Tensor
from tinycc.states import state_parameters

# What lies in memory under one name: a parameter, an operator's result, or one of its results.
Value: TypeAlias = relax.Var | tuple[relax.Var, int]


@dataclass(frozen=True, eq=False)
class Node:
    """An operator: a binding of main that calls a composite function.

    index: its place among main's operators.
    variable, call: the binding. view: of the function that it calls.
    reads: the values behind the call's arguments, each once, in order.
    operands: the value behind each of the view's inputs; None for constants.
    results: the values that it makes; those of states that it updates in place come last.
    distances: how many bytes its first result must start before an input, by index, that it may overlap.
    """

    index: int
    variable: relax.Var
    call: relax.Call
    view: Operator
    reads: tuple[Value, ...]
    operands: tuple[Value | None, ...]
    results: tuple[Value, ...]
    distances: Mapping[int, int]

    @property
    def updates(self) -> dict[Value, Value]:
        """The values of states that it updates in place, and the results that they become."""
        count = self.view.state_count
        states = self.operands[len(self.operands) - count :]
        results = self.results[len(self.results) - count :]
        return {state: result for state, result in zip(states, results, strict=True) if state is not None}

    @cached_property
    def overlaps(self) -> dict[Value, int]:
        """`distances` for the values that it reads; what it reads twice has the greater of two."""
        found: dict[Value, int] = {}
        for index, distance in self.distances.items():
            value = self.operands[index]
            assert value is not None
            found[value] = max(distance, found.get(value, distance))
        return found


@dataclass(frozen=True, eq=False)
class OperatorGraph:
    """The graph of a module whose operators are all composites.

    nodes: the operators, in order.
    values: what each variable stands for, other names and shapes of a tensor looked through.
    renamings: variables that are another name or shape of others, or tuples of them, with what they are.
    results: of main, next values of states last; None for a constant.
    """

    module: tvm.IRModule
    nodes: tuple[Node, ...]
    values: Mapping[relax.Var, Value]
    renamings: Mapping[relax.Var, relax.Expr]
    results: tuple[Value | None, ...]

    @classmethod
    def of(
        cls,
        module: tvm.IRModule,
        bindings: Iterable[relax.VarBinding] | None = None,
        results: Sequence[relax.Expr] | None = None,
    ) -> "OperatorGraph":
        """Read `main`.

        bindings, results: in place of its own, while it is rewritten.
        Raises UnsupportedError where it computes something that is no composite.
        """
        main = module["main"]
        values: dict[relax.Var, Value] = {item: item for item in main.params}
        renamings: dict[relax.Var, relax.Expr] = {}
        nodes: list[Node] = []
        for binding in tvm_adapter.bindings_of(main) if bindings is None else bindings:
            variable, value = binding.var, binding.value
            if isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar):
                nodes.append(_node(len(nodes), binding, module[value.op], values))
                if tvm_adapter.is_tensor(variable):
                    values[variable] = variable
            else:
                renamings[variable] = value
                if not isinstance(value, relax.Tuple):
                    values[variable] = _renamed(binding, values, renamings)
        returned = tvm_adapter.returned(main) if results is None else results
        found = tuple(None if tvm_adapter.is_constant(item) else values[item] for item in returned)
        return cls(module, tuple(nodes), values, renamings, found)

    @property
    def main(self) -> relax.Function:
        """The function whose graph it is."""
        return self.module["main"]

    @cached_property
    def parameters(self) -> list[relax.Var]:
        """Of main, states last."""
        return list(self.main.params)

    @cached_property
    def states(self) -> list[relax.Var]:
        """The parameters that are states."""
        return state_parameters(self.main)

    @cached_property
    def row_input(self) -> relax.Var | None:
        """The parameter that comes row by row and is nowhere in memory; None if there is none."""
        return row_input(self.main)

    @cached_property
    def makers(self) -> dict[Value, Node]:
        """The operator that makes each value; parameters are not among them."""
        return {result: node for node in self.nodes for result in node.results}

    @cached_property
    def readers(self) -> dict[Value, list[Node]]:
        """The operators that read each value, in order; values that none reads have []."""
        found: dict[Value, list[Node]] = {value: [] for value in (*self.parameters, *self.makers)}
        for node in self.nodes:
            for value in node.reads:
                found[value].append(node)
        return found

    @cached_property
    def kept(self) -> frozenset[Value]:
        """What outlives all operators: results, and states."""
        return frozenset({*self.results, *self.states} - {None})

    @cached_property
    def written(self) -> dict[Value, Value]:
        """Values that lie where another lay, which they overwrite: states' next values, with that one."""
        found = {result: state for node in self.nodes for state, result in node.updates.items()}
        next_values = self.results[len(self.results) - len(self.states) :]
        for state, value in zip(self.states, next_values, strict=True):
            if value in self.makers and not isinstance(value, tuple):
                found[value] = state
        return found

    @cached_property
    def overwritten(self) -> dict[Value, Node]:
        """Values in whose memory another comes, with the operator that writes it.

        Each is overwritten once at most, as order_states leaves it.
        """
        return {value: self.makers[result] for result, value in self.written.items()}

    @cached_property
    def before(self) -> list[set[int]]:
        """For each operator, by index, those that have to run before it.

        They make what it reads, or read what it overwrites.
        """
        found = [
            {self.makers[value].index for value in node.reads if value in self.makers} for node in self.nodes
        ]
        for value, writer in self.overwritten.items():
            found[writer.index] |= {reader.index for reader in self.readers[value] if reader is not writer}
        return found

    def tensor_of(self, value: Value) -> Tensor:
        """The shape and element type of a value."""
        if value in self.makers:
            node = self.makers[value]
            return node.view.outputs[node.results.index(value)]
        assert isinstance(value, relax.Var)
        return Tensor(tvm_adapter.shape_of(value), tvm_adapter.dtype_of(value))

    @cached_property
    def bytes(self) -> dict[Value, int]:
        """The memory of its own that each value has; 0 where it overwrites another, or comes row by row."""
        return {
            value: 0 if value == self.row_input or value in self.written else self.tensor_of(value).bytes
            for value in self.readers
        }


def _node(
    index: int, binding: relax.VarBinding, function: relax.Function, values: Mapping[relax.Var, Value]
) -> Node:
    """The operator that a binding is. function: what it calls. values: of the variables before it."""
    variable, call = binding.var, binding.value
    view = view_of(function)
    distances = tvm_adapter.attribute(function, OVERLAP_DISTANCES, {})
    return Node(
        index,
        variable,
        call,
        view,
        reads=tuple(dict.fromkeys(values[item] for item in tvm_adapter.variables_of(call))),
        operands=tuple(
            None if tensor.parameter is None else values[call.args[tensor.parameter]]
            for tensor in view.inputs
        ),
        results=(variable,)
        if tvm_adapter.is_tensor(variable)
        else tuple((variable, place) for place in range(len(view.outputs))),
        distances={int(key): int(distance) for key, distance in distances.items()},
    )


def _renamed(
    binding: relax.VarBinding,
    values: Mapping[relax.Var, Value],
    renamings: Mapping[relax.Var, relax.Expr],
) -> Value:
    """What a binding that computes nothing gives another name or shape; UnsupportedError if it computes."""
    source = value = binding.value
    if tvm_adapter.op_name(value) in VIEWS:
        source = value.args[0]
    elif isinstance(value, relax.TupleGetItem):
        fields = renamings.get(value.tuple_value)
        if fields is None:
            return value.tuple_value, int(value.index)
        source = fields.fields[value.index]
    if not isinstance(source, relax.Var):
        raise UnsupportedError(
            f"no kernel computes {tvm_adapter.op_name(value) or type(value).__name__} "
            f"with the result {binding.var.ty}"
        )
    return values[source]
