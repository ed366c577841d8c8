"""A stage: operators that run row by row, with rings of rows between them in place of tensors.

schedule_stages makes stages; no pattern finds them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from tvm import relax
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import VIEWS, Composite
from tinycc.ops.footprint import Moments
from tinycc.ops.streaming import Source, Stream, simulate
from tinycc.ops.tensor import ITEM_BYTES, Tensor


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

    kind: ClassVar[str] = "stage"
    element_types: ClassVar[ElementTypes] = None

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None."""
        return []

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
        return cls(inputs, members[-1].outputs, tuple(members), tuple(sources))

    @cached_property
    def calls(self) -> tuple[KernelCall, ...]:
        """The row call of each member; ValueError where one has none."""
        calls = []
        for index, member in enumerate(self.members):
            is_last = index == len(self.members) - 1
            first = self._tensor(self.sources[index][0])
            call = member.accumulating_kernel(first.height) if is_last and first is not None else None
            call = call or member.row_kernel
            if call is None:
                raise ValueError(f"{member.kind} does not run row by row")
            for window, source in zip(call.windows, self.sources[index], strict=False):
                self._check_rows(member, window, self._tensor(source))
            calls.append(call)
        return tuple(calls)

    def _tensor(self, source: Source) -> Tensor | None:
        if source is None:
            return None
        count = len(self.inputs)
        return self.inputs[source] if source < count else self.members[source - count].outputs[0]

    @staticmethod
    def _check_rows(member: Operator, window: RowWindow, source: Tensor | None) -> None:
        """ValueError where the rows that the member reads are not those that were written."""
        if source is None:
            return
        rows, elements = source.height, source.elements // source.height
        if (window.input_rows, window.row_elements) != (rows, elements):
            raise ValueError(f"{member.kind} does not read the rows of {source} one by one")

    @cached_property
    def stream(self) -> Stream:
        """The stage, simulated."""
        windows = [
            sources[: len(call.windows)] for sources, call in zip(self.sources, self.calls, strict=True)
        ]
        return simulate(self.calls, windows, len(self.inputs))

    @cached_property
    def rings(self) -> tuple[Ring, ...]:
        """All memory that the stage needs beside its inputs and its output."""
        rings = []
        for index, (member, call) in enumerate(zip(self.members, self.calls, strict=True)):
            if index < len(self.members) - 1:
                tensor = len(self.inputs) + index
                item = ITEM_BYTES[member.outputs[0].dtype]
                size = self.stream.ring_rows(tensor) * call.row_elements * item
                rings.append(Ring(index, False, size, item, self.stream.moments(tensor)))
            if call.accumulator_bytes:
                span = (self.stream.accumulating(index),)
                rings.append(Ring(index, True, call.accumulator_bytes, 4, span))
            elif member.scratch_bytes:
                moments = self.stream.calling(index)
                rings.append(Ring(index, True, member.scratch_bytes, member.scratch_alignment, moments))
        return tuple(rings)

    @property
    def macs(self) -> int:
        """Of all members."""
        return sum(member.macs for member in self.members)

    @cached_property
    def _distances(self) -> dict[int, int]:
        distances = {}
        call = self.calls[-1]
        output_row = call.row_elements * ITEM_BYTES[self.outputs[0].dtype]
        for index, tensor in enumerate(self.inputs):
            row_bytes = tensor.bytes // tensor.height
            distance = self.stream.overlap_distance(index, row_bytes, output_row)
            for position, source in enumerate(self.sources[-1]):
                if source == index:
                    own = None if call.accumulator_bytes else self.members[-1].overlap_distance(position)
                    distance = max(distance, self.outputs[0].bytes if own is None else own)
            distances[index] = distance
        return distances

    def overlap_distance(self, index: int) -> int | None:
        """From the simulation; no less than the last member's own where that reads the input itself."""
        return self._distances[index]

    def kernel(self) -> KernelCall:
        """A stage is many calls: see `calls`."""
        raise ValueError("a stage has no kernel of its own")

    def describe(self) -> str:
        """How many operators it runs."""
        return f"{len(self.members)} operators row by row"
