"""The candidates of schedules within a budget: of stages no more is found out than that takes.

Stages are hopes (`Candidates.hope_of`), and are not looked for before they are asked for: those from an
operator on take longer to find than all else, and mostly cost more instructions than its whole tensors.
"""

from collections.abc import Iterator
from functools import cached_property

from tinycc.schedule.candidates import Candidate, Candidates
from tinycc.schedule.least_costs import LeastCosts
from tinycc.schedule.runs import Run


class StepsWithin:
    """Whole tensors, stages, and where these may be cut stages in strips, as `paths.Steps`."""

    def __init__(self, candidates: Candidates, most_bytes: int, is_cut: bool) -> None:
        """is_cut: whether stages may be cut into strips."""
        self.length = len(candidates.nodes)
        self.kinds = 3 if is_cut and candidates.limits.strips else 2
        self._candidates = candidates
        self._most_bytes = most_bytes
        self._found: dict[tuple[int, int], list[Candidate]] = {}
        self._runs: dict[int, list[Run]] = {}
        self._bounds = LeastCosts(candidates)

    def least_cost(self, first: int, kind: int) -> float:
        """What a way to the end takes at least that begins with such a candidate."""
        strips = (0, 1, min(self._candidates.limits.strips, default=1))[kind]
        return self._bounds.beginning_with(first, strips)

    def beginning_at(self, first: int, kind: int) -> list[Candidate]:
        """Those of a kind."""
        if (first, kind) not in self._found:
            made = (self._whole, self._uncut, self._cut)[kind](first)
            self._found[first, kind] = [item for item in made if item.live_bytes <= self._most_bytes]
        return self._found[first, kind]

    def _whole(self, first: int) -> Iterator[Candidate]:
        yield from self._whole_tensors[first]

    def _uncut(self, first: int) -> Iterator[Candidate]:
        for run in self._runs_from(first):
            if (hope := self._candidates.hope_of(run)) is not None:
                yield hope

    def _cut(self, first: int) -> Iterator[Candidate]:
        for run in self._runs_from(first):
            yield from self._candidates.hopes_of(run)

    def _runs_from(self, first: int) -> list[Run]:
        """Runs whose rings leave room for what is live before, so cut as they may be."""
        if first not in self._runs:
            self._runs[first] = list(self._searched(first))
        return self._runs[first]

    def _searched(self, first: int) -> Iterator[Run]:
        candidates = self._candidates
        most_strips = max(candidates.limits.strips) if self.kinds > 2 else 1
        room = self._most_bytes - candidates.lifetimes.least_bytes(first, first)
        for run in candidates.runs_from(first, candidates.most_whole):
            strips = most_strips if run.stage.columns.is_divisible else 1
            # Longer stages have more rings.
            if run.uncut.ring_bytes // strips > room:
                return
            yield run

    @cached_property
    def _whole_tensors(self) -> list[list[Candidate]]:
        found: list[list[Candidate]] = [[] for _ in range(self.length)]
        for candidate in (*self._candidates.whole, *self._candidates.traded):
            found[candidate.first].append(candidate)
        return found
