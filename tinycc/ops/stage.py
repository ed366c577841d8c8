"""A stage: operators that run row by row, with rings of rows between them in place of tensors.

schedule_stages makes stages; no pattern finds them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import VIEWS, Composite
from tinycc.ops.footprint import Moments
from tinycc.ops.kernel_call import AccumulatingCall, AwaitedCall, StreamedCall
from tinycc.ops.row_window import RowWindow
from tinycc.ops.streaming import Range, Source, Stream, columns_needed, parts_of, simulate
from tinycc.ops.tensor import ITEM_BYTES, Tensor

# Attribute of a stage's function: bands, strips and whether a band is computed operator by operator.
GRID = "tinycc.grid"
# A byte that no input has.
_BEYOND = 1 << 40


@dataclass(frozen=True)
class Grid:
    """How a stage's output is cut: into bands of rows and strips of columns, each computed by itself.

    What two of them need of a row within the stage is computed for both.
    by_layers: in a band all rows of an operator before the next operator, as MCUNetV2's patches are
        computed; else row by row.
    """

    bands: int = 1
    strips: int = 1
    by_layers: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether nothing is cut, so that nothing is computed twice."""
        return self.bands == self.strips == 1

    def __str__(self) -> str:
        return f"{self.bands}x{self.strips}"


UNCUT = Grid()


@dataclass(frozen=True)
class Ring:
    """Memory within a stage: the rows of a member's result that are still needed, or its scratch memory.

    moments: when it holds something.
    """

    member: int
    is_scratch: bool
    bytes: int
    alignment: int
    moments: Moments


@dataclass(frozen=True, eq=False)
class Stage(Operator):
    """Operators in an order in which each reads results of earlier ones; the last one's is the stage's.

    sources: of each input of each member: an input of the stage, counting from 0, or a member's result, on
        from there; None for constants.
    """

    members: tuple[Operator, ...]
    sources: tuple[tuple[Source, ...], ...]
    grid: Grid = UNCUT

    kind: ClassVar[str] = "stage"
    element_types: ClassVar[ElementTypes] = None

    @classmethod
    def from_composite(cls, composite: Composite) -> "Stage":
        """Not without the members' views: see `of_function`."""
        raise ValueError("a stage is read with of_function")

    @classmethod
    def of_function(cls, function: relax.Function, view_of: Callable[[relax.Function], Operator]) -> "Stage":
        """The stage of a function whose body calls composite functions that it binds itself."""
        places: dict[relax.Expr, Source] = {item: index for index, item in enumerate(function.params)}
        functions: dict[relax.Var, relax.Function] = {}
        members: list[Operator] = []
        sources: list[tuple[Source, ...]] = []
        tensors = [Tensor(tvm_adapter.shape_of(item), tvm_adapter.dtype_of(item)) for item in function.params]
        for binding in tvm_adapter.bindings_of(function):
            value = binding.value
            if isinstance(value, relax.Function):
                functions[binding.var] = value
            elif isinstance(value, relax.Var):
                places[binding.var] = places[value]
            elif tvm_adapter.op_name(value) in VIEWS:
                places[binding.var] = places[value.args[0]]
            else:
                view = view_of(functions[value.op])
                places[binding.var] = len(function.params) + len(members)
                members.append(view)
                sources.append(
                    tuple(
                        None if item.parameter is None else places[value.args[item.parameter]]
                        for item in view.inputs
                    )
                )
        inputs = tuple(Tensor(item.shape, item.dtype, parameter=index) for index, item in enumerate(tensors))
        bands, strips, by_layers = (int(item) for item in tvm_adapter.attribute(function, GRID, (1, 1, 0)))
        grid = Grid(bands, strips, bool(by_layers))
        return cls(inputs, members[-1].outputs, tuple(members), tuple(sources), grid)

    @cached_property
    def calls(self) -> tuple[StreamedCall, ...]:
        """The row call of each member; ValueError where one has none."""
        calls: list[StreamedCall] = []
        for index, member in enumerate(self.members):
            is_last = index == len(self.members) - 1
            first = self._tensor(self.sources[index][0])
            sums = member.accumulating_kernel(first.height) if is_last and first is not None else None
            call = sums or member.row_kernel
            if call is None:
                raise ValueError(f"{member.kind} does not run row by row")
            for window, source in zip(call.windows, self.sources[index], strict=False):
                self.check_rows(member, window, self._tensor(source))
            calls.append(call)
        return tuple(calls)

    def _tensor(self, source: Source) -> Tensor | None:
        if source is None:
            return None
        count = len(self.inputs)
        return self.inputs[source] if source < count else self.members[source - count].outputs[0]

    @staticmethod
    def check_rows(member: Operator, window: RowWindow, source: Tensor | None) -> None:
        """ValueError where the rows that the member reads are not those that were written."""
        if source is None:
            return
        rows, elements = source.height, source.elements // source.height
        if (window.input_rows, window.row_elements) != (rows, elements):
            raise ValueError(f"{member.kind} does not read the rows of {source} one by one")

    @property
    def _accumulates(self) -> bool:
        """Whether the last member takes in one row after the other."""
        return isinstance(self.calls[-1], AccumulatingCall)

    @cached_property
    def _windows(self) -> list[tuple[Source, ...]]:
        """The source of each window of each call."""
        return [sources[: len(call.windows)] for sources, call in zip(self.sources, self.calls, strict=True)]

    @cached_property
    def stream(self) -> Stream:
        """The stage, simulated; ValueError where it cannot be cut as its grid says."""
        bands = self.grid.bands
        if bands > self.calls[-1].rows or (bands > 1 and self._accumulates):
            raise ValueError(f"{self.outputs[0]} cannot be made in {bands} bands of rows")
        if self.awaited is not None and not self.grid.is_whole:
            raise ValueError("rows from outside come once")
        return simulate(
            self.calls, self._windows, len(self.inputs), bands=bands, by_layers=self.grid.by_layers
        )

    @cached_property
    def strips(self) -> tuple[tuple[Range, ...], ...]:
        """For each strip the pixels [first, end) of a row that each member computes.

        ValueError where a member cannot compute or read a part of a row.
        """
        widths = [member.outputs[0].width for member in self.members]
        if self.grid.strips == 1:
            return (tuple((0, width) for width in widths),)
        if self.grid.strips > widths[-1]:
            raise ValueError(f"{self.outputs[0]} has not enough columns for {self.grid.strips} strips")
        return tuple(
            tuple(columns_needed(self.calls, self._windows, len(self.inputs), *part))
            for part in parts_of(widths[-1], self.grid.strips)
        )

    def ring_columns(self, member: int) -> int:
        """Pixels in a row of a member's ring: as many as the widest strip needs."""
        return max(end - first for first, end in (strip[member] for strip in self.strips))

    def row_bytes(self, member: int) -> int:
        """Bytes of a whole row of a member's result."""
        return self.calls[member].row_elements * ITEM_BYTES[self.members[member].outputs[0].dtype]

    @cached_property
    def rings(self) -> tuple[Ring, ...]:
        """All memory that the stage needs beside its inputs and its output."""
        rings = []
        for index, (member, call) in enumerate(zip(self.members, self.calls, strict=True)):
            if index < len(self.members) - 1:
                tensor = len(self.inputs) + index
                part = self.row_bytes(index) // member.outputs[0].width * self.ring_columns(index)
                size = self.stream.ring_rows(tensor) * part
                item = ITEM_BYTES[member.outputs[0].dtype]
                rings.append(Ring(index, False, size, item, self.stream.moments(tensor)))
            if isinstance(call, AccumulatingCall):
                span = (self.stream.accumulating(index),)
                rings.append(Ring(index, True, call.accumulator_bytes, 4, span))
            elif member.scratch_bytes:
                moments = self.stream.calling(index)
                rings.append(Ring(index, True, member.scratch_bytes, member.scratch_alignment, moments))
        return tuple(rings)

    @cached_property
    def tables(self) -> dict[str, np.ndarray]:
        """What lies in flash beside the members' constants, by name.

        Where the stage is cut, rows: [bands, members], the first row of each; operator by operator
        [bands, 2, members], one past the last row, too. With strips, columns: [strips, members, 2].
        """
        tables = {}
        if self.grid.bands > 1:
            needed = np.array(self.stream.needed, np.int16)
            tables["rows"] = needed.transpose(0, 2, 1) if self.grid.by_layers else needed[:, :, 0]
        if self.grid.strips > 1:
            tables["columns"] = np.array(self.strips, np.int16)
        return tables

    @property
    def table_bytes(self) -> int:
        """Flash that `tables` take."""
        return sum(values.nbytes for values in self.tables.values())

    @property
    def awaited(self) -> int | None:
        """The member that takes rows from outside of the model; None where all inputs are in memory."""
        return next((index for index, call in enumerate(self.calls) if isinstance(call, AwaitedCall)), None)

    @property
    def scratch_bytes(self) -> int:
        """The next row of each member, to be remembered while a row from outside is waited for."""
        return self.scratch_alignment * len(self.members) if self.awaited is not None else 0

    @property
    def scratch_alignment(self) -> int:
        """That of a row's number."""
        return self.row_number_bytes(self.calls)

    @staticmethod
    def row_number_bytes(calls: Sequence[StreamedCall]) -> int:
        """Rows are counted in int16, or in int32 where there are too many for that."""
        return 2 if all(call.rows < 1 << 15 for call in calls) else 4

    @property
    def macs(self) -> int:
        """Of all members, each output element computed once."""
        return sum(member.macs for member in self.members if not member.is_repeated)

    @cached_property
    def executed_macs(self) -> int:
        """Of all rows and columns that are computed: without those that nobody asks for, with repetitions."""
        executed = 0
        for index, member in enumerate(self.members):
            columns = sum(end - first for first, end in (strip[index] for strip in self.strips))
            pixels = self.stream.order.count(index) * columns
            executed += member.macs // (self.calls[index].rows * member.outputs[0].width) * pixels
        return executed

    @property
    def extra_macs(self) -> int:
        """What is computed again: by other members, in other bands and strips."""
        return max(0, self.executed_macs - self.macs)

    @cached_property
    def _distances(self) -> dict[int, int]:
        distances = {}
        call = len(self.calls) - 1
        for index in range(len(self.inputs)):
            distance = self.stream.overlap_distance(
                self.outputs[0].bytes,
                self.row_bytes(call),
                [self._first_reads(index, strip) for strip in self.strips],
                [self._written(strip[call]) for strip in self.strips],
            )
            for position, source in enumerate(self.sources[-1]):
                if source == index:
                    in_order = not self._accumulates and self.grid.is_whole
                    own = self.members[-1].overlap_distance(position) if in_order else None
                    distance = max(distance, self.outputs[0].bytes if own is None else own)
            distances[index] = distance
        return distances

    def _written(self, part: Range) -> Range:
        """The bytes of an output row that pixels [first, end) take."""
        last = len(self.calls) - 1
        pixel = self.row_bytes(last) // self.outputs[0].width
        return part[0] * pixel, part[1] * pixel

    def _first_reads(self, index: int, strip: tuple[Range, ...]) -> list[int]:
        """For each row call in a strip the first byte of input `index` that it reads."""
        tensor = self.inputs[index]
        row = tensor.bytes // tensor.height
        starts = [
            min((self.first_column(window, strip[member], tensor)
                 for window, source in zip(call.windows, self._windows[member], strict=True)
                 if source == index), default=0)
            for member, call in enumerate(self.calls)
        ]  # fmt: skip
        return [
            min((access.first * row + starts[turn] for access in accesses if access.tensor == index),
                default=_BEYOND)
            for turn, accesses in zip(self.stream.order, self.stream.reads, strict=True)
        ]  # fmt: skip

    @staticmethod
    def first_column(window: RowWindow, part: Range, tensor: Tensor) -> int:
        """The first byte of a row of `tensor` under the output pixels `part`."""
        if window.columns is None:
            return 0
        pixel = tensor.bytes // (tensor.height * window.columns.input_columns)
        return window.columns.span(*part)[0] * pixel

    def overlap_distance(self, index: int) -> int | None:
        """From the simulation; no less than the last member's own where that reads the input itself.

        None for an input whose rows come from outside: it is not in memory.
        """
        if self.awaited is not None and index in self.sources[self.awaited]:
            return None
        return self._distances[index]

    def describe(self) -> str:
        """How many operators it runs, and how it is cut."""
        text = f"{len(self.members)} operators {'by patches' if self.grid.by_layers else 'row by row'}"
        return text if self.grid.is_whole else f"{text}, {self.grid}"
