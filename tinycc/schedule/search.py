"""The best sequence of stages and whole operators.

Cut points are places between two operators; a candidate leads from one cut point to a later one. A schedule
is a path through this graph: its memory is that of its most demanding candidate, its cost the sum. What the
planner makes of it can only be more, so paths are planned in order of promise until no other can be better.
"""

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import networkx

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
        self._graph = networkx.DiGraph()
        self._graph.add_nodes_from(range(length + 1))
        self._end = length
        self._candidates = candidates
        self._most_plans = limits.plans
        most = 1 + sum(candidate.instructions for candidate in candidates)
        for node, candidate in enumerate(candidates, length + 1):
            again = candidate.extra_macs * most + candidate.instructions
            # By way of a node of its own, as several candidates may lead from one cut point to another. It is
            # a number, as networkx writes both nodes of a path that it does not find into an error.
            self._graph.add_edge(
                candidate.first, node, candidate=candidate, cost=candidate.instructions, again=again
            )
            self._graph.add_edge(node, candidate.last, candidate=candidate, cost=0, again=0)
        self.footprints = sorted({candidate.live_bytes for candidate in candidates})

    def cheapest(self, most_bytes: int, most_extra_macs: int | None = None) -> Schedule | None:
        """The first of `by_cost`, None where there is none."""
        allowed = self._within(most_bytes)
        if not networkx.has_path(allowed, 0, self._end):
            return None
        return self._schedule(networkx.dijkstra_path(allowed, 0, self._end, weight=_weight(most_extra_macs)))

    def by_cost(self, most_bytes: int, most_extra_macs: int | None = None) -> Iterator[Schedule]:
        """All schedules none of whose candidates needs more, those of fewest predicted instructions first.

        Where an allowance of MACs that are computed again is given, those of fewest such MACs come first.
        """
        allowed = self._within(most_bytes)
        if networkx.has_path(allowed, 0, self._end):
            weight = _weight(most_extra_macs)
            for path in networkx.shortest_simple_paths(allowed, 0, self._end, weight=weight):
                yield self._schedule(path)

    def _within(self, most_bytes: int) -> networkx.DiGraph:
        """The graph without the candidates that need more."""
        graph = networkx.DiGraph()
        graph.add_nodes_from(self._graph)
        graph.add_edges_from(
            (start, end, data)
            for start, end, data in self._graph.edges(data=True)
            if data["candidate"].live_bytes <= most_bytes
        )
        return graph

    def longest_stages(self) -> Schedule:
        """The schedule of fewest steps: whatever can run row by row does."""
        return self._schedule(networkx.shortest_path(self._graph, 0, self._end))

    def _schedule(self, path: list[int]) -> Schedule:
        first = self._end + 1
        return Schedule(tuple(self._candidates[node - first] for node in path if node >= first))

    def least_bytes(self, most_extra_macs: int | None = None) -> int:
        """The memory of the schedule that needs least, of those that compute no more than so much again."""

        def is_enough(size: int) -> bool:
            schedule = self.cheapest(size, most_extra_macs)
            return schedule is not None and _is_within(schedule, most_extra_macs)

        return self.footprints[bisect.bisect_left(self.footprints, True, key=is_enough)]

    def is_possible(self, most_extra_macs: int | None) -> bool:
        """Whether any schedule computes no more than so much again."""
        schedule = self.cheapest(self.footprints[-1], most_extra_macs)
        return schedule is not None and _is_within(schedule, most_extra_macs)

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

    def fitting(
        self, budget: int, arena_of: Callable[[Schedule], int], most_extra_macs: int | None = None
    ) -> Schedule | None:
        """The cheapest schedule whose planned arena is within a budget; None if none was found."""
        for _, schedule in zip(range(self._most_plans), self.by_cost(budget, most_extra_macs), strict=False):
            if not _is_within(schedule, most_extra_macs):
                return None
            if arena_of(schedule) <= budget:
                return schedule
        best = self.smallest(arena_of, most_extra_macs)
        return best if arena_of(best) <= budget else None

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
                if not _is_within(schedule, most_extra_macs):
                    break
                plans += 1
                if best is None or arena_of(schedule) < arena_of(best):
                    best = schedule
                if arena_of(best) <= limit or plans >= self._most_plans:
                    break
        assert best is not None
        return best


def _is_within(schedule: Schedule, most_extra_macs: int | None) -> bool:
    return most_extra_macs is None or schedule.extra_macs <= most_extra_macs


def _cost(schedule: Schedule, most_extra_macs: int | None) -> tuple[int, int]:
    """By what schedules are ordered: repeated MACs count first where there is an allowance of them."""
    return (0 if most_extra_macs is None else schedule.extra_macs, schedule.instructions)


def _weight(most_extra_macs: int | None) -> str:
    return "cost" if most_extra_macs is None else "again"
