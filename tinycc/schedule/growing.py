"""Stages that grow operator by operator: what each needs follows from the one before.

A stage is a branch of the one that is an operator shorter. What was found out of a stage (`figures.py`) is
kept with it, so whoever asks about many networks, of which most have operators in common, keeps the tree.
"""

import functools
from dataclasses import dataclass, field

from tinycc.ops.base import Operator
from tinycc.ops.kernel_call import StreamedCall
from tinycc.ops.stage import Stage
from tinycc.ops.tensor import Tensor
from tinycc.schedule.columns import ColumnReads, Columns
from tinycc.schedule.figures import Member, Source, StageFigures
from tinycc.schedule.timing import Timing


@dataclass(frozen=True, eq=False)
class GrownStage:
    """A stage, and those that begin with its operators."""

    members: tuple[Member, ...] = ()
    timing: Timing = field(default_factory=Timing)
    columns: Columns = field(default_factory=Columns)
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
        places = members[-1].places
        columns = self.columns.with_member(ColumnReads.of(call, view.outputs[0].width), places)
        return GrownStage(members, self.timing.with_member(calls, places), columns)

    def _tensor(self, source: Source) -> Tensor | None:
        if isinstance(source, int):
            return self.members[source].view.outputs[0]
        return None if source is None else source.tensor

    def figures(self, strips: int = 1) -> StageFigures | None:
        """What it needs, cut into so many strips of columns; None where it cannot run so."""
        if strips not in self._figures:
            parts = self.columns.strips(strips) if self.timing.is_complete else None
            known = None if parts is None else StageFigures(self.members, self.timing, parts)
            self._figures[strips] = known
        return self._figures[strips]


@dataclass(frozen=True)
class Growth:
    """A stage with one more operator at its end.

    by_rows: where that makes its result row by row, so that others may follow.
    ended: as a whole, where it may be a reduction of rows that come one by one. None where it cannot run so.
    """

    by_rows: GrownStage | None
    ended: GrownStage | None


@functools.lru_cache(1 << 14)
def _accumulating_kernel(view: Operator, height: int) -> StreamedCall | None:
    return view.accumulating_kernel(height)
