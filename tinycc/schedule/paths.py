"""The cheapest path through candidates that has none of some sequences of them in a row."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tinycc.schedule.candidates import Candidate

Sequel = tuple[Candidate, ...]


@dataclass(frozen=True)
class _Way:
    """A step to take, and how much of a refused sequence has been taken then."""

    cost: int
    candidate: Candidate
    begun: Sequel


def cheapest_path(
    leaving: Sequence[Sequence[Candidate]], cost: Callable[[Candidate], int], refused: Sequence[Sequel]
) -> Sequel | None:
    """The path of least cost from the first cut point to the last; None where there is none.

    Of equal ones, that whose steps reach further, or come first in `leaving`.
    leaving: the candidates that begin at each cut point but the last.
    refused: sequences that are part of no path.
    Source: how far a refused sequence has been followed is remembered as in Aho and Corasick, "Efficient
    string matching" (1975).
    """
    wholes = set(refused)
    beginnings = {sequel[:length] for sequel in refused for length in range(len(sequel))} | {()}
    wholes = set(refused)
    beginnings = {sequel[:length] for sequel in refused for length in range(len(sequel))} | {()}
    end = len(leaving)
    ways: list[dict[Sequel, list[_Way]]] = [{} for _ in range(end + 1)]
    ways[0][()] = []
    for point in range(end):
        for begun, found in ways[point].items():
            for candidate in leaving[point]:
                after = _after((*begun, candidate), wholes, beginnings)
                if after is not None:
                    found.append(_Way(cost(candidate), candidate, after))
                    ways[candidate.last].setdefault(after, [])
    # What the rest of the way costs, of the places from which the end can be reached.
    rest: dict[tuple[int, Sequel], int] = {(end, begun): 0 for begun in ways[end]}
    best: dict[tuple[int, Sequel], _Way] = {}
    for point in reversed(range(end)):
        for begun, found in ways[point].items():
            least: tuple[int, int] | None = None
            for way in found:
                left = rest.get((way.candidate.last, way.begun))
                if left is not None and (least is None or (way.cost + left, -way.candidate.last) < least):
                    least = way.cost + left, -way.candidate.last
                    rest[point, begun], best[point, begun] = way.cost + left, way
    if (0, ()) not in rest:
        return None
    path: list[Candidate] = []
    place: tuple[int, Sequel] = 0, ()
    while place[0] != end:
        way = best[place]
        path.append(way.candidate)
        place = way.candidate.last, way.begun
    return tuple(path)


def _after(taken: Sequel, wholes: Collection[Sequel], beginnings: Collection[Sequel]) -> Sequel | None:
    """The longest beginning of a refused sequence that a path ends with; None where it ends with a whole one.

    taken: the same one step earlier, and the step.
    """
    tails = [taken[index:] for index in range(len(taken) + 1)]
    if not wholes.isdisjoint(tails):
        return None
    return next(tail for tail in tails if tail in beginnings)
