"""Runs of neighbouring operators that can be executed row by row, grown operator by operator."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import Node, OperatorGraph
from tinycc.ops.base import Operator
from tinycc.schedule.figures import Outside, StageFigures
from tinycc.schedule.growing import GrownStage
from tinycc.schedule.lifetimes import Lifetimes

# The order of row calls is a table of bytes.
MOST_MEMBERS = 255


@dataclass(frozen=True, eq=False)
class Run:
    """Operators [first, last) of a graph, and their stage; nothing between them is read behind them.

    outside: the variables that they read from outside, in order.
    """

    first: int
    last: int
    stage: GrownStage
    outside: tuple[relax.Var, ...]

    @cached_property
    def uncut(self) -> StageFigures:
        """What its stage needs uncut."""
        figures = self.stage.figures()
        assert figures is not None
        return figures


class Runs:
    """Those of a graph."""

    def __init__(self, graph: OperatorGraph, lifetimes: Lifetimes, tree: GrownStage) -> None:
        """tree: the stage of no operators, with all that is known of those that begin with it."""
        self._graph = graph
        self._lifetimes = lifetimes
        self._tree = tree
        self._reads = _reads_of(graph)

    def beginning_at(self, first: int, most_ring_bytes: int) -> Iterator[Run]:
        """All of two operators or more, the shortest first.

        Longer stages have more rings, so it ends where they become more than `most_ring_bytes`.
        """
        growing = _GrowingRun(first, self._tree)
        for last in range(first + 1, min(len(self._reads), first + MOST_MEMBERS) + 1):
            node = self._graph.nodes[last - 1]
            if growing.stage is None or not streams(node.view):
                return
            stage = growing.add(self._reads[last - 1], node)
            if stage is None or last - first == 1 or self._lifetimes.escapes(first, last):
                continue
            if stage.figures() is not None:
                run = Run(first, last, stage, tuple(growing.outside))
                if run.uncut.ring_bytes > most_ring_bytes:
                    return
                yield run

    def of(self, first: int, last: int) -> Run:
        """One that there is."""
        growing, stage = _GrowingRun(first, self._tree), None
        for index in range(first, last):
            stage = growing.add(self._reads[index], self._graph.nodes[index])
        assert stage is not None
        return Run(first, last, stage, tuple(growing.outside))


@lru_cache(1 << 14)
def streams(view: Operator) -> bool:
    """Whether an operator may be part of a stage at all."""
    try:
        return view.runs_by_rows
    except ValueError:
        return False


@dataclass(frozen=True, eq=False)
class _Read:
    """A variable that an operator reads.

    maker: the index of the operator that makes it; -1 where that is none.
    """

    variable: relax.Var
    maker: int
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, variable: relax.Var, maker: Node | None) -> "_Read":
        index = -1 if maker is None else maker.index
        return cls(variable, index, tvm_adapter.shape_of(variable), tvm_adapter.dtype_of(variable))


def _reads_of(graph: OperatorGraph) -> list[tuple[_Read | None, ...]]:
    """What each operator reads, for each input of its view; None for constants."""
    makers, values = graph.makers, graph.values
    reads = []
    for node in graph.nodes:
        arguments = [
            None if tensor.parameter is None else node.call.args[tensor.parameter]
            for tensor in node.view.inputs
        ]
        reads.append(
            tuple(
                None if variable is None else _Read.of(variable, makers.get(values[variable]))
                for variable in arguments
            )
        )
    return reads


class _GrowingRun:
    """A run of operators from one on, that becomes longer, and its stage.

    stage: None where no operator may follow. outside: what it reads from outside, in order, with its place.
    """

    def __init__(self, first: int, tree: GrownStage) -> None:
        self._first = first
        self._last = first - 1
        self.stage: GrownStage | None = tree
        self.outside: dict[relax.Var, int] = {}

    def add(self, reads: Sequence[_Read | None], node: Node) -> GrownStage | None:
        """The stage that ends with one more operator; None where that cannot run row by row."""
        assert self.stage is not None
        growth = self.stage.grown(node.view, tuple(map(self._source, reads)))
        self._last = node.index
        self.stage = growth.by_rows
        return growth.ended

    def _source(self, read: _Read | None) -> int | Outside | None:
        if read is None:
            return None
        if self._first <= read.maker <= self._last:
            return read.maker - self._first
        index = self.outside.setdefault(read.variable, len(self.outside))
        return Outside(index, read.shape, read.dtype)
