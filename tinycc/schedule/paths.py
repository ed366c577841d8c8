"""The cheapest path through candidates that has none of some sequences of them in a row.

Candidates of a costly kind are not asked for where cheaper ones lead to the end.
"""

import heapq
import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from tinycc.schedule.candidates import Candidate

# Candidates that follow each other.
Path = tuple[Candidate, ...]
# A cut point, and of the path to it the longest end that is a beginning of what is refused.
_Place = tuple[int, Path]


class Steps(Protocol):
    """Candidates by where they begin and of what kind they are; kinds count from 0."""

    @property
    def length(self) -> int:
        """Of the whole way, in operators."""

    @property
    def kinds(self) -> int:
        """How many there are."""

    def least_cost(self, first: int, kind: int) -> float:
        """What a way to the end costs at least that begins with one of these candidates."""

    def beginning_at(self, first: int, kind: int) -> Sequence[Candidate]:
        """These candidates."""


@dataclass(frozen=True)
class GivenSteps:
    """Candidates that are all known; `leaving` has those that begin at each operator."""

    leaving: Sequence[Sequence[Candidate]]
    kinds: int = 1

    @property
    def length(self) -> int:
        """Operators."""
        return len(self.leaving)

    def least_cost(self, first: int, kind: int) -> float:
        """Nothing is known of it."""
        return 0.0

    def beginning_at(self, first: int, kind: int) -> Sequence[Candidate]:
        """All that begin there."""
        return self.leaving[first]


@dataclass(frozen=True)
class _Way:
    """A step to take, and where it leads."""

    cost: int
    candidate: Candidate
    place: _Place


def cheapest_path(
    steps: Steps,
    cost: Callable[[Candidate], int],
    refused: Collection[Path] = (),
    without: Collection[Candidate] = (),
) -> Path | None:
    """The path of least cost from the first cut point to the last; None where there is none.

    Of equal ones, that whose steps reach further, from the first on, or else come first.
    refused: sequences that are part of no path. without: candidates that are part of none.
    Source: A* (Hart, Nilsson and Raphael, 1968); how far a refused sequence has been followed is remembered
    as in Aho and Corasick, "Efficient string matching" (1975).
    """
    beginnings = {path[:length] for path in refused for length in range(len(path))} | {()}
    start: _Place = (0, ())
    spent: dict[_Place, int] = {start: 0}
    ways: dict[_Place, dict[int, list[_Way]]] = {}
    order = itertools.count()
    open_: list[tuple[float, int, int, _Place]] = []

    def open_place(place: _Place) -> None:
        for kind in range(steps.kinds):
            heapq.heappush(open_, (spent[place] + steps.least_cost(place[0], kind), next(order), kind, place))

    open_place(start)
    least: float | None = None
    while open_ and (least is None or open_[0][0] <= least):
        _, _, kind, place = heapq.heappop(open_)
        if kind in ways.setdefault(place, {}):
            continue
        found = ways[place][kind] = []
        for candidate in steps.beginning_at(place[0], kind):
            begun = None if candidate in without else _after((*place[1], candidate), refused, beginnings)
            if begun is None:
                continue
            way = _Way(cost(candidate), candidate, (candidate.last, begun))
            found.append(way)
            total = spent[place] + way.cost
            if total < spent.get(way.place, total + 1):
                spent[way.place] = total
                if candidate.last < steps.length:
                    open_place(way.place)
                else:
                    least = total if least is None else min(least, total)
    return _first_of_cheapest(steps, start, ways)


def _first_of_cheapest(steps: Steps, start: _Place, ways: dict[_Place, dict[int, list[_Way]]]) -> Path | None:
    """ways: those that were found from each place, by their kind."""
    rest: dict[_Place, int] = {}
    best: dict[_Place, _Way] = {}
    for place in sorted(ways, key=lambda place: -place[0]):
        least: tuple[int, int] | None = None
        for _, found in sorted(ways[place].items()):
            for way in found:
                left = 0 if way.place[0] == steps.length else rest.get(way.place)
                if left is not None and (least is None or (way.cost + left, -way.place[0]) < least):
                    least = way.cost + left, -way.place[0]
                    rest[place], best[place] = way.cost + left, way
    if start not in best:
        return None
    path, place = [], start
    while place[0] < steps.length:
        path.append(best[place].candidate)
        place = best[place].place
    return tuple(path)


def _after(taken: Path, refused: Collection[Path], beginnings: Collection[Path]) -> Path | None:
    """The longest beginning of what is refused that a path ends with; None where it ends with all of one.

    taken: the same one step earlier, and the step.
    """
    if not refused:
        return ()
    tails = [taken[index:] for index in range(len(taken) + 1)]
    if any(tail in refused for tail in tails):
        return None
    return next(tail for tail in tails if tail in beginnings)
