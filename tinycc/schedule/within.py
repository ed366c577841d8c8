"""The candidates of schedules within a budget: of stages no more is found out than that takes.

Stages are hopes (`Candidates.hope_of`). What needs more than the budget is part of no such schedule, nor is
what begins where none ends, or ends where none begins. Lists are of what begins at each operator.
"""

from collections.abc import Iterator

from tinycc.schedule.candidates import Candidate, Candidates
from tinycc.schedule.runs import Run

Leaving = list[list[Candidate]]


def once_within(candidates: Candidates, most_bytes: int) -> Leaving:
    """Whole tensors and stages that compute everything once."""
    leaving = _whole_within(candidates, most_bytes)
    reached = {0}
    for first, here in enumerate(leaving):
        if first in reached:
            for run in _runs_within(candidates, first, most_bytes, 1):
                here += filter(None, [candidates.hope_of(run, most_bytes)])
            reached.update(candidate.last for candidate in here)
    return leaving


def again_within(candidates: Candidates, most_bytes: int) -> Leaving:
    """These, and stages cut into strips."""
    leaving = _whole_within(candidates, most_bytes)
    for here, runs in zip(leaving, _cut_on_paths(candidates, most_bytes, leaving), strict=True):
        here += filter(None, [candidates.hope_of(run, most_bytes) for run in runs])
        here += [hope for run in runs for hope in candidates.hopes_of(run, most_bytes)]
    return leaving


def _cut_on_paths(candidates: Candidates, most_bytes: int, whole: Leaving) -> list[list[Run]]:
    """Runs that may be part of a schedule, cut or not."""
    most_strips = max(candidates.limits.strips, default=1)
    counts = (1, *sorted(candidates.limits.strips, reverse=True))
    runs: list[list[Run]] = [[] for _ in whole]
    begun = {0}
    for first, here in enumerate(whole):
        if first in begun:
            runs[first] = [
                run
                for run in _runs_within(candidates, first, most_bytes, most_strips)
                if any(candidates.least_bytes(run, count) <= most_bytes for count in counts)
            ]
            begun.update(item.last for item in (*here, *runs[first]))
    ended = {len(whole)}
    for first in reversed(range(len(whole))):
        runs[first] = [run for run in runs[first] if run.last in ended]
        if runs[first] or any(candidate.last in ended for candidate in whole[first]):
            ended.add(first)
    return runs


def _runs_within(candidates: Candidates, first: int, most_bytes: int, most_strips: int) -> Iterator[Run]:
    """Runs from an operator on whose rings leave room for what is live before it, so cut as they may be."""
    room = most_bytes - candidates.lifetimes.least_bytes(first, first)
    for run in candidates.runs_from(first, candidates.most_whole):
        strips = most_strips if run.stage.columns.is_divisible else 1
        # Longer stages have more rings.
        if run.uncut.ring_bytes // strips > room:
            return
        yield run


def _whole_within(candidates: Candidates, most_bytes: int) -> Leaving:
    """Operators on whole tensors."""
    found: Leaving = [[] for _ in candidates.nodes]
    for candidate in (*candidates.whole, *candidates.traded):
        if candidate.live_bytes <= most_bytes:
            found[candidate.first].append(candidate)
    return found
