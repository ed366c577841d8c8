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

    rate, rate_offset: the learning rate after a reset, and where it lies.
    classes: elements of the network's first output.
    identity: a number that tells states of this model and scheme from others, as C.
    """

    calls: Sequence[OperatorCall]
    inputs: Sequence[StepInput]
    label: str
    loss: str
    rate: str
    rate_offset: str
    classes: int
    identity: str

    @property
    def parameters(self) -> str:
        """Of the C function."""
        return ", ".join([*(f"const {item.type} *{item.name}" for item in self.inputs), "int label"])

    @property
    def arguments(self) -> str:
        """The same without types."""
        return ", ".join([*(item.name for item in self.inputs), "label"])


def training_code(plan: Plan, invoked: Plan, calls: Sequence[OperatorCall]) -> TrainingCode:
    """What the templates say of the plan of a training step; its last input is the label.

    invoked: the plan of an inference. calls: those of the step.
    """
    *inputs, label = plan.inputs
    names = ["x"] if len(inputs) == 1 else [f"x{index}" for index in range(len(inputs))]
    rate = f"state{len(plan.state_values) - 2}"
    initial = plan.state_values[rate]
    assert isinstance(initial, np.ndarray)
    return TrainingCode(
        calls,
        [
            StepInput(name, c_type(tensor.dtype), buffer_offset(plan, buffer), tensor.bytes)
            for name, tensor, buffer in zip(names, plan.input_tensors, inputs, strict=False)
        ],
        label=buffer_offset(plan, label),
        loss=buffer_offset(plan, plan.outputs[0]),
        rate=c_value(float(initial[0])),
        rate_offset=buffer_offset(plan, rate),
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
