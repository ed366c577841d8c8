"""The cheapest schedule within a budget.

A schedule that needs too much does so in some of its steps, and no other with the same steps in a row is
looked at. Candidates may be hopes, that need so much at least: only those on a path that is the cheapest
otherwise are found out more of.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.plan import Plan, bottleneck
from tinycc.schedule.candidates import Candidate
from tinycc.schedule.paths import Path, Steps, cheapest_path
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
            found = bottleneck(plan, self.most_bytes, self.limits)
            refused.append(path[found.start : found.stop])
        return self.smallest(steps)

    def _cost(self, candidate: Candidate) -> int:
        again = 0 if self.most_extra_macs is None else candidate.extra_macs
        return again * _MOST_INSTRUCTIONS + candidate.instructions

    def _fitting(self, candidate: Candidate) -> Candidate | None:
        """What a candidate is in fact; None where it needs too much."""
        exact = self.exact(candidate) if candidate.live_bytes <= self.most_bytes else None
        return None if exact is None or exact.live_bytes > self.most_bytes else exact

    def smallest(self, steps: Steps) -> Schedule | None:
        """The schedule of least arena, and of those the cheapest; None where that is too much."""
        search = self._search(steps)
        cheapest = search.cheapest(self.most_bytes, self.most_extra_macs)
        if cheapest is None or not cheapest.is_within(self.most_extra_macs):
            return None
        best = search.smallest(lambda schedule: self.plan_of(schedule).arena_bytes, self.most_extra_macs)
        return best if self.plan_of(best).arena_bytes <= self.most_bytes else None

    def _search(self, steps: Steps) -> Search:
        """All schedules none of whose steps needs more than that in fact."""
        reached, fitting = {0}, []
        for first in range(steps.length):
            if first in reached:
                here = [step for kind in range(steps.kinds) for step in steps.beginning_at(first, kind)]
                exact = list(filter(None, map(self._fitting, here)))
                reached.update(step.last for step in exact)
                fitting += exact
        return Search(fitting, steps.length, self.limits)
