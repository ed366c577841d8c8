"""Stages that grow operator by operator: what each needs follows from the one before.

A stage is a branch of the one that is an operator shorter. What rings hold, and when, follows from the times
of row calls (`timing.py`) and from the sizes of rows, for all operators at once. What was found out of a
stage is kept with it, so whoever asks about many networks, of which most have operators in common, keeps the
tree.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tinycc.ops.base import Operator
from tinycc.ops.kernel_call import AccumulatingCall, AwaitedCall, RowCall, StreamedCall
from tinycc.ops.overlap import may_share_bytes, overlap_distance
from tinycc.ops.stage import Stage
from tinycc.ops.streaming import Range, columns_needed, parts_of
from tinycc.ops.tensor import ITEM_BYTES, Tensor
from tinycc.schedule.costs import run_in_stage
from tinycc.schedule.timing import OUTSIDE, Places, RowReads, Timing

# A byte that no input has.
_BEYOND = 1 << 40


@dataclass(frozen=True)
class Outside:
    """What comes from outside of a stage: the `index`-th tensor that it reads."""

    index: int
    shape: tuple[int, ...]
    dtype: str

    @functools.cached_property
    def tensor(self) -> Tensor:
        """Shape and element type."""
        return Tensor(self.shape, self.dtype)


# Of an input an earlier member by its place, or what comes from outside; None for a constant.
Source = int | Outside | None


@dataclass(frozen=True, eq=False)
class Member:
    """An operator of a stage.

    sources: of each input of its view.
    """

    view: Operator
    call: StreamedCall
    sources: tuple[Source, ...]

    @functools.cached_property
    def window_sources(self) -> tuple[Source, ...]:
        """Of each window of its call."""
        return self.sources[: len(self.call.windows)]

    @functools.cached_property
    def places(self) -> Places:
        """The same as a timing has them."""
        return tuple(OUTSIDE if isinstance(item, Outside) else item for item in self.window_sources)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of its result."""
        return self.call.row_elements * ITEM_BYTES[self.view.outputs[0].dtype]

    @functools.cached_property
    def pixel_bytes(self) -> int:
        """Those of a pixel."""
        return self.row_bytes // self.view.outputs[0].width

    @property
    def accumulator_bytes(self) -> int:
        """0 where it makes its result row by row."""
        return self.call.accumulator_bytes if isinstance(self.call, AccumulatingCall) else 0

    @functools.cached_property
    def scratch_bytes(self) -> int:
        """What it needs during each of its calls."""
        return 0 if self.accumulator_bytes else self.view.scratch_bytes

    def first_bytes(self, outside: Outside, part: Range) -> np.ndarray:
        """For each call the first byte that it reads of what comes from outside, for these of its pixels."""
        tensor = outside.tensor
        spans = zip(self.window_sources, self.call.windows, RowReads.of(self.call).spans, strict=True)
        reads = [(window, first, last) for source, window, (first, last) in spans if source == outside]
        start = min(Stage.first_column(window, part, tensor) for window, _, _ in reads)
        row = tensor.bytes // tensor.height
        found = [np.where(last >= 0, first * row + start, _BEYOND) for _, first, last in reads]
        return np.asarray(np.min(found, axis=0))


@dataclass(frozen=True)
class StageFigures:
    """What a stage needs.

    ring_bytes: the most that rings, scratch memory and accumulators hold at once.
    waiting_bytes: what it has to remember while it waits for a row from outside of the model.
    distances: how many bytes the result must start before each tensor from outside, by its index, that it
        may overlap.
    macs: executed; extra_macs of them are of elements that were computed before.
    instructions: predicted. row_calls: executed.
    """

    ring_bytes: int
    waiting_bytes: int
    distances: tuple[tuple[int, int], ...]
    macs: int
    extra_macs: int
    instructions: int
    row_calls: int


@dataclass(frozen=True, eq=False)
class GrownStage:
    """A stage, and those that begin with its operators."""

    members: tuple[Member, ...] = ()
    timing: Timing = field(default_factory=Timing)
    _following: dict[tuple[Operator, tuple[Source, ...]], "Growth"] = field(default_factory=dict)
    _figures: dict[int, StageFigures | None] = field(default_factory=dict)

    def grown(self, view: Operator, sources: tuple[Source, ...]) -> "Growth":
        """The stage with one more operator. sources: of each input of its view."""
        known = self._following.get((view, sources))
        if known is None:
            known = self._following[view, sources] = self._grown(view, sources)
        return known

    def _grown(self, view: Operator, sources: tuple[Source, ...]) -> "Growth":
        first = self._tensor(sources[0])
        reducing = None if first is None else _accumulating_kernel(view, first.height)
        by_rows = self._with(view, view.row_kernel, sources)
        return Growth(by_rows, by_rows if reducing is None else self._with(view, reducing, sources))

    def _with(
        self, view: Operator, call: StreamedCall | None, sources: tuple[Source, ...]
    ) -> "GrownStage | None":
        """One more member; None where its call does not read what is there row by row."""
        if call is None:
            return None
        for window, source in zip(call.windows, sources, strict=False):
            try:
                Stage.check_rows(view, window, self._tensor(source))
            except ValueError:
                return None
        members = (*self.members, Member(view, call, sources))
        calls = [member.call for member in members]
        return GrownStage(members, self.timing.with_member(calls, members[-1].places))

    def _tensor(self, source: Source) -> Tensor | None:
        if isinstance(source, int):
            return self.members[source].view.outputs[0]
        return None if source is None else source.tensor

    def figures(self, strips: int = 1) -> StageFigures | None:
        """What it needs, cut into so many strips of columns; None where it cannot run so."""
        if strips not in self._figures:
            self._figures[strips] = self._computed(strips)
        return self._figures[strips]

    def _computed(self, strips: int) -> StageFigures | None:
        timing = self.timing
        if not timing.is_complete:
            return None
        parts = self._strips(strips)
        if parts is None:
            return None
        columns = [sum(end - first for first, end in member) for member in zip(*parts, strict=True)]
        work = [
            _work(member.view, member.call, rows * strips, rows * width)
            for member, rows, width in zip(self.members, timing.counts, columns, strict=True)
        ]
        executed = sum(macs for macs, _ in work)
        once = sum(member.view.macs for member in self.members if not member.view.is_repeated)
        again = max(0, executed - once)
        return StageFigures(
            self._ring_bytes(parts),
            self._waiting_bytes(),
            self._distances(parts),
            once + again,
            again,
            sum(instructions for _, instructions in work),
            len(timing.order) * strips,
        )

    def _strips(self, count: int) -> list[tuple[Range, ...]] | None:
        """For each strip the pixels [first, end) of a row that each member computes."""
        widths = [member.view.outputs[0].width for member in self.members]
        if count == 1:
            return [tuple((0, width) for width in widths)]
        calls = [member.call for member in self.members]
        cannot = any(isinstance(call, AwaitedCall) for call in calls) or count > widths[-1]
        if cannot or not all(isinstance(call, RowCall) and call.pixel_columns for call in calls):
            return None
        sources = [
            tuple(None if place is None else place + 1 for place in member.places) for member in self.members
        ]
        try:
            return [tuple(columns_needed(calls, sources, 1, *part)) for part in parts_of(widths[-1], count)]
        except ValueError:
            return None

    def _ring_bytes(self, parts: Sequence[tuple[Range, ...]]) -> int:
        """The most that is held at once. parts: the pixels of each strip."""
        count, timing = len(self.members) - 1, self.timing
        widths = [max(end - first for first, end in member) for member in zip(*parts, strict=True)]
        held = np.zeros(len(timing.order) + 1)
        if count:
            sizes = [
                member.pixel_bytes * width
                for member, width in zip(self.members[:count], widths, strict=False)
            ]
            held += _rings_over_time(timing, np.array(sizes))
        scratch = [member.scratch_bytes for member in self.members]
        if any(scratch):
            held[:-1] += np.array(scratch)[timing.order]
        accumulators = self.members[-1].accumulator_bytes
        if accumulators:
            times = timing.times(count)
            held[times[0] : times[-1] + 1] += accumulators
        return int(held.max())

    def _waiting_bytes(self) -> int:
        calls = [member.call for member in self.members]
        if not any(isinstance(call, AwaitedCall) for call in calls):
            return 0
        return Stage.row_number_bytes(calls) * len(calls)

    def _distances(self, parts: Sequence[tuple[Range, ...]]) -> tuple[tuple[int, int], ...]:
        output = self.members[-1].view.outputs[0]
        awaited = {
            source
            for member in self.members
            if isinstance(member.call, AwaitedCall)
            for source in member.sources
        }
        sources = dict.fromkeys(source for member in self.members for source in member.sources)
        return tuple(
            (source.index, self._distance(source, parts))
            for source in sources
            if isinstance(source, Outside)
            and source not in awaited
            and may_share_bytes(source.tensor, output)
        )

    def _distance(self, outside: Outside, parts: Sequence[tuple[Range, ...]]) -> int:
        """How many bytes the result must start before what is read from outside, as Stage has it."""
        timing, last = self.timing, self.members[-1]
        output, accumulates = last.view.outputs[0], last.accumulator_bytes > 0
        readers = [index for index, member in enumerate(self.members) if outside in member.window_sources]
        reads, ends = [], []
        for part in parts:
            read = np.full(len(timing.order), _BEYOND)
            for index in readers:
                times, first = timing.times(index), timing.first_rows[index]
                found = self.members[index].first_bytes(outside, part[index])
                read[times] = found[first : first + len(times)]
            end = np.zeros(len(timing.order), np.int64)
            if not accumulates:
                times = timing.times(len(self.members) - 1)
                rows = np.arange(len(times)) + timing.first_rows[-1]
                end[times] = rows * last.row_bytes + part[-1][1] * last.pixel_bytes
            reads.append(read)
            ends.append(end)
        written = np.minimum(np.maximum.accumulate(np.concatenate(ends)), output.bytes)
        early = np.concatenate([[0], written[:-1]])
        if accumulates:
            written[-1] = output.bytes
        distance = overlap_distance(np.concatenate(reads), written, early)
        for position, source in enumerate(last.sources):
            if source == outside:
                in_order = not accumulates and len(parts) == 1
                own = last.view.overlap_distance(position) if in_order else None
                distance = max(distance, output.bytes if own is None else own)
        return distance


@dataclass(frozen=True)
class Growth:
    """A stage with one more operator at its end.

    by_rows: where that makes its result row by row, so that others may follow.
    ended: as a whole, where it may be a reduction of rows that come one by one. None where it cannot run so.
    """

    by_rows: GrownStage | None
    ended: GrownStage | None


def _rings_over_time(timing: Timing, row_bytes: np.ndarray) -> np.ndarray:
    """What rings hold at each row call. row_bytes: of each member but the last, which has no ring."""
    count = len(row_bytes)
    end = int(timing.begins[count])
    beyond = len(timing.order) + 2
    # Members one after the other on one axis, so that what is done for one is done for all.
    member = np.repeat(np.arange(count), timing.counts[:count])
    offset = member * beyond
    written = timing.written[:end] + offset
    held_until = np.maximum.accumulate(timing.last[:end] + offset)
    oldest = np.searchsorted(held_until, written)
    rows = np.maximum.reduceat(np.arange(end) - oldest + 1, timing.begins[:count])
    sizes = rows * row_bytes
    first = np.flatnonzero(written > np.concatenate([[-2], held_until[:-1]]) + 1)
    final = np.append(first[1:] - 1, end - 1)
    size = sizes[member[first]].astype(float)
    length = len(timing.order) + 1
    begun = np.bincount(timing.written[first], size, length)
    ended = np.bincount(held_until[final] - offset[final] + 1, size, length)
    return np.cumsum(begun - ended)


@functools.lru_cache(1 << 16)
def _work(view: Operator, call: StreamedCall, rows: int, pixels: int) -> tuple[int, int]:
    """Multiply-accumulates and predicted instructions of a member that computes so many rows and pixels."""
    macs = view.macs // (call.rows * view.outputs[0].width) * pixels
    return macs, run_in_stage(view, call, rows, pixels).predicted_instructions


@functools.lru_cache(1 << 14)
def _accumulating_kernel(view: Operator, height: int) -> StreamedCall | None:
    return view.accumulating_kernel(height)
