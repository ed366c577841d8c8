"""The cheapest schedule within a budget.

A schedule that needs too much does so in some of its steps, and no other with the same steps in a row is
looked at. Candidates may be hopes, that need so much at least: only those on a path that is the cheapest
otherwise are found out more of.
"""

import bisect
from collections.abc import Callable
from dataclasses import dataclass

from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.plan import Plan, bottleneck
from tinycc.schedule.candidates import Candidate
from tinycc.schedule.paths import GivenSteps, Path, Steps, cheapest_path
from tinycc.schedule.search import Schedule, Search

# By which one MAC that is computed again counts more than all instructions together.
_MOST_INSTRUCTIONS = 1 << 63


@dataclass(frozen=True)
class Fitting:
    """What is asked for.

    most_bytes: of the arena. most_extra_macs: computed again at most, as few as can be; None for as many as
        it takes.
    plan_of: what the planner makes of a schedule. exact: what a hope is in fact, None where it is nothing; a
        candidate that is no hope is itself.
    """

    most_bytes: int
    plan_of: Callable[[Schedule], Plan]
    most_extra_macs: int | None = None
    exact: Callable[[Candidate], Candidate | None] = lambda candidate: candidate
    limits: SearchLimits = DEFAULT_LIMITS

    def cheapest(self, steps: Steps) -> Schedule | None:
        """The schedule of fewest predicted instructions; None where there is none."""
        refused: list[Path] = []
        wrong: set[Candidate] = set()
        while len(refused) < self.limits.plans:
            path = cheapest_path(steps, self._cost, refused, wrong)
            if path is None or not Schedule(path).is_within(self.most_extra_macs):
                return None
            exact = [self._fitting(step) for step in path]
            if None in exact:
                wrong.update(step for step, found in zip(path, exact, strict=True) if found is None)
                continue
            schedule = Schedule(tuple(filter(None, exact)))
            plan = self.plan_of(schedule)
            if plan.arena_bytes <= self.most_bytes:
                return schedule
            found = bottleneck(plan, self.most_bytes, self.limits).steps
            refused.append(path[found.start : found.stop])
        return self.smallest(steps)

    def smallest(self, steps: Steps) -> Schedule | None:
        """The schedule of least arena, and of those the cheapest; None where that is too much."""
        found = self._in_fact(steps)
        # Of paths what all that go along them take at least.
        needed: dict[Path, int] = {(step,): step.live_bytes for here in found.leaving for step in here}
        for _ in range(self.limits.plans):
            path = self._least(found, needed)
            if path is None:
                return None
            plan = self.plan_of(Schedule(path))
            least = max(bytes_ for part, bytes_ in needed.items() if _is_part(part, path))
            if plan.arena_bytes <= least:
                return Schedule(path) if least <= self.most_bytes else None
            tight = bottleneck(plan, least, self.limits)
            needed[path[tight.steps.start : tight.steps.stop]] = tight.least_bytes
        search = Search([step for here in found.leaving for step in here], steps.length, self.limits)
        best = search.smallest(lambda schedule: self.plan_of(schedule).arena_bytes, self.most_extra_macs)
        return best if self.plan_of(best).arena_bytes <= self.most_bytes else None

    def _cost(self, candidate: Candidate) -> int:
        again = 0 if self.most_extra_macs is None else candidate.extra_macs
        return again * _MOST_INSTRUCTIONS + candidate.instructions

    def _fitting(self, candidate: Candidate) -> Candidate | None:
        """What a candidate is in fact; None where it needs too much."""
        exact = self.exact(candidate) if candidate.live_bytes <= self.most_bytes else None
        return None if exact is None or exact.live_bytes > self.most_bytes else exact

    def _in_fact(self, steps: Steps) -> GivenSteps:
        """All steps that need no more than that in fact, and can be reached."""
        reached, leaving = {0}, []
        for first in range(steps.length):
            here: list[Candidate] = []
            if first in reached:
                hopes = (step for kind in range(steps.kinds) for step in steps.beginning_at(first, kind))
                here = list(filter(None, map(self._fitting, hopes)))
                reached.update(step.last for step in here)
            leaving.append(here)
        return GivenSteps(leaving)

    def _least(self, steps: GivenSteps, needed: dict[Path, int]) -> Path | None:
        """The path that needs least, as far as is known, of those the cheapest; None where there is none."""

        def within(most_bytes: int) -> Path | None:
            refused = [path for path, bytes_ in needed.items() if bytes_ > most_bytes]
            single = {path[0] for path in refused if len(path) == 1}
            longer = [path for path in refused if len(path) > 1]
            path = cheapest_path(steps, self._cost, longer, single)
            return path if path is not None and Schedule(path).is_within(self.most_extra_macs) else None

        sizes = sorted(set(needed.values()))
        index = bisect.bisect_left(sizes, True, key=lambda size: within(size) is not None)
        return within(sizes[index]) if index < len(sizes) else None


def _is_part(part: Path, path: Path) -> bool:
    """Whether a path goes along another."""
    return any(path[index : index + len(part)] == part for index in range(len(path) - len(part) + 1))
