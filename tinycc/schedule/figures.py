"""What a stage needs: the bytes of its rings, how far its result may overlap what it reads, and its work.

What rings hold, and when, follows from the times of row calls (`timing.py`) and from the sizes of rows, for
all operators at once.
"""

import functools
from dataclasses import dataclass, field

import numpy as np

from tinycc.ops.base import Operator
from tinycc.ops.kernel_call import AccumulatingCall, AwaitedCall, StreamedCall
from tinycc.ops.overlap import may_share_bytes, overlap_distance
from tinycc.ops.stage import Stage
from tinycc.ops.tensor import ITEM_BYTES, Tensor
from tinycc.schedule.costs import run_in_stage
from tinycc.schedule.timing import OUTSIDE, Places, RowReads, Timing

# A byte that no input has.
BEYOND = 1 << 40


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
    _first_rows: dict[Outside, np.ndarray] = field(default_factory=dict)

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

    def first_bytes(self, outside: Outside, starts: np.ndarray) -> np.ndarray:
        """For parts of its pixels and each call the first byte that it reads of what comes from outside.

        starts: of each part, from where on a row of it is read. Returns int64 [parts, calls].
        """
        return np.minimum(self._rows_from(outside) + starts[:, None], BEYOND)

    def starts(self, outside: Outside, parts: np.ndarray) -> np.ndarray:
        """Of parts of its pixels, the first byte of a row that it reads of what comes from outside.

        parts: int64 [parts, 2]. Returns int64 [parts].
        """
        height, size = outside.tensor.height, outside.tensor.bytes
        found = []
        for window, source in zip(self.call.windows, self.window_sources, strict=True):
            if source == outside and window.columns is not None:
                pixel = size // (height * window.columns.input_columns)
                found.append(window.columns.spans(*parts.T)[0] * pixel)
            elif source == outside:
                found.append(np.zeros(len(parts), np.int64))
        return np.asarray(np.min(found, axis=0))

    def _rows_from(self, outside: Outside) -> np.ndarray:
        """For each call the first byte of the rows of `outside` that it reads."""
        if outside not in self._first_rows:
            row = outside.tensor.bytes // outside.tensor.height
            spans = zip(self.window_sources, RowReads.of(self.call).spans, strict=True)
            found = [
                np.where(last >= 0, first * row, BEYOND)
                for source, (first, last) in spans
                if source == outside
            ]
            self._first_rows[outside] = np.min(found, axis=0)
        return self._first_rows[outside]


@dataclass(frozen=True)
class StageWork:
    """What a stage executes.

    macs: extra_macs of them are of elements that were computed before.
    instructions: predicted. row_calls: rows computed one by one.
    """

    macs: int
    extra_macs: int
    instructions: int
    row_calls: int


@dataclass(frozen=True, eq=False)
class StageFigures:
    """Of a stage that is cut into strips; each is found out when it is first asked for.

    strips: of each the pixels [first, end) of a row that each member computes; int64 [strips, members, 2].
    """

    members: tuple[Member, ...]
    timing: Timing
    strips: np.ndarray

    @functools.cached_property
    def ring_bytes(self) -> int:
        """The most that rings, scratch memory and accumulators hold at once."""
        widths = (self.strips[:, :, 1] - self.strips[:, :, 0]).max(0).tolist()
        sizes = [member.pixel_bytes * width for member, width in zip(self.members, widths, strict=True)]
        # The last has no ring.
        sizes[-1] = self.members[-1].accumulator_bytes
        return self.timing.most_held(sizes, [member.scratch_bytes for member in self.members])

    @functools.cached_property
    def waiting_bytes(self) -> int:
        """What it has to remember while it waits for a row from outside of the model."""
        calls = [member.call for member in self.members]
        if not any(isinstance(call, AwaitedCall) for call in calls):
            return 0
        return Stage.row_number_bytes(calls) * len(calls)

    @functools.cached_property
    def work(self) -> StageWork:
        """What it executes."""
        strips = len(self.strips)
        columns = (self.strips[:, :, 1] - self.strips[:, :, 0]).sum(0).tolist()
        work = [
            work_of(member.view, member.call, rows * strips, rows * width)
            for member, rows, width in zip(self.members, self.timing.counts, columns, strict=True)
        ]
        executed = sum(macs for macs, _ in work)
        once = sum(member.view.macs for member in self.members if not member.view.is_repeated)
        again = max(0, executed - once)
        instructions = sum(instructions for _, instructions in work)
        return StageWork(once + again, again, instructions, len(self.timing.order) * strips)

    @functools.cached_property
    def distances(self) -> tuple[tuple[int, int], ...]:
        """How many bytes the result must start before each tensor from outside that it may overlap.

        By the index of the tensor.
        """
        output = self.members[-1].view.outputs[0]
        awaited = {
            source
            for member in self.members
            if isinstance(member.call, AwaitedCall)
            for source in member.sources
        }
        sources = dict.fromkeys(source for member in self.members for source in member.sources)
        return tuple(
            (source.index, self._distance(source))
            for source in sources
            if isinstance(source, Outside)
            and source not in awaited
            and may_share_bytes(source.tensor, output)
        )

    def _distance(self, outside: Outside) -> int:
        """As Stage has it: strip by strip what is read first from then on, and what is written until then."""
        timing, last = self.timing, self.members[-1]
        output, accumulates = last.view.outputs[0], last.accumulator_bytes > 0
        read = np.full((len(self.strips), len(timing.order)), BEYOND)
        for index, member in enumerate(self.members):
            if outside in member.window_sources:
                times, first = timing.times(index), timing.first_rows[index]
                found = member.first_bytes(outside, member.starts(outside, self.strips[:, index]))
                read[:, times] = found[:, first : first + len(times)]
        end = np.zeros(read.shape, np.int64)
        if not accumulates:
            times = timing.times(len(self.members) - 1)
            rows = np.arange(len(times)) + timing.first_rows[-1]
            ends = self.strips[:, -1, 1] * last.pixel_bytes
            end[:, times] = rows * last.row_bytes + ends[:, None]
        written = np.minimum(np.maximum.accumulate(end.ravel()), output.bytes)
        early = np.concatenate([[0], written[:-1]])
        if accumulates:
            written[-1] = output.bytes
        distance = overlap_distance(read.ravel(), written, early)
        for position, source in enumerate(last.sources):
            if source == outside:
                in_order = not accumulates and len(self.strips) == 1
                own = last.view.overlap_distance(position) if in_order else None
                distance = max(distance, output.bytes if own is None else own)
        return distance


@functools.lru_cache(1 << 16)
def work_of(view: Operator, call: StreamedCall, rows: int, pixels: int) -> tuple[int, int]:
    """Multiply-accumulates and predicted instructions of a member that computes so many rows and pixels."""
    macs = view.macs // (call.rows * view.outputs[0].width) * pixels
    return macs, run_in_stage(view, call, rows, pixels).predicted_instructions
