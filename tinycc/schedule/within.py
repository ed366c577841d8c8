"""The candidates of schedules within a budget: of stages no more is found out than that takes.

A candidate that needs more than the budget is part of no such schedule, nor is one that begins where none
ends.
"""

from dataclasses import replace

from tinycc.schedule.candidates import Candidate, Candidates, least_cut


def once_within(candidates: Candidates, most_bytes: int) -> list[Candidate]:
    """Whole tensors and stages that compute everything once."""
    most_rings = min(most_bytes, candidates.most_whole)
    found: list[Candidate] = []
    reached = {0}
    singles = _singles(candidates, most_bytes)
    for first in range(len(candidates.nodes)):
        if first in reached:
            stages = candidates.stages_from(first, most_rings, most_bytes)
            here = [*singles[first], *(s for s in stages if s.live_bytes <= most_bytes)]
            reached |= {candidate.last for candidate in here}
            found += here
    return found


def again_within(candidates: Candidates, most_bytes: int) -> list[Candidate]:
    """These, and stages cut into strips."""
    most_strips = max(candidates.limits.strips, default=1)
    most_rings = min(most_strips * most_bytes, candidates.most_whole)
    reached = {0}
    singles = _singles(candidates, most_bytes)
    stages_at: list[list[Candidate]] = []
    for first in range(len(candidates.nodes)):
        stages = []
        if first in reached:
            reached |= {candidate.last for candidate in singles[first]}
            for stage in candidates.stages_from(first, most_rings, most_bytes, most_strips):
                if stage.live_bytes <= most_bytes or (candidates.is_worth_cutting(stage) and least_cut(stage, most_strips) <= most_bytes):
                    stages.append(stage)
                    reached.add(stage.last)
        stages_at.append(stages)
    ended = {len(candidates.nodes)}
    for first in reversed(range(len(candidates.nodes))):
        if any(c.last in ended for c in (*singles[first], *stages_at[first])):
            ended.add(first)
    reached = {0}
    found: list[Candidate] = []
    for first in range(len(candidates.nodes)):
        if first not in reached or first not in ended:
            continue
        useful = [s for s in stages_at[first] if s.last in ended]
        here = [c for c in singles[first] if c.last in ended]
        here += [s for s in useful if s.live_bytes <= most_bytes and s.ring_bytes <= most_bytes]
        for stage in useful:
            here += candidates.strips_of(stage, most_bytes)
        reached |= {c.last for c in here}
        found += here
    return found


def _singles(candidates: Candidates, most_bytes: int) -> list[list[Candidate]]:
    found: list[list[Candidate]] = [[] for _ in candidates.nodes]
    for candidate in (*candidates.whole, *candidates.traded):
        if candidate.live_bytes <= most_bytes:
            found[candidate.first].append(candidate)
    return found
