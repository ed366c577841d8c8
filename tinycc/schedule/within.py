"""The candidates of schedules within a budget: of stages no more is found out than that takes.

A candidate that needs more than the budget is part of no such schedule, nor is one that begins where none
ends, or ends where none begins.
"""

from collections.abc import Iterable

from tinycc.schedule.candidates import Candidate, Candidates
from tinycc.schedule.runs import Run


def once_within(candidates: Candidates, most_bytes: int) -> list[Candidate]:
    """Whole tensors and stages that compute everything once."""
    whole = _whole_within(candidates, most_bytes)
    found: list[Candidate] = []
    reached = {0}
    for first in range(len(candidates.nodes)):
        if first in reached:
            runs = _runs_within(candidates, first, most_bytes, 1)
            here = [*whole[first], *_stages(candidates, runs, most_bytes)]
            reached.update(candidate.last for candidate in here)
            found += here
    return found


def again_within(candidates: Candidates, most_bytes: int) -> list[Candidate]:
    """These, and stages cut into strips."""
    whole = _whole_within(candidates, most_bytes)
    runs = _cut_on_paths(candidates, most_bytes, whole)
    found: list[Candidate] = []
    reached = {0}
    for first in range(len(candidates.nodes)):
        if first in reached:
            here = [*whole[first], *_stages(candidates, runs[first], most_bytes)]
            here += [cut for run in runs[first] for cut in candidates.strips_of(run, most_bytes)]
            reached.update(candidate.last for candidate in here)
            found += here
    return found


def _stages(candidates: Candidates, runs: Iterable[Run], most_bytes: int) -> list[Candidate]:
    """Runs as stages that are not cut."""
    stages = (candidates.stage_of(run) for run in runs if candidates.least_bytes(run) <= most_bytes)
    return [stage for stage in stages if stage is not None and stage.live_bytes <= most_bytes]


def _cut_on_paths(
    candidates: Candidates, most_bytes: int, whole: list[list[Candidate]]
) -> list[list[Run]]:
    """For each operator the runs from there on that may be part of a schedule, cut or not."""
    most_strips = max(candidates.limits.strips, default=1)
    nodes = range(len(candidates.nodes))
    counts = (1, *sorted(candidates.limits.strips, reverse=True))
    runs: list[list[Run]] = [[] for _ in nodes]
    begun = {0}
    for first in nodes:
        if first in begun:
            runs[first] = [
                run
                for run in _runs_within(candidates, first, most_bytes, most_strips)
                if any(candidates.least_bytes(run, count) <= most_bytes for count in counts)
            ]
            begun.update(item.last for item in (*whole[first], *runs[first]))
    ended = {len(candidates.nodes)}
    for first in reversed(nodes):
        runs[first] = [run for run in runs[first] if run.last in ended]
        if runs[first] or any(candidate.last in ended for candidate in whole[first]):
            ended.add(first)
    return runs


def _runs_within(candidates: Candidates, first: int, most_bytes: int, strips: int) -> Iterable[Run]:
    """Runs from an operator on whose rings leave room for what is live before it, if strips made them so much less."""
    room = most_bytes - candidates.lifetimes.least_bytes(first, first)
    most_rings = (room + 1) * strips - 1
    return candidates.runs_from(first, min(most_rings, candidates.most_whole))


def _whole_within(candidates: Candidates, most_bytes: int) -> list[list[Candidate]]:
    """Those on whole tensors that begin at each operator."""
    found: list[list[Candidate]] = [[] for _ in candidates.nodes]
    for candidate in (*candidates.whole, *candidates.traded):
        if candidate.live_bytes <= most_bytes:
            found[candidate.first].append(candidate)
    return found
