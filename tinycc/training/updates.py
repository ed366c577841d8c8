"""What becomes of the gradients of states that train: a change at once, or a velocity that changes them.

Before:  the bindings that make the gradient of a layer's sums
After:   weights' = weight_update(sums, source, rate, step, weights); or, with momentum or mini-batches,
         velocity' = weight_velocity(sums, source, rate / batch, decay, velocity)
         weights' = velocity_update(velocity', is_due, update, weights); biases likewise.
         decay is the momentum in the first step of a mini-batch, in others 1; is_due is 1 in the last one. A
         step whose rate is 0, or whose loss has overflowed, takes no part: decay is 1, is_due is 0, and it is
         not counted.
Source:  Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013: the rate
         is part of the velocity.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.bias_update import bias_update
from tinycc.ops.bias_velocity import bias_velocity
from tinycc.ops.velocity import decay_of
from tinycc.ops.velocity_update import velocity_update
from tinycc.ops.weight_update import weight_update
from tinycc.ops.weight_velocity import weight_velocity
from tinycc.training.gradients import Gradient
from tinycc.training.mark_trainable import EXAMPLES, STEP, velocity_name
from tinycc.training.update_rule import UpdateRule
from tinycc.training.writer import StepWriter


class Change(NamedTuple):
    """What makes the composites that take the gradient of a layer's sums: to a state, or to its velocity."""

    update: Callable[..., relax.Function]
    velocity: Callable[..., relax.Function]


WEIGHTS = Change(weight_update, weight_velocity)
BIAS = Change(bias_update, bias_velocity)


class Updates(ABC):
    """The next values of states, while a step is written.

    states: by name, as `mark_trainable` has them. trained: those that train, in order.
    next_values: of states that change.
    """

    def __init__(
        self, writer: StepWriter, rule: UpdateRule, states: dict[str, relax.Var], trained: Sequence[relax.Var]
    ) -> None:
        self.writer, self.rule, self.states, self.trained = writer, rule, states, trained
        self.next_values: dict[relax.Var, relax.Expr] = {}

    @abstractmethod
    def rate_of_example(self, rate: relax.Var) -> relax.Var:
        """What gradients are multiplied by, if the learning rate is `rate`; both float32 [1]."""

    @abstractmethod
    def begin(self, rate: relax.Var) -> None:
        """Say what the rate of this step is once the loss has been looked at: 0 if nothing is to change."""

    @abstractmethod
    def change(
        self,
        state: relax.Var,
        change: Change,
        operands: Sequence[relax.Expr],
        rate: relax.Var,
        sums: Gradient,
        **geometry: Any,
    ) -> None:
        """Let a state take the gradient of its layer's sums.

        operands: of the composites, up to the rate. geometry: what both composites are told besides.
        """

    def numbers(self, state: relax.Var) -> dict[str, Any]:
        """What decides the random numbers of a state's update."""
        return {"seed": self.rule.seed, "tensor": self.trained.index(state), "rounding": self.rule.rounding}


class ImmediateUpdates(Updates):
    """Each step changes what trains."""

    def rate_of_example(self, rate: relax.Var) -> relax.Var:
        """As it is."""
        return rate

    def begin(self, rate: relax.Var) -> None:
        """Where the rate is 0 so are changes."""

    def change(
        self,
        state: relax.Var,
        change: Change,
        operands: Sequence[relax.Expr],
        rate: relax.Var,
        sums: Gradient,
        **geometry: Any,
    ) -> None:
        """By one operator."""
        arguments = (*operands, rate, self.states[STEP], state, *sums.exponents)
        composite = change.update(*arguments, offset=sums.offset, **geometry, **self.numbers(state))
        self.next_values[state] = self.writer.call(composite, arguments)


class VelocityUpdates(Updates):
    """The last step of a mini-batch changes what trains, by what all of its steps have added up to."""

    _decay: relax.Var
    _is_due: relax.Var
    _number: relax.Var

    def rate_of_example(self, rate: relax.Var) -> relax.Var:
        """Its part in the mean."""
        if self.rule.batch == 1:
            return rate
        batch = relax.const(np.array([self.rule.batch], np.float32))
        return self.writer.emit("rate_of_example", relax.op.divide(rate, batch))

    def begin(self, rate: relax.Var) -> None:
        """Find out which example of a mini-batch this is; without a rate it is none."""
        emit, examples = self.writer.emit, self.states[EXAMPLES]
        is_taken = emit("is_taken", relax.op.not_equal(rate, relax.const(np.zeros(1, np.float32))))
        taken = emit("taken", relax.op.astype(is_taken, "int32"))
        self.next_values[examples] = emit("next_examples", relax.op.add(examples, taken))
        self._number = emit("update", relax.op.floor_divide(examples, _whole(self.rule.batch)))
        last = self._is_taken_at(self.rule.batch - 1, rate)
        self._is_due = emit("is_due", relax.op.astype(last, "int32"))
        velocity = self.states[velocity_name(self.trained[0].name)]
        is_real = tvm_adapter.dtype_of(velocity) == "float32"
        kept, whole = (relax.const(decay_of(share, is_real=is_real)) for share in (self.rule.momentum, 1.0))
        self._decay = emit("decay", relax.op.where(self._is_taken_at(0, rate), kept, whole))

    def change(
        self,
        state: relax.Var,
        change: Change,
        operands: Sequence[relax.Expr],
        rate: relax.Var,
        sums: Gradient,
        **geometry: Any,
    ) -> None:
        """By two operators, each of which writes over a state of its own."""
        before = self.states[velocity_name(state.name)]
        arguments = (*operands, rate, self._decay, before, *sums.exponents)
        velocity = self.writer.call(change.velocity(*arguments, offset=sums.offset, **geometry), arguments)
        self.next_values[before] = velocity
        moved = (velocity, self._is_due, self._number, state)
        self.next_values[state] = self.writer.call(velocity_update(*moved, **self.numbers(state)), moved)

    def _is_taken_at(self, place: int, rate: relax.Var) -> relax.Var:
        """Whether there is an example and it has this place in the mini-batch; for each reader anew."""
        emit = self.writer.emit
        found = emit("place", relax.op.floor_mod(self.states[EXAMPLES], _whole(self.rule.batch)))
        is_there = emit("is_there", relax.op.equal(found, _whole(place)))
        is_taken = emit("is_taken", relax.op.not_equal(rate, relax.const(np.zeros(1, np.float32))))
        return emit("is_taken_there", relax.op.logical_and(is_there, is_taken))


def _whole(value: int) -> relax.Expr:
    return relax.const(np.array([value], np.int32))


def updates_of(
    writer: StepWriter, rule: UpdateRule, states: dict[str, relax.Var], trained: Sequence[relax.Var]
) -> Updates:
    """Those that a rule asks for."""
    kind = VelocityUpdates if rule.has_velocities else ImmediateUpdates
    return kind(writer, rule, states, trained)
