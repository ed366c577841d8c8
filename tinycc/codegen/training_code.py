"""What the templates say of a training step."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinycc.codegen.addresses import buffer_offset
from tinycc.codegen.c_text import c_type, c_value
from tinycc.codegen.operator_code import OperatorCall
from tinycc.plan import Plan


@dataclass(frozen=True)
class StepInput:
    """An input of the network: what the parameter is called, and where it is copied to."""

    name: str
    type: str
    offset: str
    bytes: int


@dataclass(frozen=True, eq=False)
class TrainingCode:
    """A training step: its calls, and where in the arena its inputs and its loss lie, as C.

    target: what is right, a label or real numbers, where it is copied to as well.
    rate, rate_offset: the learning rate after a reset, and where it lies.
    skipped_offset: where the count of skipped updates lies.
    classes: elements of the network's first output.
    identity: a number that tells states of this model and scheme from others, as C.
    """

    calls: Sequence[OperatorCall]
    inputs: Sequence[StepInput]
    target: StepInput
    loss: str
    rate: str
    rate_offset: str
    skipped_offset: str
    classes: int
    identity: str

    @property
    def parameters(self) -> str:
        """Of the C function."""
        right = "int label" if self.has_label else f"const {self.target.type} *{self.target.name}"
        return ", ".join([*(f"const {item.type} *{item.name}" for item in self.inputs), right])

    @property
    def arguments(self) -> str:
        """The same without types."""
        return ", ".join(item.name for item in (*self.inputs, self.target))

    @property
    def has_label(self) -> bool:
        """Whether an element of the output is right, rather than real numbers for all of them."""
        return self.target.type == "int32_t"


def training_code(plan: Plan, invoked: Plan, calls: Sequence[OperatorCall]) -> TrainingCode:
    """What the templates say of the plan of a training step; its last input is what is right.

    invoked: the plan of an inference. calls: those of the step.
    """
    names = ["x"] if len(plan.inputs) == 2 else [f"x{index}" for index in range(len(plan.inputs) - 1)]
    names.append(plan.edges.inputs[-1].name)
    *inputs, target = (
        StepInput(name, c_type(tensor.dtype), buffer_offset(plan, buffer), tensor.bytes)
        for name, tensor, buffer in zip(names, plan.input_tensors, plan.inputs, strict=True)
    )
    # As mark_trainable has them: the rate, the number of the step, the count of what was skipped.
    rate, _, skipped = list(plan.state_values)[-3:]
    initial = plan.state_values[rate]
    assert isinstance(initial, np.ndarray)
    return TrainingCode(
        calls,
        inputs,
        target,
        loss=buffer_offset(plan, plan.outputs[0]),
        rate=c_value(float(initial[0])),
        rate_offset=buffer_offset(plan, rate),
        skipped_offset=buffer_offset(plan, skipped),
        classes=invoked.output_tensors[0].elements,
        identity=f"0x{_identity(plan):08x}u",
    )


def _identity(plan: Plan) -> int:
    """A checksum of where states lie and of what they begin with."""
    found = 0
    for name, initial in plan.state_values.items():
        found = zlib.crc32(f"{name} {plan.buffers[name].offset - plan.states_span[0]}".encode(), found)
        found = zlib.crc32(np.asarray(initial).tobytes(), found)
    return found
