"""The best sequence of stages and whole operators.

Cut points are places between two operators; a candidate leads from one cut point to a later one. A schedule
is a path through this graph: its memory is that of its most demanding candidate, its cost the sum. What the
planner makes of it can only be more, so paths are planned in order of promise until no other can be better.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import networkx

from tinycc.schedule.candidates import Candidate

# Schedules that are planned before the search is content with the best so far.
MOST_PLANS = 24


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
    def row_calls(self) -> int:
        """Rows computed one by one."""
        return sum(candidate.row_calls for candidate in self.candidates)


class Search:
    """All schedules that a list of candidates allows for."""

    def __init__(self, candidates: list[Candidate], length: int) -> None:
        """length: number of bindings."""
        self._graph = networkx.DiGraph()
        self._graph.add_nodes_from(range(length + 1))
        self._end = length
        least = sum(candidate.macs for candidate in candidates if candidate.function is None)
        for candidate in candidates:
            cost = candidate.macs * (1 + least) + candidate.row_calls
            self._graph.add_edge(candidate.first, candidate.last, candidate=candidate, cost=cost)
        self.footprints = sorted({candidate.live_bytes for candidate in candidates})

    def cheapest(self, most_bytes: int) -> Schedule | None:
        """The schedule of least MACs, then of fewest row calls, none of whose candidates needs more."""
        allowed = self._within(most_bytes)
        if not networkx.has_path(allowed, 0, self._end):
            return None
        return self._schedule(networkx.dijkstra_path(allowed, 0, self._end, weight="cost"))

    def by_cost(self, most_bytes: int) -> Iterator[Schedule]:
        """All schedules none of whose candidates needs more, cheapest first."""
        allowed = self._within(most_bytes)
        if networkx.has_path(allowed, 0, self._end):
            for path in networkx.shortest_simple_paths(allowed, 0, self._end, weight="cost"):
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
        edges = itertools.pairwise(path)
        return Schedule(tuple(self._graph[start][end]["candidate"] for start, end in edges))

    def least_bytes(self) -> int:
        """The memory of the schedule that needs least."""
        low, high = 0, len(self.footprints) - 1
        while low < high:
            middle = (low + high) // 2
            if self.cheapest(self.footprints[middle]) is None:
                low = middle + 1
            else:
                high = middle
        return self.footprints[low] if self.footprints else 0

    def front(self) -> list[Schedule]:
        """Schedules none of which is beaten by another both in memory and in cost; least memory first."""
        found: list[Schedule] = []
        limit = self.footprints[-1] if self.footprints else 0
        while (schedule := self.cheapest(limit)) is not None:
            if found and _cost(found[-1]) == _cost(schedule):
                found.pop()
            found.append(schedule)
            smaller = [size for size in self.footprints if size < schedule.live_bytes]
            if not smaller:
                break
            limit = smaller[-1]
        return found[::-1]

    def fitting(self, budget: int, arena_of: Callable[[Schedule], int]) -> Schedule | None:
        """The cheapest schedule whose planned arena is within a budget; None if none was found."""
        for _, schedule in zip(range(MOST_PLANS), self.by_cost(budget), strict=False):
            if arena_of(schedule) <= budget:
                return schedule
        best = self.smallest(arena_of)
        return best if arena_of(best) <= budget else None

    def smallest(self, arena_of: Callable[[Schedule], int]) -> Schedule:
        """The schedule of least arena, and of those the cheapest."""
        best: Schedule | None = None
        plans = 0
        least = self.least_bytes()
        for limit in (size for size in self.footprints if size >= least):
            if best is not None and (limit >= arena_of(best) or plans >= MOST_PLANS):
                break
            for schedule in self.by_cost(limit):
                plans += 1
                if best is None or arena_of(schedule) < arena_of(best):
                    best = schedule
                if arena_of(best) <= limit or plans >= MOST_PLANS:
                    break
        assert best is not None
        return best


def _cost(schedule: Schedule) -> tuple[int, int]:
    return schedule.macs, schedule.row_calls
