"""Which columns of its rows each operator of a stage computes, where the stage is cut into strips.

They follow from windows alone, whatever the channels, so stages whose windows are alike share them.
"""

import functools
from dataclasses import dataclass, field

import numpy as np

from tinycc.limits import DEFAULT_LIMITS
from tinycc.ops.kernel_call import RowCall, StreamedCall
from tinycc.ops.row_window import ColumnWindow
from tinycc.ops.streaming import Range, parts_of
from tinycc.schedule.timing import OUTSIDE, Places


@dataclass(frozen=True, eq=False)
class ColumnReads:
    """What of a call they depend on; calls that are alike in it have the same object.

    width: pixels of a row. windows: None for one that takes whole rows. is_divisible: whether a part of a row
    can be computed.
    """

    width: int
    windows: tuple[ColumnWindow | None, ...]
    is_divisible: bool

    @classmethod
    def of(cls, call: StreamedCall, width: int) -> "ColumnReads":
        """Those of a call whose rows have so many pixels."""
        return _reads_of(call, width)


@functools.lru_cache(1 << 16)
def _reads_of(call: StreamedCall, width: int) -> ColumnReads:
    is_divisible = isinstance(call, RowCall) and call.pixel_columns > 0
    return _only(width, tuple(window.columns for window in call.windows), is_divisible)


@functools.lru_cache(1 << 14)
def _only(width: int, windows: tuple[ColumnWindow | None, ...], is_divisible: bool) -> ColumnReads:
    return ColumnReads(width, windows, is_divisible)


@dataclass(frozen=True, eq=False)
class Columns:
    """Those of a stage. members: of each operator what it reads, and where from."""

    members: tuple[tuple[ColumnReads, Places], ...] = ()
    _following: dict[tuple[ColumnReads, Places], "Columns"] = field(default_factory=dict)
    _strips: dict[int, np.ndarray | None] = field(default_factory=dict)

    def with_member(self, reads: ColumnReads, places: Places) -> "Columns":
        """Those of a stage with one more operator."""
        member = reads, places
        if member not in self._following:
            self._following[member] = Columns((*self.members, member))
        return self._following[member]

    def strips(self, count: int) -> np.ndarray | None:
        """For each of so many strips of the result the pixels [first, end) that each operator computes.

        Returns int64 [strips, operators, 2]; None where a row cannot be cut so.
        """
        if count == 1:
            return np.array([[(0, reads.width) for reads, _ in self.members]])
        if count not in self._strips:
            # Others will be asked for, and take no longer together.
            counts = sorted({*DEFAULT_LIMITS.strips, count})
            needed = self._needed([part for item in counts for part in parts_of(self._width, item)])
            ends = np.cumsum(counts)
            for item, end in zip(counts, ends.tolist(), strict=True):
                if needed is None or item > self._width:
                    self._strips[item] = None
                else:
                    self._strips[item] = needed[end - item : end]
        return self._strips[count]

    @functools.cached_property
    def is_divisible(self) -> bool:
        """Whether all operators can compute a part of a row, so that this or a longer stage might be cut."""
        return all(reads.is_divisible for reads, _ in self.members)

    @property
    def _width(self) -> int:
        return self.members[-1][0].width

    def _needed(self, parts: list[Range]) -> np.ndarray | None:
        """For each of these parts of the result the pixels that each operator computes."""
        if not self.is_divisible:
            return None
        needed = np.zeros((len(self.members), 2, len(parts)), np.int64)
        needed[-1] = np.array(parts).T
        is_needed = {len(self.members) - 1}
        for index in reversed(range(len(self.members))):
            reads, places = self.members[index]
            for window, place in zip(reads.windows, places, strict=True):
                if place is None or place == OUTSIDE or index not in is_needed:
                    continue
                if window is None:
                    return None
                first, end = window.spans(*needed[index])
                if place in is_needed:
                    first, end = np.minimum(first, needed[place][0]), np.maximum(end, needed[place][1])
                needed[place] = first, end
                is_needed.add(place)
        return needed.transpose(2, 0, 1)
