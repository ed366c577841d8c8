"""Stages that grow operator by operator, each simulated from the one before.

In a stage one operator longer the row calls of the shorter one come in the same order, up to the last that is
still needed, and the new operator's calls between them, each where the rows that it reads are there. What
rings hold, and when, follows from the times of row calls and from windows, for all operators at once. Where
an operator reads something else than the result before it sooner than that is computed anyway, the stage is
simulated from the beginning (`ops/streaming.py`).
"""

import functools
from dataclasses import dataclass

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import Node, OperatorGraph, Value
from tinycc.ops.base import Operator
from tinycc.ops.kernel_call import AccumulatingCall, StreamedCall
from tinycc.ops.overlap import may_share_bytes, overlap_distance
from tinycc.ops.row_window import RowWindow
from tinycc.ops.stage import Stage
from tinycc.ops.streaming import Range, rows_read, simulate
from tinycc.ops.tensor import ITEM_BYTES, Tensor

# A byte that no input has.
_BEYOND = 1 << 40


@dataclass(frozen=True, eq=False)
class Outside:
    """A variable that comes from outside of the stage."""

    variable: relax.Var
    tensor: Tensor


Source = int | Outside | None


@dataclass(frozen=True, eq=False)
class Member:
    """An operator of a stage.

    sources: of each input of its view an earlier member by its place, or what comes from outside.
    """

    node: Node
    call: StreamedCall
    sources: tuple[Source, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of its result."""
        return self.call.row_elements * ITEM_BYTES[self.node.view.outputs[0].dtype]

    @property
    def pixel_bytes(self) -> int:
        """Those of whole pixels."""
        width = self.node.view.outputs[0].width
        return self.row_bytes // width * width

    @property
    def accumulator_bytes(self) -> int:
        """0 where it makes its result row by row."""
        return self.call.accumulator_bytes if isinstance(self.call, AccumulatingCall) else 0

    @functools.cached_property
    def reads(self) -> list[tuple[Source, RowWindow, np.ndarray, np.ndarray]]:
        """For each window its source, and the first and the last row that each call reads; -1 for none."""
        return [
            (source, window, *_as_arrays(rows_read(window, self.call.rows)))
            for window, source in zip(self.call.windows, self.sources, strict=False)
        ]

    def first_bytes(self, outside: Outside) -> np.ndarray:
        """For each call the first byte that it reads of what comes from outside."""
        tensor, width = outside.tensor, self.node.view.outputs[0].width
        reads = [(window, first, last) for source, window, first, last in self.reads if source is outside]
        start = min(Stage.first_column(window, (0, width), tensor) for window, _, _ in reads)
        row = tensor.bytes // tensor.height
        found = [np.where(last >= 0, first * row + start, _BEYOND) for _, first, last in reads]
        return np.asarray(np.min(found, axis=0))


@functools.lru_cache(4096)
def _as_arrays(spans: tuple[Range | None, ...]) -> tuple[np.ndarray, np.ndarray]:
    first, last = np.array([span or (-1, -1) for span in spans], np.int64).reshape(-1, 2).T
    return first, last


@functools.lru_cache(4096)
def _last_readers(spans: tuple[Range | None, ...], input_rows: int) -> np.ndarray:
    """For each input row the last call that reads it, given what each reads; -1 for none."""
    readers = np.full(input_rows, -1)
    for y, span in enumerate(spans):
        if span is not None:
            readers[span[0] : span[1] + 1] = y
    return readers


@dataclass(frozen=True, eq=False)
class Simulation:
    """A stage whose members' rows are computed one by one.

    order: the member of each row call. shorter: the simulations without the last members.
    first_rows: of each member, the first row that it computes.
    begins: where the rows of each member begin in `written` and `last`, and where they end.
    written, last: for each row computed, member by member, the calls that compute it and that read it last.
    """

    members: tuple[Member, ...]
    shorter: tuple["Simulation", ...]
    order: np.ndarray
    first_rows: tuple[int, ...]
    begins: np.ndarray
    written: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, members: tuple[Member, ...], shorter: tuple["Simulation", ...]) -> "Simulation":
        """Simulate from the beginning."""
        # All that comes from outside counts as one tensor, whose rows are there.
        sources = [
            tuple(
                None if source is None else source + 1 if isinstance(source, int) else 0
                for source in member.sources[: len(member.call.windows)]
            )
            for member in members
        ]
        stream = simulate([member.call for member in members], sources, 1)
        first_rows = tuple(first for first, _ in stream.needed[0])
        return cls._timed(members, shorter, np.array(stream.order), first_rows)

    @classmethod
    def _timed(
        cls,
        members: tuple[Member, ...],
        shorter: tuple["Simulation", ...],
        order: np.ndarray,
        first_rows: tuple[int, ...],
    ) -> "Simulation":
        written = np.argsort(order, kind="stable")
        begins = np.searchsorted(order[written], np.arange(len(members) + 1))
        found = cls(members, shorter, order, first_rows, begins, written, written.copy())
        for reader in range(len(members)):
            found._note_reads(reader)
        return found

    def _note_reads(self, reader: int) -> None:
        """Let the rows that a member reads live until it does."""
        member, begin, first = self.members[reader], self.begins[reader], self.first_rows[reader]
        end = first + int(self.begins[reader + 1] - begin)
        for source, window, _, _ in member.reads:
            if not isinstance(source, int):
                continue
            place, behind = self.begins[source], self.begins[source + 1]
            start = self.first_rows[source]
            height = self.members[source].call.rows
            spans = rows_read(window, member.call.rows)[:end]
            readers = _last_readers(spans, height)[start : start + behind - place]
            is_read = readers >= first
            rows = np.arange(place, behind)[is_read]
            times = self.written[begin + readers[is_read] - first]
            self.last[rows] = np.maximum(self.last[rows], times)

    @property
    def is_complete(self) -> bool:
        """Whether every member computes something."""
        return bool((np.diff(self.begins) > 0).all())

    def with_member(self, member: Member) -> "Simulation":
        """The simulation of a stage with one more operator."""
        members, shorter = (*self.members, member), (*self.shorter, self)
        if not set(range(len(self.members))) <= {source for item in members for source in item.sources}:
            # What nobody reads yet is not computed yet.
            nothing = np.zeros(0, np.int64)
            begins = np.zeros(len(members) + 1, np.int64)
            return Simulation(members, shorter, nothing, (), begins, nothing, nothing)
        places = self._places_of(member)
        if places is None:
            return Simulation.of(members, shorter)
        added = len(self.members)
        order = np.insert(self.order[: places[-1]], places, added)
        first_rows = (*self.first_rows, 0)
        if places[-1] < len(self.order):
            return Simulation._timed(members, shorter, order, first_rows)
        # Calls that come after others are put before them are later by so many.
        written, last = (
            times + np.searchsorted(places, times, "right") for times in (self.written, self.last)
        )
        times = places + np.arange(len(places))
        begins = np.append(self.begins, len(written) + len(times))
        grown = Simulation(
            members,
            shorter,
            order,
            first_rows,
            begins,
            np.concatenate([written, times]),
            np.concatenate([last, times]),
        )
        grown._note_reads(added)
        return grown

    def _places_of(self, member: Member) -> np.ndarray | None:
        """Before which of the row calls that there are those of one more operator come.

        None where there would be others, or they would come in another order.
        """
        before = len(self.members) - 1
        reads = [(source, first, last) for source, _, first, last in member.reads if isinstance(source, int)]
        has_border = any(window.border for item in (*self.members, member) for window in item.call.windows)
        if has_border or not self.is_complete or before not in [source for source, *_ in reads]:
            return None
        made = []
        for source, first, last in reads:
            start, count = self.first_rows[source], int(self.begins[source + 1] - self.begins[source])
            is_read = last >= 0
            if not is_read.any() or last.max() >= start + count or first[is_read].min() < start:
                return None
            if source == before and first[is_read].min() > start:
                return None
            calls = np.full(len(last), -1)
            calls[is_read] = self.written[self.begins[source] + last[is_read] - start]
            made.append(calls)
        places = np.maximum.accumulate(np.max(made, axis=0)) + 1
        reached = np.concatenate([[0], places[:-1]])
        for (source, _, _), calls in zip(reads, made, strict=True):
            if source != before:
                ahead = np.flatnonzero(calls >= reached)
                if not all(self._is_next(source, int(reached[y]), int(calls[y]) + 1) for y in ahead):
                    return None
            reached = np.maximum(reached, calls + 1)
        return places

    def _is_next(self, member: int, begin: int, end: int) -> bool:
        """Whether row calls [begin, end) are those that a demand for a member's rows would make then."""
        calls = self.order[begin:end]
        if (calls == member).all():
            return True
        alone = self.shorter[member + 1] if member + 1 < len(self.shorter) else self
        is_alike = alone.first_rows == self.first_rows[: member + 1]
        return begin == 0 and is_alike and np.array_equal(calls, alone.order[:end])

    def counts(self) -> list[int]:
        """How many rows each member computes."""
        return np.diff(self.begins).tolist()  # type: ignore[no-any-return]

    def ring_bytes(self) -> int:
        """The most that rings, scratch memory and accumulators hold at once."""
        count = len(self.members) - 1
        end = int(self.begins[count])
        held = np.zeros(len(self.order) + 1)
        if count:
            held += self._rings_over_time(count, end)
        scratch = np.array(
            [0 if member.accumulator_bytes else member.node.view.scratch_bytes for member in self.members]
        )
        held[:-1] += scratch[self.order]
        times = self.written[end:]
        held[times[0] : times[-1] + 1] += self.members[-1].accumulator_bytes
        return int(held.max())

    def _rings_over_time(self, count: int, end: int) -> np.ndarray:
        """What the rings of the first `count` members, which compute `end` rows, hold at each row call."""
        beyond = len(self.order) + 2
        # Members one after the other on one axis, so that what is done for one is done for all.
        member = np.repeat(np.arange(count), np.diff(self.begins[: count + 1]))
        offset = member * beyond
        written = self.written[:end] + offset
        held_until = np.maximum.accumulate(self.last[:end] + offset)
        oldest = np.searchsorted(held_until, written)
        rows = np.maximum.reduceat(np.arange(end) - oldest + 1, self.begins[:count])
        sizes = rows * np.array([item.pixel_bytes for item in self.members[:count]])
        first = np.flatnonzero(written > np.concatenate([[-2], held_until[:-1]]) + 1)
        final = np.append(first[1:] - 1, end - 1)
        size = sizes[member[first]].astype(float)
        length = len(self.order) + 1
        begun = np.bincount(self.written[first], size, length)
        ended = np.bincount(held_until[final] - offset[final] + 1, size, length)
        return np.cumsum(begun - ended)

    def overlap_distances(self) -> dict[relax.Var, int]:
        """How many bytes the result must start before what is read from outside, as Stage has it."""
        output = self.members[-1].node.view.outputs[0]
        sources = dict.fromkeys(source for member in self.members for source in member.sources)
        return {
            source.variable: self._overlap_distance(source)
            for source in sources
            if isinstance(source, Outside) and may_share_bytes(source.tensor, output)
        }

    def _overlap_distance(self, outside: Outside) -> int:
        last = self.members[-1]
        output, accumulates = last.node.view.outputs[0], last.accumulator_bytes > 0
        reads = np.full(len(self.order), _BEYOND)
        for index, member in enumerate(self.members):
            if outside in member.sources[: len(member.call.windows)]:
                times = self.written[self.begins[index] : self.begins[index + 1]]
                first = self.first_rows[index]
                reads[times] = member.first_bytes(outside)[first : first + len(times)]
        ends = np.zeros(len(self.order), np.int64)
        if not accumulates:
            times = self.written[self.begins[-2] :]
            ends[times] = (np.arange(len(times)) + self.first_rows[-1]) * last.row_bytes + last.pixel_bytes
        written = np.minimum(np.maximum.accumulate(ends), output.bytes)
        early = np.concatenate([[0], written[:-1]])
        if accumulates:
            written[-1] = output.bytes
        distance = overlap_distance(reads, written, early)
        for position, source in enumerate(last.sources):
            if source is outside:
                own = None if accumulates else last.node.view.overlap_distance(position)
                distance = max(distance, output.bytes if own is None else own)
        return distance


class GrowingStage:
    """The stage of operators that follow each other, one more at a time."""

    def __init__(self, graph: OperatorGraph) -> None:
        self._graph = graph
        self._places: dict[Value, int] = {}
        self._outside: dict[relax.Var, Outside] = {}
        self._simulation: Simulation | None = None

    @property
    def can_grow(self) -> bool:
        """Whether an operator may follow: all that there are make their results row by row."""
        return self._simulation is not None or not self._places

    def add(self, node: Node) -> Simulation | None:
        """The stage with one more operator at its end; None where that cannot run row by row."""
        view = node.view
        sources = tuple(
            None if tensor.parameter is None else self._source(node.call.args[tensor.parameter])
            for tensor in view.inputs
        )
        before, self._simulation = self._simulation, None
        first = self._tensor(before, sources[0])
        self._places[node.results[0]] = len(self._places)
        by_rows = self._grown(before, node, view.row_kernel, sources)
        self._simulation = by_rows
        reducing = None if first is None else _accumulating_kernel(view, first.height)
        return by_rows if reducing is None else self._grown(before, node, reducing, sources)

    def _source(self, variable: relax.Var) -> int | Outside:
        place = self._places.get(self._graph.values[variable])
        if place is not None:
            return place
        if variable not in self._outside:
            tensor = Tensor(tvm_adapter.shape_of(variable), tvm_adapter.dtype_of(variable))
            self._outside[variable] = Outside(variable, tensor)
        return self._outside[variable]

    @staticmethod
    def _tensor(before: Simulation | None, source: Source) -> Tensor | None:
        if isinstance(source, int):
            assert before is not None
            return before.members[source].node.view.outputs[0]
        return None if source is None else source.tensor

    def _grown(
        self,
        before: Simulation | None,
        node: Node,
        call: StreamedCall | None,
        sources: tuple[Source, ...],
    ) -> Simulation | None:
        """The simulation with one more member; None where its call does not read what is there row by row."""
        if call is None:
            return None
        for window, source in zip(call.windows, sources, strict=False):
            try:
                Stage.check_rows(node.view, window, self._tensor(before, source))
            except ValueError:
                return None
        member = Member(node, call, sources)
        return Simulation.of((member,), ()) if before is None else before.with_member(member)


@functools.lru_cache(4096)
def _accumulating_kernel(view: Operator, height: int) -> StreamedCall | None:
    return view.accumulating_kernel(height)
