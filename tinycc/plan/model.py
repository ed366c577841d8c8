"""The plan's data: all that codegen and report need to know, once the passes are done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tinycc.edges import Edges
from tinycc.ops.base import Operator
from tinycc.ops.footprint import Moments
from tinycc.ops.tensor import Tensor

BufferKind = Literal["input", "output", "activation", "ring", "scratch", "state"]


@dataclass(frozen=True)
class Buffer:
    """A piece of the arena.

    first_step, last_step: inclusive range of steps in which it holds something; inputs are alive from
        step 0, outputs to the last step, states always.
    moments: of a buffer within a stage, the ranges of row calls, both ends included, in which it holds
        something; () for all of its steps.
    offset: byte in the arena.
    """

    name: str
    kind: BufferKind
    bytes: int
    alignment: int
    first_step: int
    last_step: int
    moments: Moments = ()
    offset: int = 0

    def meets(self, other: "Buffer") -> bool:
        """Whether both hold something at the same time."""
        if self.first_step > other.last_step or other.first_step > self.last_step:
            return False
        if not (self.moments and other.moments):
            return True
        return any(
            first <= other_last and other_first <= last
            for first, last in self.moments
            for other_first, other_last in other.moments
        )


@dataclass(frozen=True)
class RowInput:
    """The input of a model that is fed row by row.

    member: which member of the first step, a stage, takes the rows.
    rows, row_bytes: what is fed.
    under_way: buffer of whether an inference is, an int8: 0 until its first row and from its last on.
    """

    member: int
    rows: int
    row_bytes: int
    under_way: str


@dataclass(frozen=True, eq=False)
class Step:
    """One operator's turn, or one stage's, or in a stage one of its members.

    inputs: for each of the view's inputs its buffer; None for constants and for rows from outside.
    outputs: the buffers of the view's results, updated states included.
    reads, writes: what the model takes from `inputs` and leaves in `outputs`. That is a buffer's name, save
        for what is written over a state, which has one of its own.
    overlaps: inputs that the first output may overlap, and by what distance.
    members: of a stage, whose operator is a Stage.
    """

    name: str
    operator: Operator
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]
    reads: tuple[str | None, ...] = ()
    writes: tuple[str, ...] = ()
    scratch: str | None = None
    overlaps: Mapping[str, int] = field(default_factory=dict)
    members: tuple["Step", ...] = ()

    @property
    def exact_overlaps(self) -> list[tuple[str, str]]:
        """The output with each input that it may overlap, where it may by just that distance."""
        is_exact = self.operator.kernel.overlaps_exactly
        return [(self.outputs[0], source) for source in self.overlaps] if is_exact else []


@dataclass(frozen=True, eq=False)
class Plan:
    """A scheduled model.

    inputs, outputs: buffers of the model's edges, in order; a buffer can be both.
    row_input: where the input is fed row by row, its buffer being the ring of its rows.
    input_tensors, output_tensors: what these buffers hold.
    state_values: what a reset writes into each state buffer: one value into every element, or an array.
    results: buffers of outputs and states, and what the model leaves in each, named as in a Step's `writes`.
    lower_bound_bytes: no placement of these buffers needs less.
    optimal: whether arena_bytes is proved to be the least possible for this order.
    dead_macs: multiply-accumulates of the file that were left out, as they cannot change an output.
    """

    steps: tuple[Step, ...]
    buffers: Mapping[str, Buffer]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_tensors: tuple[Tensor, ...]
    output_tensors: tuple[Tensor, ...]
    state_values: Mapping[str, int | np.ndarray]
    results: tuple[tuple[str, str], ...]
    edges: Edges
    arena_bytes: int
    lower_bound_bytes: int
    optimal: bool
    solver: str
    row_input: RowInput | None = None
    dead_macs: int = 0

    @property
    def states_span(self) -> tuple[int, int]:
        """Bytes [first, end) of the arena, which hold what outlives an inference: its last, or its first."""
        states = [buffer for buffer in self.buffers.values() if buffer.kind == "state"]
        first = min((state.offset for state in states), default=self.arena_bytes)
        return first, max((state.offset + state.bytes for state in states), default=self.arena_bytes)

    @property
    def work_span(self) -> tuple[int, int]:
        """Bytes [first, end) of the arena that hold all else."""
        work = [buffer for buffer in self.buffers.values() if buffer.kind != "state"]
        first = min((buffer.offset for buffer in work), default=0)
        return first, max((buffer.offset + buffer.bytes for buffer in work), default=0)
