"""States: memory of main's last parameters that an inference overwrites with what the next one finds.

The parameter of a state is its old value, wherever it is read: what reads it has to run before the operator
that overwrites its memory. There are two kinds of those: an operator that updates a state in place (SVDF,
LSTM), and one whose result is the next state and is written over the old one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import Operator
from tinycc.ops.composite import VIEWS
from tinycc.states import state_parameters

# What lies in memory under one name: a parameter, an operator's result, or one of its results.
Value: TypeAlias = relax.Var | tuple[relax.Var, int]


def is_operator(value: relax.Expr) -> bool:
    """Whether the value of a binding is computed, by a composite function, rather than renamed."""
    return isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar)


def values_of(
    parameters: Iterable[relax.Var], bindings: Iterable[relax.VarBinding]
) -> dict[relax.Var, Value]:
    """What each variable stands for, views looked through."""
    values: dict[relax.Var, Value] = {parameter: parameter for parameter in parameters}
    tuples: dict[relax.Var, relax.Tuple] = {}
    for binding in bindings:
        value = binding.value
        if isinstance(value, relax.Tuple):
            tuples[binding.var] = value
        elif isinstance(value, relax.TupleGetItem) and value.tuple_value in tuples:
            values[binding.var] = values[tuples[value.tuple_value].fields[value.index]]
        elif isinstance(value, relax.TupleGetItem):
            values[binding.var] = (value.tuple_value, int(value.index))
        elif isinstance(value, relax.Var):
            values[binding.var] = values[value]
        elif tvm_adapter.op_name(value) in VIEWS and value.args[0] in values:
            values[binding.var] = values[value.args[0]]
        else:
            values[binding.var] = binding.var
    return values


def updated_operands(view: Operator) -> list[int]:
    """Which parameters of a composite function it updates in place, in the order of its last results."""
    states = view.inputs[len(view.inputs) - view.state_count :]
    return [tensor.parameter for tensor in states if tensor.parameter is not None]


@dataclass
class Overwrites:
    """What the bindings of main overwrite.

    overwritten: values whose memory is overwritten, with the variable of the binding that does it.
    written: variables that lie where the value lay which they overwrite: next states, with that value.
    before: for each binding, by its variable, those that read what it overwrites and have to run before it.
    """

    overwritten: dict[Value, relax.Var] = field(default_factory=dict)
    written: dict[relax.Var, Value] = field(default_factory=dict)
    before: dict[relax.Var, set[relax.Var]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        main: relax.Function,
        bindings: Sequence[relax.VarBinding],
        results: Sequence[relax.Expr],
        view: Callable[[relax.Call], Operator],
    ) -> "Overwrites":
        """Of a `main` in which each value is overwritten once at most, as order_states leaves it.

        bindings, results: of main. view: of what a binding calls.
        """
        found = cls()
        values = values_of(main.params, bindings)
        made = {binding.var for binding in bindings if is_operator(binding.value)}
        updated: dict[Value, Value] = {}
        for binding in bindings:
            # What updates a state returns it beside its result.
            if binding.var in made and not tvm_adapter.is_tensor(binding.var):
                operator = view(binding.value)
                first = len(operator.outputs) - operator.state_count
                for index, operand in enumerate(updated_operands(operator), first):
                    old = values[binding.value.args[operand]]
                    found.overwritten[old] = binding.var
                    updated[binding.var, index] = old
        for variable, value in values.items():
            if value in updated:
                found.written[variable] = updated[value]
        states = state_parameters(main)
        for state, result in zip(states, results[len(results) - len(states) :], strict=True):
            value = values.get(result)
            if value in made:
                found.written[value] = state
                found.overwritten[state] = value
        for binding in bindings:
            if binding.var not in made:
                continue
            for variable in tvm_adapter.variables_of(binding.value):
                writer = found.overwritten.get(values[variable])
                if writer is not None and writer != binding.var:
                    found.before.setdefault(writer, set()).add(binding.var)
        return found
