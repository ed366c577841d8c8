"""Running operators row by row: in which order, and which rows have to be kept how long.

The operators of a stage are simulated, row call by row call. A row is computed when a later operator asks
for it, never twice, and nothing is computed that nobody asks for. What the simulation sees is exact: how many
rows each tensor's ring must hold, when it holds something, and how far the stage's output may run into its
input.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinycc.ops.base import KernelCall, RowWindow
from tinycc.ops.footprint import Moments
from tinycc.ops.overlap import overlap_distance

# Where an operand comes from: the stage's inputs count from 0, its operators' results on from there.
Source = int | None


@dataclass(frozen=True)
class Access:
    """What a row call touches: rows [first, last] of a tensor."""

    tensor: int
    first: int
    last: int


def rows_read(call: KernelCall, window: RowWindow, y: int) -> tuple[int, int] | None:
    """First and last input row under the window of row call y; None where all of it is padding."""
    if call.accumulator_bytes:
        return y, y
    first = window.first_row(y)
    rows = [row for j in range(window.rows) if 0 <= (row := first + j * window.dilation) < window.input_rows]
    return (rows[0], rows[-1]) if rows else None


@dataclass(frozen=True)
class Stream:
    """A simulated stage.

    order: the operator of each row call; its n-th call computes its n-th row.
    reads: for each row call the rows that it reads.
    """

    input_count: int
    calls: tuple[KernelCall, ...]
    order: tuple[int, ...]
    reads: tuple[tuple[Access, ...], ...]

    @cached_property
    def _spans(self) -> tuple[list[tuple[int, int]], ...]:
        """For each operator and row the row calls that write it and that read it last."""
        written: list[list[int]] = [[] for _ in self.calls]
        last: list[list[int]] = [[] for _ in self.calls]
        for time, (turn, accesses) in enumerate(zip(self.order, self.reads, strict=True)):
            for access in accesses:
                if access.tensor >= self.input_count:
                    rows = last[access.tensor - self.input_count]
                    rows[access.first : access.last + 1] = [time] * (access.last + 1 - access.first)
            written[turn].append(time)
            last[turn].append(time)
        return tuple(
            [(times[0], times[-1])] if call.accumulator_bytes else list(zip(times, ends, strict=True))
            for call, times, ends in zip(self.calls, written, last, strict=True)
        )

    def rows(self, tensor: int) -> list[tuple[int, int]]:
        """For each row of an operator's result the row calls that write it and that read it last.

        An accumulating operator has one row, which takes shape during all its calls.
        """
        return self._spans[tensor - self.input_count]

    def ring_rows(self, tensor: int) -> int:
        """How many rows the ring of an operator's result needs so that no row is overwritten too early."""
        rows = self.rows(tensor)
        needed, oldest = 1, 0
        for row, (written, _) in enumerate(rows):
            while rows[oldest][1] < written:
                oldest += 1
            needed = max(needed, row - oldest + 1)
        return needed

    def moments(self, tensor: int) -> Moments:
        """The ranges of row calls, both ends included, in which the ring of a result holds something."""
        spans: list[tuple[int, int]] = []
        for written, last in self.rows(tensor):
            if spans and written <= spans[-1][1] + 1:
                spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
            else:
                spans.append((written, last))
        return tuple(spans)

    def accumulating(self, member: int) -> tuple[int, int]:
        """The first and the last call of an operator: its accumulators live in between."""
        times = [time for time, turn in enumerate(self.order) if turn == member]
        return times[0], times[-1]

    def calling(self, member: int) -> Moments:
        """The calls of an operator, each by itself: its scratch memory lives during them only."""
        return tuple((time, time) for time, turn in enumerate(self.order) if turn == member)

    def overlap_distance(self, tensor: int, tensor_row_bytes: int, output_row_bytes: int) -> int:
        """How many bytes the last operator's result must start before an input that dies with the stage.

        The two of them are resident. Row calls that read the input and write the output at once count as
        reading after writing; finer is what the operator itself says of its kernel.
        """
        last = len(self.calls) - 1
        accumulates = bool(self.calls[last].accumulator_bytes)
        size = self.calls[last].rows * output_row_bytes
        beyond = 1 << 40
        reads, ends, early = [], [], []
        written = 0
        for turn, accesses in zip(self.order, self.reads, strict=True):
            before = written
            if turn == last:
                written = min(size, written + output_row_bytes) if not accumulates else before
            rows = [access.first for access in accesses if access.tensor == tensor]
            reads.append(min(rows) * tensor_row_bytes if rows else beyond)
            ends.append(written)
            early.append(before)
        if accumulates:
            ends[-1] = output_row_bytes
        return overlap_distance(np.array(reads), np.array(ends), np.array(early))


def simulate(calls: Sequence[KernelCall], sources: Sequence[Sequence[Source]], input_count: int) -> Stream:
    """Run a stage whose last operator's result is the only one asked for.

    calls: of each operator, rows in order. sources: of each window of each call.
    """
    done = [0] * len(calls)
    order: list[int] = []
    reads: list[tuple[Access, ...]] = []

    def accesses_of(member: int, y: int) -> tuple[Access, ...]:
        found = []
        for window, source in zip(calls[member].windows, sources[member], strict=True):
            rows = rows_read(calls[member], window, y)
            if source is not None and rows is not None:
                found.append(Access(source, *rows))
        return tuple(found)

    def produce(member: int, rows: int) -> None:
        while done[member] < rows:
            accesses = accesses_of(member, done[member])
            for access in accesses:
                if access.tensor >= input_count:
                    produce(access.tensor - input_count, access.last + 1)
            order.append(member)
            reads.append(accesses)
            done[member] += 1

    produce(len(calls) - 1, calls[-1].rows)
    return Stream(input_count, tuple(calls), tuple(order), tuple(reads))
