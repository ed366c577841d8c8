"""Whose memory a search reckons with: that of this compiler, or of those that run one layer after the other.

The others are there to see what the compiler buys. Constants and instructions are those of this compiler's
kernels on whole tensors, so that nothing but memory differs.
"""

from dataclasses import replace
from typing import Literal, TypeAlias

from tinycc.search.architecture import Architecture
from tinycc.search.cost import Cost, CostModel, Device
from tinycc.search.interpreter_memory import interpreter_arena
from tinycc.target import parse_size

# "compiler": stages, strips and input by rows as for firmware. "whole tensors": its planner without them, an
# output in its input's place where a kernel allows that. "interpreter": TFLite Micro's arena.
Memory: TypeAlias = Literal["compiler", "whole tensors", "interpreter"]


def cost_model(device: Device, memory: Memory) -> CostModel:
    """Who says what a network costs. Raises a tinycc.errors.TinyccError where an option is wrong."""
    if memory == "compiler":
        return CostModel(device)
    plain = replace(device, schedule="whole", input_mode="tensor", max_extra_macs=None)
    return CostModel(plain) if memory == "whole tensors" else InterpreterModel(plain)


class InterpreterModel(CostModel):
    """The same, but that the SRAM is what TFLite Micro's interpreter takes."""

    def __init__(self, device: Device) -> None:
        """device: its `sram` is what the interpreter has."""
        super().__init__(replace(device, sram=None))
        self._sram = None if device.sram is None else parse_size(str(device.sram))

    def cost(self, architecture: Architecture) -> Cost:
        """What a network costs, whatever memory there is."""
        return replace(super().cost(architecture), sram_bytes=interpreter_arena(architecture))

    def cost_within(self, architecture: Architecture) -> Cost | None:
        """The same, None where it does not fit the memory."""
        too_much = self._sram is not None and interpreter_arena(architecture) > self._sram
        return None if too_much else self.cost(architecture)
