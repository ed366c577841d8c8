"""What a way to the end of a graph takes at least, before anything is known of its stages.

A stage takes what its operators take by rows, all of them, unless an operator of the graph leaves rows out.
"""

import functools
import math
from functools import cached_property

from tinycc.ops.base import Operator
from tinycc.ops.kernel_call import StreamedCall
from tinycc.schedule.candidates import Candidates
from tinycc.schedule.figures import work_of
from tinycc.schedule.timing import RowReads


class LeastCosts:
    """Predicted instructions, of the candidates of a graph."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._views = [node.view for node in candidates.nodes]

    def beginning_with(self, first: int, strips: int) -> float:
        """Of ways from an operator on that begin with a stage in so many strips, or with a whole tensor.

        strips: 0 for whole tensors. Infinite where there is none.
        """
        if not strips:
            return self._rest[first]
        if first + 1 >= len(self._views):
            return math.inf
        return sum(self._by_rows(index, strips) for index in (first, first + 1)) + self._rest[first + 2]

    @cached_property
    def _rest(self) -> list[float]:
        """From each operator on, and behind the last."""
        whole = [math.inf] * len(self._views)
        for candidate in (*self._candidates.whole, *self._candidates.traded):
            whole[candidate.first] = min(whole[candidate.first], candidate.instructions)
        rest = [0.0]
        for index in reversed(range(len(self._views))):
            rest.append(rest[-1] + min(whole[index], self._by_rows(index, 1)))
        return rest[::-1]

    def _by_rows(self, index: int, strips: int) -> float:
        found = _by_rows(self._views[index], strips)
        return found if self._reads_all or found == math.inf else 0.0

    @cached_property
    def _reads_all(self) -> bool:
        return all(map(_reads_all, self._views))


@functools.lru_cache(1 << 14)
def _calls(view: Operator) -> tuple[StreamedCall, ...]:
    """Those by which a stage may run an operator."""
    calls: list[StreamedCall | None] = [view.row_kernel]
    if view.inputs:
        calls += [view.accumulating_kernel(height) for height in {view.inputs[0].height, 1}]
    return tuple(call for call in calls if call is not None)


@functools.lru_cache(1 << 16)
def _by_rows(view: Operator, strips: int) -> float:
    """What an operator takes in a stage that computes all its rows; infinite where it cannot be in one."""
    width = view.outputs[0].width
    works = [work_of(view, call, call.rows * strips, call.rows * width) for call in _calls(view)]
    return min((instructions for _, instructions in works), default=math.inf)


@functools.lru_cache(1 << 14)
def _reads_all(view: Operator) -> bool:
    """Whether an operator needs all rows of what it reads, where it reads it row by row."""
    return all(
        first.min(initial=0, where=last >= 0) == 0 and last.max(initial=-1) == window.input_rows - 1
        for call in _calls(view)
        for window, (first, last) in zip(RowReads.of(call).windows, RowReads.of(call).spans, strict=True)
    )
