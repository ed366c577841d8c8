"""From when to when the values of a graph are held, and what that takes while some of its operators run."""

from collections.abc import Mapping
from functools import cached_property

from tinycc.graph import OperatorGraph, Value
from tinycc.ops.footprint import joint_bytes
from tinycc.plan.row_input import UNDER_WAY_BYTES


class Lifetimes:
    """Those of a graph in its final order; a run is its operators [first, last)."""

    def __init__(self, graph: OperatorGraph) -> None:
        self._graph = graph
        # Whether an inference is under way lives always.
        self._always = 0 if graph.row_input is None else UNDER_WAY_BYTES

    def escapes(self, first: int, last: int) -> bool:
        """Whether anything but the last result of a run is read behind it."""
        return max(self._last_reads[first : last - 1], default=0) >= last

    def least_bytes(self, first: int, last: int) -> int:
        """What `live_bytes` is at least, however the result overlaps what the run reads."""
        return self._always + max(self._bytes_at[first], self._bytes_at[last])

    def live_bytes(self, first: int, last: int, overlaps: Mapping[Value, int]) -> int:
        """What is live while a run is executed, tensors between its operators left out.

        overlaps: overlap distances of the result to the values that it may overlap.
        """
        sizes, spans = self._graph.bytes, self._spans
        dying = [value for value in overlaps if spans[value][0] < first <= spans[value][1] < last]
        result, *others = (sizes[value] for value in self._graph.nodes[last - 1].results)
        joint = joint_bytes(result, [(sizes[value], overlaps[value]) for value in dying])
        before = self._bytes_at[first] - sum(sizes[value] for value in dying)
        return self._always + joint + sum(others) + before

    @cached_property
    def _last_reads(self) -> list[int]:
        """Of each operator, the last that reads a result of it."""
        return [max(self._spans[value][1] for value in node.results) for node in self._graph.nodes]

    @cached_property
    def _spans(self) -> dict[Value, tuple[int, int]]:
        """From the operator that makes a value, -1 for parameters, to the last that reads it."""
        graph, spans = self._graph, {}
        for value, readers in graph.readers.items():
            birth = graph.makers[value].index if value in graph.makers else -1
            last = max((node.index for node in readers), default=birth)
            spans[value] = (birth, len(graph.nodes) if value in graph.kept else last)
        return spans

    @cached_property
    def _bytes_at(self) -> list[int]:
        """Before each operator, and behind the last, what is live of what was made before."""
        sizes = self._graph.bytes
        return [
            sum(sizes[value] for value, (birth, death) in self._spans.items() if birth < index <= death)
            for index in range(len(self._graph.nodes) + 1)
        ]
