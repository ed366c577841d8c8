"""The steps of a plan that make it too large."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.plan.arena import is_impossible, place
from tinycc.plan.model import Buffer, Plan


@dataclass(frozen=True)
class Bottleneck:
    """Steps in a row, and what an arena takes at least that they run in, whatever comes before and after."""

    steps: range
    least_bytes: int


def bottleneck(plan: Plan, most_bytes: int, limits: SearchLimits = DEFAULT_LIMITS) -> Bottleneck:
    """As few steps as there are that do not fit into so many bytes; the plan needs more.

    All of them, as they were planned, where it is not proved that the plan needs more.
    """
    if not plan.optimal:
        return Bottleneck(range(len(plan.steps)), plan.arena_bytes)
    states = sum(buffer.bytes for buffer in plan.buffers.values() if buffer.kind == "state")
    overlaps = {(step.outputs[0], name): gap for step in plan.steps for name, gap in step.overlaps.items()}
    exact = {pair for step in plan.steps for pair in step.exact_overlaps}

    def is_too_large(first: int, end: int) -> bool:
        live = _live_in(plan, range(first, end))
        return is_impossible(live, overlaps, most_bytes - states, exact, limits)

    end = _least(1, len(plan.steps), lambda end: is_too_large(0, end))
    first = end - _least(1, end, lambda length: is_too_large(end - length, end))
    live = _live_in(plan, range(first, end))
    names = {buffer.name for buffer in live}
    inner = {pair: gap for pair, gap in overlaps.items() if names.issuperset(pair)}
    placement = place(live, inner, most_bytes - states + 1, exact & inner.keys(), limits)
    least = placement.arena_bytes + states if placement.optimal else most_bytes + 1
    return Bottleneck(range(first, end), least)


def _live_in(plan: Plan, steps: range) -> list[Buffer]:
    """What is live in some steps of what does not live always, as if it lived in these alone."""
    first, last = steps.start, steps.stop - 1
    return [
        replace(item, first_step=max(item.first_step, first), last_step=min(item.last_step, last))
        for item in plan.buffers.values()
        if item.kind != "state" and item.first_step <= last and item.last_step >= first
    ]


def _least(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The least number in [low, high] of which something holds; it holds of all that follow, too."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high
