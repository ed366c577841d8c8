"""Running operators row by row: in which order, and which rows have to be kept how long.

The operators of a stage are simulated, row call by row call. A row is computed when a later operator asks
for it, and nothing is computed that nobody asks for. What the simulation sees is exact: how many rows each
tensor's ring must hold, when it holds something, and how far the stage's output may run into its input.

The output may be made in bands of rows, one after the other: each band computes all that it needs anew, the
rows that the band before had, too. Otherwise no row is computed twice.

Rows from outside all come, also those that nobody asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from tinycc.ops.footprint import Moments
from tinycc.ops.kernel_call import AccumulatingCall, AwaitedCall, RowCall, StreamedCall
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.row_window import RowWindow

# Where an operand comes from: the stage's inputs count from 0, its operators' results on from there.
Source = int | None
# First and one past the last.
Range = tuple[int, int]


class Access(NamedTuple):
    """What a row call touches: rows [first, last] of a tensor."""

    tensor: int
    first: int
    last: int


@lru_cache(4096)
def rows_read(window: RowWindow, rows: int) -> tuple[Range | None, ...]:
    """First and last input row under the window of each of `rows` row calls; None where all is padding."""
    return tuple(_rows_under(window, y) for y in range(rows))


def _rows_under(window: RowWindow, y: int) -> Range | None:
    top, step = window.first_row(y), window.dilation
    # The first and the last j in [0, rows) for which row top + j * step is one of the input's.
    first = max(0, -(top // step))
    last = min(window.rows - 1, (window.input_rows - 1 - top) // step)
    return (top + first * step, top + last * step) if first <= last else None


def parts_of(size: int, count: int) -> list[Range]:
    """`count` parts of [0, size), as equal as they can be."""
    return [(size * index // count, size * (index + 1) // count) for index in range(count)]


@dataclass(frozen=True)
class Stream:
    """A simulated stage.

    order, row_of: the operator of each row call, and which of its rows it computes.
    reads: for each row call the rows that it reads.
    needed: for each band the rows [first, end) of each operator that it computes.
    """

    input_count: int
    calls: tuple[StreamedCall, ...]
    order: tuple[int, ...]
    row_of: tuple[int, ...]
    reads: tuple[tuple[Access, ...], ...]
    needed: tuple[tuple[Range, ...], ...]

    @cached_property
    def _spans(self) -> tuple[list[tuple[int, int]], ...]:
        """For each operator and row computed the row calls that write it and that read it last."""
        written: list[list[int]] = [[] for _ in self.calls]
        last: list[list[int]] = [[] for _ in self.calls]
        # Where in the two lists each row was computed last.
        places: list[dict[int, int]] = [{} for _ in self.calls]
        for time, (turn, row, accesses) in enumerate(zip(self.order, self.row_of, self.reads, strict=True)):
            for access in accesses:
                if access.tensor >= self.input_count:
                    source = access.tensor - self.input_count
                    for read in range(access.first, access.last + 1):
                        last[source][places[source][read]] = time
            places[turn][row] = len(written[turn])
            written[turn].append(time)
            last[turn].append(time)
        return tuple(
            [(times[0], times[-1])]
            if isinstance(call, AccumulatingCall)
            else list(zip(times, ends, strict=True))
            for call, times, ends in zip(self.calls, written, last, strict=True)
        )

    def rows(self, tensor: int) -> list[tuple[int, int]]:
        """For each row computed of a result the row calls that write it and that read it last.

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

    def overlap_distance(
        self, size: int, output_row: int, reads_at: Sequence[Sequence[int]], writes: Sequence[Range]
    ) -> int:
        """How many bytes the last operator's result must start before an input that dies with the stage.

        The two of them are resident. Row calls that read the input and write the output at once count as
        reading after writing; finer is what the operator itself says of its kernel.

        size, output_row: bytes of the output and of a row of it.
        reads_at: for each column strip and row call the first byte that it reads of the input; a large
            number where it reads none.
        writes: for each column strip the bytes of an output row that belong to it.
        """
        last = len(self.calls) - 1
        is_last = np.array(self.order) == last
        accumulates = isinstance(self.calls[last], AccumulatingCall)
        rows = np.array(self.row_of) * output_row
        ends = [np.where(is_last & (not accumulates), rows + end, 0) for _, end in writes]
        written = np.minimum(np.maximum.accumulate(np.concatenate(ends)), size)
        early = np.concatenate([[0], written[:-1]])
        if accumulates:
            written[-1] = size
        return overlap_distance(np.concatenate([np.array(reads) for reads in reads_at]), written, early)


def simulate(
    calls: Sequence[StreamedCall],
    sources: Sequence[Sequence[Source]],
    input_count: int,
    *,
    bands: int = 1,
    by_layers: bool = False,
) -> Stream:
    """Run a stage whose last operator's result is the only one asked for.

    calls: of each operator, rows in order. sources: of each window of each call.
    by_layers: an operator computes all the rows that a band needs before the next operator begins.
    """
    recorder = _Recorder(calls, sources, input_count)
    awaited = [member for member, call in enumerate(calls) if isinstance(call, AwaitedCall)]
    all_needed = []
    for first, end in parts_of(calls[-1].rows, bands):
        needed = rows_needed(calls, sources, input_count, first, end)
        for member in awaited:
            needed[member] = (0, calls[member].rows)
        all_needed.append(tuple(needed))
        recorder.next_row = [span[0] for span in needed]
        # The first row from outside opens the stage, so that its place in the ring is free before that.
        for member in awaited:
            recorder.produce(member, 1)
        for member in range(len(calls)) if by_layers else [len(calls) - 1]:
            recorder.produce(member, needed[member][1])
        for member in awaited:
            recorder.produce(member, needed[member][1])
    return Stream(
        input_count,
        tuple(calls),
        tuple(recorder.order),
        tuple(recorder.row_of),
        tuple(recorder.reads),
        tuple(all_needed),
    )


@dataclass
class _Recorder:
    """Writes down the row calls of a stage. next_row: of each operator, the one it computes next."""

    calls: Sequence[StreamedCall]
    sources: Sequence[Sequence[Source]]
    input_count: int
    next_row: list[int] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    row_of: list[int] = field(default_factory=list)
    reads: list[tuple[Access, ...]] = field(default_factory=list)

    @cached_property
    def _spans(self) -> list[list[tuple[int, tuple[Range | None, ...]]]]:
        """For each operator the tensors that it reads, and which rows each of its calls reads of them."""
        return [
            [
                (source, rows_read(window, call.rows))
                for window, source in zip(call.windows, sources, strict=True)
                if source is not None
            ]
            for call, sources in zip(self.calls, self.sources, strict=True)
        ]

    def produce(self, member: int, end: int) -> None:
        """Compute an operator's rows up to `end`, and before each what it reads."""
        while self.next_row[member] < end:
            row = self.next_row[member]
            accesses = tuple(
                Access(source, *span) for source, spans in self._spans[member] if (span := spans[row])
            )
            for access in accesses:
                if access.tensor >= self.input_count:
                    self.produce(access.tensor - self.input_count, access.last + 1)
            self.order.append(member)
            self.row_of.append(row)
            self.reads.append(accesses)
            self.next_row[member] += 1


def rows_needed(
    calls: Sequence[StreamedCall], sources: Sequence[Sequence[Source]], input_count: int, first: int, end: int
) -> list[Range]:
    """For each operator the rows [first, end) that rows [first, end) of the last one's result need."""
    needed = [(0, 0)] * len(calls)
    needed[-1] = (first, end)
    for member in reversed(range(len(calls))):
        for window, tensor in zip(calls[member].windows, sources[member], strict=True):
            rows = _union_under(calls[member], window, needed[member])
            if tensor is not None and tensor >= input_count and rows is not None:
                source = tensor - input_count
                needed[source] = _union(needed[source], rows)
    return needed


def _union_under(call: StreamedCall, window: RowWindow, rows: Range) -> Range | None:
    """Input rows [first, end) under the windows of some rows; None where all of it is padding."""
    spans = rows_read(window, call.rows)[slice(*rows)]
    if window.dilation == 1 and window.border is None:
        # Windows move down: of those that are not all padding the first and the last reach furthest.
        first, last = (next(filter(None, ends), None) for ends in (spans, reversed(spans)))
        return (first[0], last[1] + 1) if first and last else None
    found = [span for span in spans if span]
    return (min(first for first, _ in found), max(last for _, last in found) + 1) if found else None


def columns_needed(
    calls: Sequence[StreamedCall], sources: Sequence[Sequence[Source]], input_count: int, first: int, end: int
) -> list[Range]:
    """For each operator the pixels [first, end) of its rows that those of the last one's result need.

    ValueError where an operator can only compute whole rows, or reads whole rows of another's result.
    """
    needed = [(0, 0)] * len(calls)
    needed[-1] = (first, end)
    for member in reversed(range(len(calls))):
        call = calls[member]
        if not isinstance(call, RowCall) or not call.pixel_columns:
            raise ValueError("an operator computes whole rows only")
        for window, source in zip(call.windows, sources[member], strict=True):
            if source is None or source < input_count or needed[member] == (0, 0):
                continue
            if window.columns is None:
                raise ValueError("an operator reads whole rows only")
            place = source - input_count
            needed[place] = _union(needed[place], window.columns.span(*needed[member]))
    return needed


def _union(one: Range, other: Range) -> Range:
    return other if one == (0, 0) else (min(one[0], other[0]), max(one[1], other[1]))
