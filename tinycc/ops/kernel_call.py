"""How a kernel is called, up to where the tensors lie: one type for each way there is."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from tinycc.ops.row_window import ColumnWindow, RowWindow
from tinycc.ops.tensor import Tensor


@dataclass(frozen=True, eq=False)
class Packed:
    """An array of constants that is made when it is asked for; its size is known before.

    pack: makes the array, of this shape and dtype.
    """

    shape: tuple[int, ...]
    dtype: str
    pack: Callable[[], np.ndarray]

    @property
    def nbytes(self) -> int:
        """Flash that the array takes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def array(self) -> np.ndarray:
        """The array; ValueError where it is another one than was said."""
        array = self.pack()
        if (array.shape, str(array.dtype)) != (self.shape, self.dtype):
            raise ValueError(f"constants are {array.dtype} {array.shape}, not {self.dtype} {self.shape}")
        return array


Value: TypeAlias = int | float | np.ndarray | Packed
Data: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, eq=False)
class SourceCall:
    """In place of a kernel, C that was made for the operator.

    source: of a function `static void @name@(<inputs>, <outputs>[, scratch])` on whole tensors.
    includes: standard headers that it needs.
    """

    source: str
    includes: tuple[str, ...]

    @property
    def data_bytes(self) -> int:
        """Constants are operands."""
        return 0


@dataclass(frozen=True, eq=False)
class KernelCall:
    """What all calls of kernels in runtime_c/kernels have in common.

    The C call is `function(<inputs>, out_row, [<states>,] [scratch,] [y,] x0, x1, &shape, &data)`.

    header: name of a file in runtime_c/kernels/* that defines the kernel.
    struct: prefix of the kernel's parameter types, `<struct>_shape` and `<struct>_data`.
    shape: compile-time geometry; calls with equal geometry share one function.
    data: integers, or arrays that are stored in flash; "a.b" is member b of member a.
    definition: C of the kernel where that is written for the operator; "" where the header has it.
    counts_rows: whether the kernel is told the number y of the output row.
    """

    header: str
    function: str
    struct: str
    shape: Mapping[str, int]
    data: Data
    definition: str = field(default="", kw_only=True)
    counts_rows: bool = field(default=False, kw_only=True)

    @property
    def data_bytes(self) -> int:
        """Flash that the arrays of `data` take."""
        return sum(value.nbytes for value in self.data.values() if isinstance(value, np.ndarray | Packed))


@dataclass(frozen=True, eq=False)
class RowCall(KernelCall):
    """A call for one output row after the other.

    windows: one for each input that is not a constant of `data`, in the kernel's order.
    rows, columns, row_elements: of the output.
    pixel_columns: how many columns make up a pixel of the output, so that a row may be computed in parts;
        0 where it may not.
    as_list: the kernel takes its inputs, each a single row, as one array of rows.
    """

    windows: tuple[RowWindow, ...]
    rows: int
    columns: int
    row_elements: int
    pixel_columns: int = 1
    as_list: bool = False


@dataclass(frozen=True, eq=False)
class FlatCall(KernelCall):
    """A call that may be cut anywhere between its columns; each part needs the same part of the inputs.

    inputs, elements: sizes of inputs and output.
    """

    inputs: tuple[int, ...]
    columns: int
    elements: int
    as_list: bool = False

    @property
    def whole(self) -> RowCall:
        """All columns as one row."""
        windows = tuple(RowWindow(input_rows=1, row_elements=size) for size in self.inputs)
        return self._rows(windows, 1, 1)

    def cut(self, height: int, width: int) -> RowCall | None:
        """`height` rows of `width` pixels; None where columns do not divide evenly."""
        if self.columns % height:
            return None
        windows = tuple(
            RowWindow(input_rows=height, row_elements=size // height, columns=ColumnWindow(width))
            for size in self.inputs
        )
        columns = self.columns // height
        return self._rows(windows, height, columns // width if columns % width == 0 else 0)

    def _rows(self, windows: tuple[RowWindow, ...], height: int, pixel_columns: int) -> RowCall:
        return RowCall(
            self.header,
            self.function,
            self.struct,
            self.shape,
            self.data,
            windows=windows,
            rows=height,
            columns=self.columns // height,
            row_elements=self.elements // height,
            pixel_columns=pixel_columns,
            as_list=self.as_list,
            definition=self.definition,
        )


@dataclass(frozen=True, eq=False)
class AccumulatingCall(KernelCall):
    """A call for one input row after the other: each is added to accumulators in scratch memory.

    That of the last row writes the whole output.

    rows, input_elements: of the input, and in one of its rows. row_elements: of the whole output.
    """

    rows: int
    input_elements: int
    row_elements: int
    accumulator_bytes: int

    @property
    def windows(self) -> tuple[RowWindow, ...]:
        """Each row is read once."""
        return (RowWindow(input_rows=self.rows, row_elements=self.input_elements),)


@dataclass(frozen=True, eq=False)
class AwaitedCall(KernelCall):
    """Each call takes a row from outside, for which the inference waits.

    All rows come, whether they are needed or not.

    rows, columns, row_elements: of input and output.
    """

    rows: int
    columns: int
    row_elements: int

    @property
    def windows(self) -> tuple[RowWindow, ...]:
        """The row itself."""
        return (RowWindow(input_rows=self.rows, row_elements=self.row_elements),)


# What a kernel's `call` may be; what runs an operator on whole tensors; what runs it in a stage.
AnyCall: TypeAlias = RowCall | FlatCall | AwaitedCall | SourceCall
WholeCall: TypeAlias = RowCall | AwaitedCall | SourceCall
StreamedCall: TypeAlias = RowCall | AccumulatingCall | AwaitedCall


def by_rows(call: AnyCall | None, inputs: Sequence[Tensor], output: Tensor) -> RowCall | AwaitedCall | None:
    """The call that computes an output row from rows of the inputs; None if it needs whole tensors."""
    if call is None or isinstance(call, SourceCall):
        return None
    if isinstance(call, FlatCall):
        return call.cut(output.height, output.width)
    reads_rows = all(
        window.input_rows == tensor.height for window, tensor in zip(call.windows, inputs, strict=False)
    )
    return call if reads_rows and call.rows == output.height else None
