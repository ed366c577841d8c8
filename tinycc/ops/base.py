"""What all operators have in common: tensors, the kernel call and the view."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm.relax.transform import FusionPattern

from tinycc.ops.border import Border
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.tensor import Tensor


@dataclass(frozen=True)
class ColumnWindow:
    """The input columns that one output column x is computed from.

    Columns `x * stride - pad_left + k * dilation`, k in [0, columns); those outside [0, input_columns) are
    padding, or taken from within the row as `border` says (where a window has one column).
    """

    input_columns: int
    columns: int = 1
    stride: int = 1
    dilation: int = 1
    pad_left: int = 0
    border: Border | None = None

    def span(self, first: int, end: int) -> tuple[int, int]:
        """Input columns [first, end) under output columns [first, end); at least one."""
        if self.border is not None:
            columns = [
                self.border.inside(x * self.stride - self.pad_left, self.input_columns)
                for x in range(first, end)
            ]
            return min(columns), max(columns) + 1
        left = first * self.stride - self.pad_left
        right = (end - 1) * self.stride - self.pad_left + (self.columns - 1) * self.dilation + 1
        left = min(max(left, 0), self.input_columns - 1)
        return left, max(min(right, self.input_columns), left + 1)


@dataclass(frozen=True)
class RowWindow:
    """The input rows that one output row y is computed from.

    Row j of the window, j in [0, rows), is input row `(y * stride + offset) // divisor - pad_top + j *
    dilation`; a row outside [0, input_rows) is padding, or another one as `border` says (where a window has
    one row).

    columns: which of the rows' columns some output columns need; None for all, whatever the output's.
    as_array: the kernel takes an array of row pointers (NULL for padding) rather than one row.
    stride: 0 where all output rows use the same row (broadcasting).
    offset, divisor: not 0 and 1 only where rows are resampled (nearest-neighbour resize).
    """

    input_rows: int
    row_elements: int
    rows: int = 1
    stride: int = 1
    dilation: int = 1
    pad_top: int = 0
    offset: int = 0
    divisor: int = 1
    columns: ColumnWindow | None = None
    as_array: bool = False
    border: Border | None = None

    @classmethod
    def whole(cls, tensor: Tensor) -> "RowWindow":
        """The tensor taken as a single row."""
        return cls(input_rows=1, row_elements=tensor.elements)

    def first_row(self, y: int) -> int:
        """The input row at the top of the window of output row y; negative in the padding."""
        row = (y * self.stride + self.offset) // self.divisor - self.pad_top
        return row if self.border is None else self.border.inside(row, self.input_rows)


@dataclass(frozen=True, eq=False)
class KernelCall:
    """A call of a row kernel, up to where the tensors lie.

    The C call is `function(<inputs>, out_row, [<states>,] [scratch,] x0, x1, &shape, &data)`.

    header: file below runtime_c/kernels that defines the kernel.
    struct: prefix of the kernel's parameter types, `<struct>_shape` and `<struct>_data`.
    shape: compile-time geometry; calls with equal geometry share one function.
    data: integers, or arrays that are stored in flash; "a.b" is member b of member a.
    windows: one for each input that is not a constant of `data`, in the kernel's order.
    rows, columns, row_elements: of the output.
    as_list: the kernel takes its inputs, each a single row, as one array of rows.
    pixel_columns: how many columns make up a pixel of the output, so that a row may be computed in parts;
        0 where it may not.
    is_flat: the one row may be cut anywhere between its columns; each part needs the same part of the inputs.
    accumulator_bytes: more than 0 where rows are input rows: a call adds row x0 to accumulators in scratch
        memory, and that of the last row writes the whole output.
    is_awaited: each call takes a row from outside, for which the inference waits; all rows come, whether they
        are needed or not.
    source: in place of a kernel, C of a function `static void @name@(<inputs>, <outputs>[, scratch])` on
        whole tensors; function and struct are "" then.
    includes: standard headers that `source` needs.
    """

    header: str
    function: str
    struct: str
    shape: Mapping[str, int]
    data: Mapping[str, "int | float | np.ndarray"]
    windows: tuple[RowWindow, ...]
    rows: int
    columns: int
    row_elements: int
    as_list: bool = False
    pixel_columns: int = 1
    is_flat: bool = False
    accumulator_bytes: int = 0
    is_awaited: bool = False
    source: str = ""
    includes: tuple[str, ...] = ()

    @property
    def data_bytes(self) -> int:
        """Flash that the arrays of `data` take."""
        return sum(value.nbytes for value in self.data.values() if isinstance(value, np.ndarray))

    def cut(self, height: int, width: int) -> "KernelCall | None":
        """A flat call as `height` rows of `width` pixels; None where its columns do not divide evenly."""
        if self.columns % height:
            return None
        columns = self.columns // height
        windows = tuple(
            replace(
                window,
                input_rows=height,
                row_elements=window.row_elements // height,
                columns=ColumnWindow(width),
            )
            for window in self.windows
        )
        return replace(
            self,
            windows=windows,
            rows=height,
            columns=columns,
            pixel_columns=columns // width if columns % width == 0 else 0,
            row_elements=self.row_elements // height,
        )


# Attribute of a composite function: the variant of its kernel that was chosen.
VARIANT = "tinycc.variant"
PORTABLE = "portable"
# Attribute of main: how many multiply-accumulates fewer there are than in the file.
DEAD_MACS = "tinycc.dead_macs"
# Attribute of a composite function: another computes the same.
REPEATED = "tinycc.repeated"

# (input dtype, output dtype) of the kernels there are; None for any.
ElementTypes = frozenset[tuple[str, str]] | None
INT8 = frozenset({("int8", "int8")})
INT8_OR_INT16 = INT8 | {("int16", "int16")}


@dataclass(frozen=True, eq=False)
class Operator(ABC):
    """The typed view of a composite function: all that passes, planner, codegen and report know of it.

    inputs: in the kernel's order, constants included; states last.
    outputs: in the order of the function's results; updated states last.
    is_repeated: whether another operator computes the same, to save memory.
    variant: which of the operator's kernels runs it, named after the feature of the core that it needs; where
        there are several for a feature, "_" and a word follow.
    element_types: pairs of the first input's and the first output's dtype that there is a kernel for; None
        for any.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    variant: str = field(default=PORTABLE, kw_only=True)
    is_repeated: bool = field(default=False, kw_only=True)

    kind: ClassVar[str]
    element_types: ClassVar[ElementTypes] = INT8_OR_INT16

    @classmethod
    @abstractmethod
    def patterns(cls) -> list[FusionPattern]:
        """What of a Relax function this operator replaces, best match first."""

    @classmethod
    @abstractmethod
    def from_composite(cls, composite: Composite) -> "Operator":
        """The view of a function that one of the patterns matched."""

    @abstractmethod
    def kernel(self) -> KernelCall:
        """The call that computes the operator, of the kernel that `variant` says."""

    def has_variant(self, feature: str) -> bool:
        """Whether there is a kernel for this operator, as it is, that uses a feature of the core.

        feature: or the name of a further variant for it.
        """
        return False

    @property
    def feature(self) -> str:
        """The feature of the core that the chosen kernel needs; PORTABLE for none."""
        return self.variant.partition("_")[0]

    @property
    def operand_bytes(self) -> int:
        """Flash that inputs which are constants take, beside the `data` of the kernel's call."""
        return sum(tensor.value.nbytes for tensor in self.inputs if tensor.value is not None)

    @cached_property
    def row_kernel(self) -> KernelCall | None:
        """The call that computes an output row from input rows; None if the kernel needs whole tensors."""
        if self.state_count or len(self.outputs) > 1:
            return None
        call = self.kernel()
        if call.source:
            return None
        if call.is_flat:
            return call.cut(self.outputs[0].height, self.outputs[0].width)
        by_rows = all(
            window.input_rows == tensor.height
            for window, tensor in zip(call.windows, self.inputs, strict=False)
        )
        return call if by_rows and call.rows == self.outputs[0].height else None

    def accumulating_kernel(self, height: int) -> KernelCall | None:
        """The call that takes in one of `height` rows of the input after the other; None if there is none."""
        return None

    @property
    def runs_by_rows(self) -> bool:
        """Whether it can run while only some rows of its input are there."""
        heights = (self.inputs[0].height, 1) if self.inputs else ()
        sums = (self.accumulating_kernel(height) for height in heights)
        return self.row_kernel is not None or any(call is not None for call in sums)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return 0

    @property
    def extra_macs(self) -> int:
        """Multiply-accumulates of elements that were computed before."""
        return self.macs if self.is_repeated else 0

    @property
    def scratch_bytes(self) -> int:
        """Working memory in the arena, beside inputs and outputs."""
        return 0

    @property
    def scratch_alignment(self) -> int:
        """What the address of the working memory must be a multiple of."""
        return 4

    @property
    def state_count(self) -> int:
        """How many of the last inputs are states, updated in place as the last outputs."""
        return 0

    def overlap_distance(self, index: int) -> int | None:
        """How many bytes the output must start before input `index`, if that dies here; None for never."""
        return None

    @property
    def is_channelwise(self) -> bool:
        """Whether channel c of the output depends on channel c of the inputs alone."""
        return False

    @property
    def mixing_weights(self) -> np.ndarray | None:
        """Weights less their zero point, where outputs are weighted sums of all channels of the only input.

        int64 [output channels, taps, input channels]; None for any other operator.
        """
        return None

    @property
    def reads_padding(self) -> bool:
        """Whether the zero point stands for some elements outside the input."""
        return False

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """What the output's channels can be, given what the channels of each input can be."""
        return ChannelRanges.of(self.outputs[0])

    def evaluated(self) -> np.ndarray | None:
        """The output of an operator whose inputs are constants, as its kernel computes it.

        None where that is not known at compile time.
        """
        return None

    def describe(self) -> str:
        """Parameters worth a word in a report, e.g. "3x3 stride 2x2"; "" if there are none."""
        return ""
