"""When the rows of a stage's operators are computed and read, whatever they hold.

In a stage one operator longer the row calls of the shorter one come in the same order, up to the last that is
still needed, and the new operator's calls between them, each where the rows that it reads are there. Where
an operator reads something else than the result before it sooner than that is computed anyway, the stage is
simulated from the beginning (`ops/streaming.py`). Times follow from windows alone, whatever the channels, so
each chain of windows is simulated once.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tinycc.ops.kernel_call import AwaitedCall, StreamedCall
from tinycc.ops.row_window import RowWindow
from tinycc.ops.streaming import Range, rows_read, simulate

# As the source of what an operator reads: from outside of the stage, where all rows are there.
OUTSIDE = -1
# For each window of a call the place of an earlier operator, OUTSIDE, or None for a constant.
Places = tuple[int | None, ...]


def _none() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class RowReads:
    """What of a call the times of row calls depend on; calls that are alike in it have the same object.

    rows: how many there are. windows: without the sizes of rows. is_awaited: whether rows come from outside
    of the model.
    """

    rows: int
    windows: tuple[RowWindow, ...]
    is_awaited: bool

    @classmethod
    def of(cls, call: StreamedCall) -> "RowReads":
        """Those of a call."""
        return _reads_of(call)

    @functools.cached_property
    def spans(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """For each window the first and the last row that each call reads; -1 for none."""
        return tuple(_as_arrays(rows_read(window, self.rows)) for window in self.windows)

    @property
    def has_border(self) -> bool:
        """Whether a window takes rows from elsewhere than its place."""
        return any(window.border for window in self.windows)


@functools.lru_cache(1 << 16)
def _reads_of(call: StreamedCall) -> RowReads:
    windows = tuple(replace(window, row_elements=0, columns=None) for window in call.windows)
    return _only(call.rows, windows, isinstance(call, AwaitedCall))


@functools.lru_cache(1 << 14)
def _only(rows: int, windows: tuple[RowWindow, ...], is_awaited: bool) -> RowReads:
    return RowReads(rows, windows, is_awaited)


def _as_arrays(spans: tuple[Range | None, ...]) -> tuple[np.ndarray, np.ndarray]:
    first, last = np.array([span or (-1, -1) for span in spans], np.int64).reshape(-1, 2).T
    return first, last


@functools.lru_cache(1 << 14)
def _last_readers(window: RowWindow, rows: int, end: int) -> np.ndarray:
    """For each input row the last of the first `end` calls, of `rows`, that reads it; -1 for none."""
    readers = np.full(window.input_rows, -1)
    for y, span in enumerate(rows_read(window, rows)[:end]):
        if span is not None:
            readers[span[0] : span[1] + 1] = y
    return readers


@dataclass(frozen=True, eq=False)
class Timing:
    """The row calls of a stage's operators, one row after the other.

    members: of each operator what it reads, and where from.
    order: the member of each row call. shorter: the timings without the last members.
    first_rows: of each member, the first row that it computes.
    begins: where the rows of each member begin in `written` and `last`, and where they end.
    written, last: for each row computed, member by member, the calls that compute it and that read it last.
    """

    members: tuple[tuple[RowReads, Places], ...] = ()
    shorter: tuple["Timing", ...] = ()
    order: np.ndarray = field(default_factory=_none)
    first_rows: tuple[int, ...] = ()
    begins: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    written: np.ndarray = field(default_factory=_none)
    last: np.ndarray = field(default_factory=_none)
    _following: dict[tuple[RowReads, Places], "Timing"] = field(default_factory=dict)

    def with_member(self, calls: Sequence[StreamedCall], places: Places) -> "Timing":
        """The timing of a stage with one more operator.

        calls: of all its operators. places: where the last one's windows read from.
        """
        member = RowReads.of(calls[-1]), places
        if member not in self._following:
            self._following[member] = self._grown(calls, member)
        return self._following[member]

    @functools.cached_property
    def is_complete(self) -> bool:
        """Whether every member computes something."""
        return len(self.begins) > 1 and bool((np.diff(self.begins) > 0).all())

    @functools.cached_property
    def counts(self) -> tuple[int, ...]:
        """How many rows each member computes."""
        return tuple(np.diff(self.begins).tolist())

    def times(self, member: int) -> np.ndarray:
        """The row calls of a member."""
        return self.written[self.begins[member] : self.begins[member + 1]]

    def most_held(self, row_bytes: Sequence[int], scratch: Sequence[int]) -> int:
        """The most that rings, and scratch memory beside them, hold at once.

        row_bytes: of each member; what the last one has is held from its first row call to its last.
        scratch: what each member needs during its row calls.
        """
        times, place, member, rows = self._changes
        held = np.cumsum(np.bincount(place, np.array(row_bytes)[member] * rows, len(times)))
        if any(scratch):
            held += np.maximum.reduceat(np.array(scratch)[self.order], times)
        return int(held.max())

    @functools.cached_property
    def _changes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """When rings begin and cease to hold something.

        The row calls in which one does; and for each such event the index of its row call, whose ring it is,
        and how many rows more that holds.
        """
        last = len(self.members) - 1
        member, first, final = [np.array([last])], [self.times(last)[:1]], [self.times(last)[-1:]]
        held = [np.ones(1, np.int64)]
        if last:
            end = int(self.begins[last])
            beyond = len(self.order) + 2
            # Members one after the other on one axis, so that what is done for one is done for all.
            place = np.repeat(np.arange(last), self.counts[:last])
            written = self.written[:end] + place * beyond
            held_until = np.maximum.accumulate(self.last[:end] + place * beyond)
            oldest = np.searchsorted(held_until, written)
            rows = np.maximum.reduceat(np.arange(end) - oldest + 1, self.begins[:last])
            begun = np.flatnonzero(written > np.concatenate([[-2], held_until[:-1]]) + 1)
            ended = np.append(begun[1:] - 1, end - 1)
            member.append(place[begun])
            first.append(self.written[begun])
            final.append(held_until[ended] - place[ended] * beyond)
            held.append(rows[place[begun]])
        members, rows = np.concatenate(member), np.concatenate(held)
        begin, behind = np.concatenate(first), np.concatenate(final) + 1
        is_within = behind < len(self.order)
        times, index = np.unique(np.concatenate([[0], begin, behind[is_within]]), return_inverse=True)
        return (
            times,
            index[1:],
            np.concatenate([members, members[is_within]]),
            np.concatenate([rows, -rows[is_within]]),
        )

    def _grown(self, calls: Sequence[StreamedCall], member: tuple[RowReads, Places]) -> "Timing":
        members, shorter = (*self.members, member), (*self.shorter, self)
        read = {place for _, places in members for place in places}
        if not set(range(len(self.members))) <= read:
            # What nobody reads yet is not computed yet.
            return Timing(members, shorter, begins=np.zeros(len(members) + 1, np.int64))
        grown = self._inserted(members, shorter)
        awaited = [place for place, (reads, _) in enumerate(members) if reads.is_awaited]
        # All rows from outside come, whether they are read or not.
        if grown is None or any(grown.counts[place] < members[place][0].rows for place in awaited):
            return Timing._simulated(members, shorter, calls)
        return grown

    @classmethod
    def _simulated(
        cls,
        members: tuple[tuple[RowReads, Places], ...],
        shorter: tuple["Timing", ...],
        calls: Sequence[StreamedCall],
    ) -> "Timing":
        """From the beginning; all that comes from outside counts as one tensor."""
        sources = [
            tuple(None if place is None else 0 if place == OUTSIDE else place + 1 for place in places)
            for _, places in members
        ]
        stream = simulate(calls, sources, 1)
        first_rows = tuple(first for first, _ in stream.needed[0])
        return cls._timed(members, shorter, np.array(stream.order), first_rows)

    @classmethod
    def _timed(
        cls,
        members: tuple[tuple[RowReads, Places], ...],
        shorter: tuple["Timing", ...],
        order: np.ndarray,
        first_rows: tuple[int, ...],
    ) -> "Timing":
        written = np.argsort(order, kind="stable")
        begins = np.searchsorted(order[written], np.arange(len(members) + 1))
        found = cls(members, shorter, order, first_rows, begins, written, written.copy())
        for reader in range(len(members)):
            found._note_reads(reader)
        return found

    def _note_reads(self, reader: int) -> None:
        """Let the rows that a member reads live until it does."""
        (reads, places), first = self.members[reader], self.first_rows[reader]
        times = self.times(reader)
        for window, source in zip(reads.windows, places, strict=True):
            if source is None or source == OUTSIDE:
                continue
            begin, behind = self.begins[source], self.begins[source + 1]
            start = self.first_rows[source]
            readers = _last_readers(window, reads.rows, first + len(times))[start : start + behind - begin]
            is_read = readers >= first
            rows = np.arange(begin, behind)[is_read]
            self.last[rows] = np.maximum(self.last[rows], times[readers[is_read] - first])

    def _inserted(
        self, members: tuple[tuple[RowReads, Places], ...], shorter: tuple["Timing", ...]
    ) -> "Timing | None":
        """The last of `members` computed between the row calls that there are; None where that is not all."""
        places = self._places_of(*members[-1])
        if places is None:
            return None
        added = len(self.members)
        order = np.insert(self.order[: places[-1]], places, added)
        first_rows = (*self.first_rows, 0)
        if places[-1] < len(self.order):
            return Timing._timed(members, shorter, order, first_rows)
        # Calls that come after others are put before them are later by so many.
        written, last = (
            times + np.searchsorted(places, times, "right") for times in (self.written, self.last)
        )
        times = places + np.arange(len(places))
        begins = np.append(self.begins, len(written) + len(times))
        written, last = np.concatenate([written, times]), np.concatenate([last, times])
        grown = Timing(members, shorter, order, first_rows, begins, written, last)
        grown._note_reads(added)
        return grown

    def _places_of(self, member: RowReads, places: Places) -> np.ndarray | None:
        """Before which of the row calls that there are those of one more operator come.

        None where there would be others, or they would come in another order.
        """
        before = len(self.members) - 1
        reads = [
            (source, *span)
            for source, span in zip(places, member.spans, strict=True)
            if source is not None and source != OUTSIDE
        ]
        has_border = member.has_border or any(reads.has_border for reads, _ in self.members)
        if has_border or not self.is_complete or before not in places:
            return None
        made = []
        for source, first, last in reads:
            start, count = self.first_rows[source], self.counts[source]
            is_read = last >= 0
            if not is_read.any() or last.max() >= start + count or first[is_read].min() < start:
                return None
            if source == before and first[is_read].min() > start:
                return None
            calls = np.full(len(last), -1)
            calls[is_read] = self.times(source)[last[is_read] - start]
            made.append(calls)
        found = np.maximum.accumulate(np.max(made, axis=0)) + 1
        reached = np.concatenate([[0], found[:-1]])
        for (source, _, _), calls in zip(reads, made, strict=True):
            if source != before:
                ahead = np.flatnonzero(calls >= reached)
                if not all(self._is_next(source, int(reached[y]), int(calls[y]) + 1) for y in ahead):
                    return None
            reached = np.maximum(reached, calls + 1)
        return found

    def _is_next(self, member: int, begin: int, end: int) -> bool:
        """Whether row calls [begin, end) are those that a demand for a member's rows would make then."""
        calls = self.order[begin:end]
        if (calls == member).all():
            return True
        alone = self.shorter[member + 1] if member + 1 < len(self.shorter) else self
        is_alike = alone.first_rows == self.first_rows[: member + 1]
        return begin == 0 and is_alike and np.array_equal(calls, alone.order[:end])
