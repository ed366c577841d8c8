"""The cheapest schedule within a budget.

A schedule that needs too much does so in some of its steps, and no other with the same steps in a row is
looked at. Candidates may be hopes, that need so much at least: only those on a path that is the cheapest
otherwise are found out more of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.plan import Plan, bottleneck
from tinycc.schedule.candidates import Candidate
from tinycc.schedule.paths import Sequel, cheapest_path
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

    def cheapest(self, leaving: Sequence[Sequence[Candidate]]) -> Schedule | None:
        """The schedule of fewest predicted instructions; None where there is none.

        leaving: candidates that begin at each operator.
        """
        steps = [[step for step in here if step.live_bytes <= self.most_bytes] for here in leaving]
        refused: list[Sequel] = []
        while len(refused) < self.limits.plans:
            path = self._found(steps, refused)
            if path is None:
                return None
            if not self._is_possible(path, steps):
                continue
            schedule = Schedule(tuple(filter(None, map(self.exact, path))))
            plan = self.plan_of(schedule)
            if plan.arena_bytes <= self.most_bytes:
                return schedule
            found = bottleneck(plan, self.most_bytes, self.limits)
            refused.append(path[found.start : found.stop])
        return self._smallest(steps)

    def _found(self, steps: list[list[Candidate]], refused: list[Sequel]) -> Sequel | None:
        path = cheapest_path(steps, self._cost, refused)
        return path if path is not None and Schedule(path).is_within(self.most_extra_macs) else None

    def _cost(self, candidate: Candidate) -> int:
        again = 0 if self.most_extra_macs is None else candidate.extra_macs
        return again * _MOST_INSTRUCTIONS + candidate.instructions

    def _is_possible(self, path: Sequel, steps: list[list[Candidate]]) -> bool:
        """Whether all steps of a path need no more in fact; those that do are taken out of `steps`."""
        wrong = [step for step in path if not self._fits(self.exact(step))]
        for step in wrong:
            steps[step.first].remove(step)
        return not wrong

    def _fits(self, candidate: Candidate | None) -> bool:
        return candidate is not None and candidate.live_bytes <= self.most_bytes

    def _smallest(self, steps: list[list[Candidate]]) -> Schedule | None:
        """What needs least, where plans have run out; None where that is too much."""
        exact = [self.exact(step) for here in steps for step in here]
        fitting = [step for step in exact if step is not None and self._fits(step)]
        search = Search(fitting, len(steps), self.limits)
        cheapest = search.cheapest(self.most_bytes, self.most_extra_macs)
        if cheapest is None or not cheapest.is_within(self.most_extra_macs):
            return None
        best = search.smallest(lambda schedule: self.plan_of(schedule).arena_bytes, self.most_extra_macs)
        return best if self.plan_of(best).arena_bytes <= self.most_bytes else None
