"""All runs of neighbouring operators that could be a stage, and what each would need."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import Node, OperatorGraph, Value
from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.ops.base import Operator
from tinycc.ops.footprint import joint_bytes, most_at_once
from tinycc.ops.overlap import overlap_distances
from tinycc.ops.stage import UNCUT, Grid, Stage
from tinycc.plan.row_input import UNDER_WAY_BYTES
from tinycc.schedule.costs import predicted_instructions
from tinycc.schedule.figures import Outside
from tinycc.schedule.growing import GrownStage
from tinycc.schedule.other_kernels import by_kernel
from tinycc.schedule.stages import stage_inputs, stage_of

# The order of row calls is a table of bytes.
MOST_MEMBERS = 255


@dataclass(frozen=True, eq=False)
class Candidate:
    """Operators [first, last) of a graph as one step, on whole tensors or as a stage.

    node: the operator by itself, where another kernel runs it than the one that was chosen; else None.
    grid: how a stage is cut, None for an operator on whole tensors.
    live_bytes: the least memory that holds all that is live while it runs.
    macs: what it executes; extra_macs of them are of elements that were computed before.
    instructions: what it is predicted to execute.
    row_calls, ring_bytes: of a stage, how many rows it computes one by one, and what its rings take; 0 on
        whole tensors.
    """

    graph: OperatorGraph
    first: int
    last: int
    live_bytes: int
    macs: int
    extra_macs: int
    instructions: int
    grid: Grid | None = None
    row_calls: int = 0
    ring_bytes: int = 0
    node: Node | None = None

    @property
    def run(self) -> tuple[Node, ...]:
        """Its operators."""
        return self.graph.nodes[self.first : self.last]

    @property
    def members(self) -> int:
        """How many operators a stage has; 0 on whole tensors."""
        return 0 if self.grid is None else self.last - self.first

    @property
    def is_fed(self) -> bool:
        """Whether it takes rows from outside."""
        return any(self.graph.row_input in node.reads for node in self.run)

    @cached_property
    def stage(self) -> Stage | None:
        """The view of a stage; None on whole tensors."""
        return None if self.grid is None else stage_of(self.graph, self.run, self.grid)


class Candidates:
    """What a graph in its final order could be cut into."""

    def __init__(
        self,
        graph: OperatorGraph,
        limits: SearchLimits = DEFAULT_LIMITS,
        tree: GrownStage | None = None,
    ) -> None:
        """tree: the stage of no operators, with all that is known of those that begin with it."""
        self.limits = limits
        self.graph = graph
        self.nodes = self.graph.nodes
        self._tree = GrownStage() if tree is None else tree
        self._origins: dict[tuple[int, int], tuple[tuple[relax.Var, ...], GrownStage]] = {}

    @cached_property
    def whole(self) -> list[Candidate]:
        """Every operator by itself, on whole tensors; not the one that takes rows from outside."""
        return [self._single(node) for node in self.nodes if not self.is_awaited(node)]

    @cached_property
    def traded(self) -> list[Candidate]:
        """Operators by themselves, run by kernels for whole tensors alone where those take less of something.

        Less memory than the chosen kernels, or fewer instructions.
        """
        found = []
        for whole in self.whole:
            chosen = self.nodes[whole.first]
            for view in chosen.view.traded("rows"):
                node = by_kernel(chosen, view)
                candidate = replace(self._single(node), node=node)
                if candidate.live_bytes < whole.live_bytes or candidate.instructions < whole.instructions:
                    found.append(candidate)
        return found

    @cached_property
    def most_whole(self) -> int:
        """What whole tensors need at most, an input that comes row by row included."""
        row_input = self.graph.row_input
        fed = 0 if row_input is None else self.graph.tensor_of(row_input).bytes
        return fed + max((candidate.live_bytes for candidate in self.whole), default=0)

    @cached_property
    def stages(self) -> list[Candidate]:
        """Runs of operators that can be a stage, whose rings alone need no more than whole tensors do."""
        return self._runs_within(self.most_whole)

    @cached_property
    def runs(self) -> list[Candidate]:
        """Every run of operators that can be a stage, up to twice what whole tensors need for its rings."""
        return self._runs_within(2 * self.most_whole)

    def _runs_within(self, most_ring_bytes: int) -> list[Candidate]:
        return [run for first in range(len(self.nodes)) for run in self.stages_from(first, most_ring_bytes)]

    def stages_from(
        self, first: int, most_ring_bytes: int, most_bytes: int | None = None, strips: int = 1
    ) -> Iterator[Candidate]:
        """Every run of operators from `first` on that can be a stage.

        Longer stages have more rings, so a run ends where they become more than `most_ring_bytes`.
        most_bytes: stages are left out that need more than this for certain, even if their rings were of so
            many `strips`.
        """
        growing = _GrowingRun(first, self._tree)
        for last in range(first + 1, min(len(self.nodes), first + MOST_MEMBERS) + 1):
            if growing.stage is None or not self.streams(self.nodes[last - 1]):
                break
            stage = growing.add(self._reads[last - 1], self.nodes[last - 1])
            if stage is None or last - first == 1 or self._escapes(self.nodes[first:last]):
                continue
            figures = stage.figures()
            if figures is None:
                continue
            ring_bytes = figures.ring_bytes
            if ring_bytes > most_ring_bytes:
                break
            if most_bytes is not None and self._held_around(first, last) + ring_bytes // strips > most_bytes:
                continue
            self._origins[first, last] = tuple(growing.outside), stage
            candidate = self._grown(self.nodes[first:last], growing.outside, stage)
            if candidate is not None:
                yield candidate

    def _held_around(self, first: int, last: int) -> int:
        """What is live both while operators [first, last) begin and while they end, at least."""
        fed = 0 if self.graph.row_input is None else UNDER_WAY_BYTES
        return fed + max(self._bytes_at[first], self._bytes_at[last])

    @cached_property
    def strips(self) -> list[Candidate]:
        """Stages cut into strips of columns, of those whose rings are worth it; less memory for more MACs."""
        return self.strips_within(self.stages, self.most_whole)

    def strips_within(self, stages: Iterable[Candidate], most_bytes: int) -> list[Candidate]:
        """The strips of stages that need no more than this, each less than what fewer strips need."""
        return [cut for stage in stages for cut in self.strips_of(stage, most_bytes)]

    def strips_of(self, stage: Candidate, most_bytes: int) -> Iterator[Candidate]:
        """Those of one stage."""
        least = min(stage.live_bytes, most_bytes + 1)
        for count in self.limits.strips if self.is_worth_cutting(stage) else ():
            if least_cut(stage, count) >= least:
                continue
            cut = self.cut(stage, Grid(strips=count), least - 1)
            if cut is not None and cut.live_bytes < least:
                yield cut
                least = cut.live_bytes

    def is_worth_cutting(self, stage: Candidate) -> bool:
        """Whether rings are a good part of what a stage needs."""
        return stage.ring_bytes > self.limits.ring_share * stage.live_bytes

    def cut(self, stage: Candidate, grid: Grid, most_bytes: int | None = None) -> Candidate | None:
        """A stage cut as `grid` says, None where it cannot be, or needs more than this for certain."""
        if grid.bands > 1 or grid.by_layers:
            return self.simulated(stage.run, grid)
        outside, grown = self._origin(stage)
        figures = grown.figures(grid.strips)
        if figures is None or (
            most_bytes is not None
            and self._held_around(stage.first, stage.last) + figures.ring_bytes > most_bytes
        ):
            return None
        return self._grown(stage.run, outside, grown, grid)

    def _origin(self, stage: Candidate) -> tuple[tuple[relax.Var, ...], GrownStage]:
        """What a stage reads from outside, and what is known of it."""
        return self._origins[stage.first, stage.last]

    def output_shape(self, candidate: Candidate) -> tuple[int, ...]:
        """Of what its last operator makes."""
        return self.nodes[candidate.last - 1].view.outputs[0].shape

    def depending_on(self, node: Node) -> set[Node]:
        """All operators that need the result of one, directly or not."""
        needing: set[Node] = set()
        values = set(node.results)
        for later in self.nodes[node.index + 1 :]:
            if values.intersection(later.reads):
                needing.add(later)
                values.update(later.results)
        return needing

    def is_awaited(self, node: Node) -> bool:
        """Whether an operator takes rows from outside, which it can only do in a stage."""
        return self.graph.row_input in node.reads

    def accumulates(self, node: Node) -> bool:
        """Whether an operator can take in its input row by row and reduces it."""
        view = node.view
        return bool(view.inputs) and view.accumulating_kernel(view.inputs[0].height) is not None

    def streams(self, node: Node) -> bool:
        """Whether an operator may be part of a stage at all."""
        return _streams(node.view)

    @cached_property
    def _reads(self) -> list[tuple["_Read | None", ...]]:
        """What each operator reads, for each input of its view; None for constants."""
        makers, values = self.graph.makers, self.graph.values
        reads = []
        for node in self.nodes:
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

    @cached_property
    def _last_reads(self) -> list[int]:
        """Of each operator, the last that reads a result of it."""
        return [max(self._lifetimes[value][1] for value in node.results) for node in self.nodes]

    @cached_property
    def _lifetimes(self) -> dict[Value, tuple[int, int]]:
        """From the operator that makes a value, -1 for parameters, to the last that reads it."""
        graph, lifetimes = self.graph, {}
        for value, readers in graph.readers.items():
            birth = graph.makers[value].index if value in graph.makers else -1
            last = max((node.index for node in readers), default=birth)
            lifetimes[value] = (birth, len(self.nodes) if value in graph.kept else last)
        return lifetimes

    def _single(self, node: Node) -> Candidate:
        view = node.view
        return Candidate(
            self.graph,
            node.index,
            node.index + 1,
            self._live_bytes((node,), node.overlaps) + view.scratch_bytes,
            macs=view.macs,
            extra_macs=view.extra_macs,
            instructions=predicted_instructions(view),
        )

    def _grown(
        self, run: tuple[Node, ...], outside: Iterable[relax.Var], stage: GrownStage, grid: Grid = UNCUT
    ) -> Candidate | None:
        """A run as a stage that was simulated; None if it cannot be one.

        outside: what it reads from outside, by index.
        """
        figures = None if self._escapes(run) else stage.figures(grid.strips)
        if figures is None:
            return None
        variables = list(outside)
        overlaps = self._overlaps_of(
            run, {variables[index]: distance for index, distance in figures.distances}
        )
        if overlaps is None:
            return None
        return Candidate(
            self.graph,
            run[0].index,
            run[-1].index + 1,
            self._live_bytes(run, overlaps) + figures.ring_bytes + figures.waiting_bytes,
            macs=figures.work.macs,
            extra_macs=figures.work.extra_macs,
            instructions=figures.work.instructions,
            grid=grid,
            row_calls=figures.work.row_calls,
            ring_bytes=figures.ring_bytes,
        )

    def _escapes(self, run: Sequence[Node]) -> bool:
        """Whether anything but the last result of a run is read behind it."""
        return max(self._last_reads[run[0].index : run[-1].index], default=0) > run[-1].index

    def simulated(self, run: tuple[Node, ...], grid: Grid = UNCUT) -> Candidate | None:
        """The stage of a run, cut as `grid` says; None if it cannot be one."""
        if self._escapes(run):
            return None
        stage = stage_of(self.graph, run, grid)
        try:
            calls = stage.stream.order
            rings = most_at_once((ring.bytes, ring.moments) for ring in stage.rings)
        except ValueError:
            return None
        if len(set(calls)) < len(stage.members):
            return None
        inputs = stage_inputs(self.graph, run)
        distances = overlap_distances(stage)
        overlaps = self._overlaps_of(run, {inputs[int(key)]: distances[key] for key in distances})
        if overlaps is None:
            return None
        return Candidate(
            self.graph,
            run[0].index,
            run[-1].index + 1,
            self._live_bytes(run, overlaps) + rings + stage.scratch_bytes,
            macs=stage.macs + stage.extra_macs,
            extra_macs=stage.extra_macs,
            instructions=predicted_instructions(stage),
            grid=grid,
            row_calls=len(calls) * grid.strips,
            ring_bytes=rings,
        )

    def _overlaps_of(
        self, run: Sequence[Node], distances: Mapping[relax.Var, int]
    ) -> dict[Value, int] | None:
        """Overlap distances of a stage's result to values; None where it would overwrite rows of a state.

        distances: to the variables that it reads from outside.
        """
        values, state = self.graph.values, self.graph.written.get(run[-1].results[0])
        if state is not None:
            reads = [variable for variable in stage_inputs(self.graph, run) if values[variable] == state]
            if any(distances.get(variable, 1) > 0 for variable in reads):
                return None
        overlaps: dict[Value, int] = {}
        for variable, distance in distances.items():
            overlaps[values[variable]] = max(distance, overlaps.get(values[variable], distance))
        return overlaps

    def _live_bytes(self, run: Sequence[Node], overlaps: Mapping[Value, int]) -> int:
        """What is live while a run of operators is executed, tensors between them left out.

        overlaps: overlap distances of the result to the values that it may overlap.
        """
        first, last = run[0].index, run[-1].index
        sizes, lifetimes = self.graph.bytes, self._lifetimes
        dying = [value for value in overlaps if lifetimes[value][0] < first <= lifetimes[value][1] <= last]
        result, *others = (sizes[value] for value in run[-1].results)
        joint = joint_bytes(result, [(sizes[value], overlaps[value]) for value in dying])
        state = 0 if self.graph.row_input is None else UNDER_WAY_BYTES
        return state + joint + sum(others) + self._bytes_at[first] - sum(sizes[value] for value in dying)

    @cached_property
    def _bytes_at(self) -> list[int]:
        """Before each operator what is live, of what was made before it."""
        sizes, lifetimes = self.graph.bytes, self._lifetimes
        return [
            sum(sizes[value] for value, (birth, death) in lifetimes.items() if birth < index <= death)
            for index in range(len(self.nodes) + 1)
        ]


def least_cut(stage: Candidate, strips: int) -> int:
    """What a stage needs at least when it is cut: rings become narrower, and nothing else less."""
    return stage.live_bytes - stage.ring_bytes + stage.ring_bytes // strips


@functools.lru_cache(1 << 14)
def _streams(view: Operator) -> bool:
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
