"""Which rows and columns of an input an output row, and a part of one, is computed from."""

from dataclasses import dataclass

import numpy as np

from tinycc.ops.border import Border
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

    def spans(self, first: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same of many ranges of output columns."""
        if self.border is not None:
            spans = [self.span(*part) for part in zip(first.tolist(), end.tolist(), strict=True)]
            return np.array([left for left, _ in spans]), np.array([right for _, right in spans])
        left = first * self.stride - self.pad_left
        right = (end - 1) * self.stride - self.pad_left + (self.columns - 1) * self.dilation + 1
        left = np.minimum(np.maximum(left, 0), self.input_columns - 1)
        return left, np.maximum(np.minimum(right, self.input_columns), left + 1)


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
        """The tensor taken as a single row, that of all output rows."""
        return cls(input_rows=1, row_elements=tensor.elements, stride=0)

    def first_row(self, y: int) -> int:
        """The input row at the top of the window of output row y; negative in the padding."""
        row = (y * self.stride + self.offset) // self.divisor - self.pad_top
        return row if self.border is None else self.border.inside(row, self.input_rows)
