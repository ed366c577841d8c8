"""The steps of a plan that make it too large."""

from collections.abc import Callable
from dataclasses import replace

from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.plan.arena import is_impossible
from tinycc.plan.model import Plan


def bottleneck(plan: Plan, most_bytes: int, limits: SearchLimits = DEFAULT_LIMITS) -> range:
    """Steps in a row whose buffers cannot be placed within so many bytes, whatever comes before and after.

    As few as it takes; all of them where that is not proved of fewer. The plan needs more.
    """
    states = sum(buffer.bytes for buffer in plan.buffers.values() if buffer.kind == "state")
    overlaps = {
        (step.outputs[0], source): gap for step in plan.steps for source, gap in step.overlaps.items()
    }
    exact = {pair for step in plan.steps for pair in step.exact_overlaps}

    def is_too_large(first: int, end: int) -> bool:
        live = [
            replace(
                buffer, first_step=max(buffer.first_step, first), last_step=min(buffer.last_step, end - 1)
            )
            for buffer in plan.buffers.values()
            if buffer.kind != "state" and buffer.first_step < end and buffer.last_step >= first
        ]
        return is_impossible(live, overlaps, most_bytes - states, exact, limits)

    count = len(plan.steps)
    if not plan.optimal:
        return range(count)
    end = _least(1, count, lambda end: is_too_large(0, end))
    first = end - _least(1, end, lambda length: is_too_large(end - length, end))
    return range(first, end)


def _least(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The least number in [low, high] of which something holds, as it does of `high` and all that are more."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high
