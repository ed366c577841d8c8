"""What a model remembers from one inference to the next, kept as an attribute of `main`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter

ATTRIBUTE = "tinycc.states"


@dataclass(frozen=True, eq=False)
class State:
    """A tensor that outlives an inference.

    name: as in the file.
    initial: what a reset writes: one value into every element, or an array of the tensor's shape and dtype.
    is_trained: whether it holds weights that a training step updates.
    """

    name: str
    initial: int | np.ndarray
    is_trained: bool = False

    def initial_array(self, variable: relax.Var) -> np.ndarray:
        """What a reset writes, as the whole tensor that `variable` is."""
        shape, dtype = tvm_adapter.shape_of(variable), tvm_adapter.dtype_of(variable)
        return np.broadcast_to(np.asarray(self.initial, dtype), shape)


def with_states(function: relax.Function, states: Sequence[State]) -> relax.Function:
    """`function` with `states` for its last parameters, the next values of which are its last results."""
    return function.with_attr(ATTRIBUTE, [{**vars(state), "initial": _stored(state)} for state in states])


def _stored(state: State) -> int | tvm.runtime.Tensor:
    is_array = isinstance(state.initial, np.ndarray)
    return tvm.runtime.tensor(np.ascontiguousarray(state.initial)) if is_array else state.initial


def read_states(main: relax.Function) -> tuple[State, ...]:
    """The states that `with_states` named, in order; none where it was not called."""
    return tuple(
        State(
            str(fields["name"]),
            fields["initial"] if isinstance(fields["initial"], int) else fields["initial"].numpy(),
            bool(fields["is_trained"]),
        )
        for fields in tvm_adapter.attribute(main, ATTRIBUTE, ())
    )


def state_parameters(main: relax.Function) -> list[relax.Var]:
    """The parameters of `main` that are states, in order."""
    count = len(tvm_adapter.attribute(main, ATTRIBUTE, ()))
    return list(main.params)[len(main.params) - count :]
