"""What instructions a training step takes at the least, as a sum over what it trains.

A step that trains the biases of so many last layers takes what is predicted of its operators on whole
tensors; weights besides take their update, in proportion to the channels that train. What puts frozen weights
and those that train together only adds to that, and so does what is computed twice to need less memory.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tinycc.ops.base import Operator
from tinycc.ops.stage import Stage
from tinycc.plan import TRAIN
from tinycc.plan.model import Plan
from tinycc.schedule.costs import predicted_instructions
from tinycc.states import read_states
from tinycc.training.mark_trainable import velocity_name
from tinycc.training.planned_step import PlannedStep
from tinycc.training.scheme_search.contribution import Parts


@dataclass(frozen=True, eq=False)
class InstructionModel:
    """steps: of those that train biases, by depth. updates: of weights, by layer and share."""

    steps: Mapping[int, int]
    updates: Mapping[tuple[str, float], int]

    def least_instructions(self, parts: Parts) -> int:
        """Of a training step."""
        return self.steps[parts.depth] + sum(self.updates[part] for part in parts.shares.items())


def step_instructions(planned: PlannedStep) -> int:
    """What is predicted of a training step as it is planned."""
    return sum(predicted_instructions(step.operator) for step in planned.program.entries[TRAIN].steps)


def whole_instructions(planned: PlannedStep) -> int:
    """The same on whole tensors, nothing computed twice."""
    return sum(map(predicted_instructions, _operators(planned.program.entries[TRAIN])))


def update_instructions(planned: PlannedStep) -> dict[str, int]:
    """What is predicted of each update of weights and of their velocity, by layer."""
    layers = {
        f"state{index}": state.name.removesuffix(ending)
        for index, state in enumerate(read_states(planned.inference["main"]))
        for ending in ("_weights", velocity_name("_weights"))
        if state.name.endswith(ending)
    }
    found: Counter[str] = Counter()
    for step in planned.program.entries[TRAIN].steps:
        if step.outputs[0] in layers:
            found[layers[step.outputs[0]]] += predicted_instructions(step.operator)
    return found


def _operators(plan: Plan) -> Iterator[Operator]:
    """Those of a plan, stages taken apart, that are not repetitions."""
    for step in plan.steps:
        members = step.operator.members if isinstance(step.operator, Stage) else (step.operator,)
        yield from (member for member in members if not member.is_repeated)
