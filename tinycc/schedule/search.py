"""The best sequence of stages and whole operators.

Cut points are places between two operators; a candidate leads from one cut point to a later one. A schedule
is a path through this graph: its memory is that of its most demanding candidate, its cost the sum. What the
planner makes of it can only be more, so paths are planned in order of promise until no other can be better.
"""

import bisect
import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.schedule.candidates import Candidate


@dataclass(frozen=True)
class Schedule:
    """A path: candidates that follow each other and cover the model."""

    candidates: tuple[Candidate, ...]

    @property
    def live_bytes(self) -> int:
        """The memory without which it cannot run."""
        return max((candidate.live_bytes for candidate in self.candidates), default=0)

    @property
    def macs(self) -> int:
        """Multiply-accumulates executed."""
        return sum(candidate.macs for candidate in self.candidates)

    @property
    def extra_macs(self) -> int:
        """Those of elements that were computed before."""
        return sum(candidate.extra_macs for candidate in self.candidates)

    @property
    def instructions(self) -> int:
        """What it is predicted to execute."""
        return sum(candidate.instructions for candidate in self.candidates)

    def is_within(self, most_extra_macs: int | None) -> bool:
        """Whether it computes no more than so much again; None for any."""
        return most_extra_macs is None or self.extra_macs <= most_extra_macs

    @property
    def row_calls(self) -> int:
        """Rows computed one by one."""
        return sum(candidate.row_calls for candidate in self.candidates)


class Search:
    """All schedules that a list of candidates allows for."""

    def __init__(
        self, candidates: list[Candidate], length: int, limits: SearchLimits = DEFAULT_LIMITS
    ) -> None:
        """length: number of bindings."""
        self._leaving: list[list[Candidate]] = [[] for _ in range(length + 1)]
        for candidate in candidates:
            self._leaving[candidate.first].append(candidate)
        self._most_plans = limits.plans
        # By which one MAC that is computed again counts more than all instructions together.
        self._most_instructions = 1 + sum(candidate.instructions for candidate in candidates)
        self.footprints = sorted({candidate.live_bytes for candidate in candidates})

    def cheapest(self, most_bytes: int, most_extra_macs: int | None = None) -> Schedule | None:
        """The first of `by_cost`, None where there is none."""
        return next(self.by_cost(most_bytes, most_extra_macs), None)

    def by_cost(self, most_bytes: int, most_extra_macs: int | None = None) -> Iterator[Schedule]:
        """All schedules none of whose candidates needs more, those of fewest predicted instructions first.

        Where an allowance of MACs that are computed again is given, those of fewest such MACs come first.
        """

        def cost(candidate: Candidate) -> int:
            again = 0 if most_extra_macs is None else candidate.extra_macs
            return again * self._most_instructions + candidate.instructions

        return self._paths(cost, most_bytes)

    def longest_stages(self) -> Schedule:
        """The schedule of fewest steps: whatever can run row by row does. Of such, one of least memory."""
        schedules = self._paths(lambda _: 1, self.footprints[-1])
        first = next(schedules)
        alike = itertools.takewhile(lambda one: len(one.candidates) == len(first.candidates), schedules)
        tried = itertools.islice(alike, self._most_plans)
        return min((first, *tried), key=lambda one: (one.live_bytes, one.instructions))

    def _paths(self, cost: Callable[[Candidate], int], most_bytes: int) -> Iterator[Schedule]:
        """All schedules none of whose candidates needs more memory, the cheapest first.

        An A* search whose estimate is exact: what the rest of the way costs at least is known of each cut
        point, so that no beginning is looked at that is not one of a schedule soon to come.
        """
        end = len(self._leaving) - 1
        # Of the cut points from which the end can be reached.
        rest = {end: 0}
        steps: dict[int, list[tuple[int, Candidate]]] = {end: []}
        for point in reversed(range(end)):
            steps[point] = [
                (cost(candidate), candidate)
                for candidate in self._leaving[point]
                if candidate.live_bytes <= most_bytes and candidate.last in rest
            ]
            if steps[point]:
                rest[point] = min(price + rest[step.last] for price, step in steps[point])
        # Of equal ones what is nearest to its end, so that a schedule is finished before others are begun.
        order = itertools.count()
        begun: list[tuple[int, int, int, int, tuple[Candidate, ...]]] = []
        if 0 in rest:
            begun.append((rest[0], end, next(order), 0, ()))
        while begun:
            _, left, _, spent, path = heapq.heappop(begun)
            point = end - left
            if point == end:
                yield Schedule(path)
            for price, step in steps[point]:
                estimate = spent + price + rest[step.last]
                heapq.heappush(begun, (estimate, end - step.last, next(order), spent + price, (*path, step)))

    def least_bytes(self, most_extra_macs: int | None = None) -> int:
        """The memory of the schedule that needs least, of those that compute no more than so much again."""

        def is_enough(size: int) -> bool:
            schedule = self.cheapest(size, most_extra_macs)
            return schedule is not None and schedule.is_within(most_extra_macs)

        return self.footprints[bisect.bisect_left(self.footprints, True, key=is_enough)]

    def is_impossible(self, most_extra_macs: int | None) -> bool:
        """Whether every schedule computes more than so much again."""
        schedule = self.cheapest(self.footprints[-1], most_extra_macs) if self.footprints else None
        return schedule is not None and not schedule.is_within(most_extra_macs)

    def front(self) -> list[Schedule]:
        """Schedules none of which is beaten by another both in memory and in cost; least memory first."""
        found: list[Schedule] = []
        limit = self.footprints[-1] if self.footprints else 0
        while (schedule := self.cheapest(limit)) is not None:
            if found and found[-1].instructions == schedule.instructions:
                found.pop()
            found.append(schedule)
            smaller = [size for size in self.footprints if size < schedule.live_bytes]
            if not smaller:
                break
            limit = smaller[-1]
        return found[::-1]

    def smallest(self, arena_of: Callable[[Schedule], int], most_extra_macs: int | None = None) -> Schedule:
        """The schedule of least arena, and of those the cheapest, that computes no more than this again."""
        best = self._least_arena(arena_of, most_extra_macs)
        # Plans may have run out before the limit was the arena.
        for _, schedule in zip(
            range(self._most_plans), self.by_cost(arena_of(best), most_extra_macs), strict=False
        ):
            if _cost(schedule, most_extra_macs) >= _cost(best, most_extra_macs):
                break
            if arena_of(schedule) <= arena_of(best):
                return schedule
        return best

    def _least_arena(self, arena_of: Callable[[Schedule], int], most_extra_macs: int | None) -> Schedule:
        best: Schedule | None = None
        plans = 0
        least = self.least_bytes(most_extra_macs)
        for limit in (size for size in self.footprints if size >= least):
            if best is not None and (limit >= arena_of(best) or plans >= self._most_plans):
                break
            for schedule in self.by_cost(limit, most_extra_macs):
                if not schedule.is_within(most_extra_macs):
                    break
                plans += 1
                if best is None or arena_of(schedule) < arena_of(best):
                    best = schedule
                if arena_of(best) <= limit or plans >= self._most_plans:
                    break
        assert best is not None
        return best


def _cost(schedule: Schedule, most_extra_macs: int | None) -> tuple[int, int]:
    """By what schedules are ordered: repeated MACs count first where there is an allowance of them."""
    return (0 if most_extra_macs is None else schedule.extra_macs, schedule.instructions)
