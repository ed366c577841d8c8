"""All runs of neighbouring operators that could be a stage, and what each would need."""

import functools
from collections.abc import Iterable, Mapping, Sequence
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
    def _most_whole(self) -> int:
        """What whole tensors need at most, an input that comes row by row included."""
        row_input = self.graph.row_input
        fed = 0 if row_input is None else self.graph.tensor_of(row_input).bytes
        return fed + max((candidate.live_bytes for candidate in self.whole), default=0)

    @cached_property
    def stages(self) -> list[Candidate]:
        """Runs of operators that can be a stage, whose rings alone need no more than whole tensors do."""
        return self.stages_within(self._most_whole)

    def stages_within(self, most_bytes: int) -> list[Candidate]:
        """Those whose rings alone need no more than this, either."""
        most = min(most_bytes, self._most_whole)
        return [stage for stage in self._runs_within(most) if stage.ring_bytes <= most]

    @cached_property
    def runs(self) -> list[Candidate]:
        """Every run of operators that can be a stage, up to twice what whole tensors need for its rings."""
        return self._runs_within(2 * self._most_whole)

    def _runs_within(self, most_ring_bytes: int) -> list[Candidate]:
        """Every run of operators that can be a stage.

        Longer stages have more rings, so a run ends where they become more than this.
        """
        found = []
        streams = [self.streams(node) for node in self.nodes]
        for first in range(len(self.nodes)):
            growing = _GrowingRun(first, self._tree)
            for last in range(first + 1, min(len(self.nodes), first + MOST_MEMBERS) + 1):
                if not streams[last - 1] or growing.stage is None:
                    break
                stage = growing.add(self._reads[last - 1], self.nodes[last - 1])
                candidate = None
                if stage is not None and last - first > 1:
                    candidate = self._grown(self.nodes[first:last], growing.outside, stage)
                if candidate is None:
                    continue
                if candidate.ring_bytes > most_ring_bytes:
                    break
                found.append(candidate)
        return found

    @cached_property
    def strips(self) -> list[Candidate]:
        """Stages cut into strips of columns, of those whose rings are worth it; less memory for more MACs."""
        return self.strips_within(self.stages, self._most_whole)

    def hopes_within(self, most_bytes: int) -> dict[Candidate, Candidate]:
        """Stages that cut might need no more than this, as if they did, with those themselves."""
        most_strips = max(self.limits.strips, default=1)
        hopes = {}
        for stage in self.stages_within(most_strips * most_bytes):
            least = _least_cut(stage, most_strips)
            if self._is_worth_cutting(stage) and least <= most_bytes:
                hopes[replace(stage, live_bytes=least)] = stage
        return hopes

    def strips_within(self, stages: Iterable[Candidate], most_bytes: int) -> list[Candidate]:
        """The strips of stages that need no more than this, each less than what fewer strips need."""
        found = []
        for whole in stages:
            least = min(whole.live_bytes, most_bytes + 1)
            for count in self.limits.strips if self._is_worth_cutting(whole) else ():
                if _least_cut(whole, count) >= least:
                    continue
                cut = self.cut(whole, Grid(strips=count))
                if cut is None:
                    break
                if cut.live_bytes < least:
                    found.append(cut)
                    least = cut.live_bytes
        return found

    def _is_worth_cutting(self, stage: Candidate) -> bool:
        return stage.ring_bytes > self.limits.ring_share * stage.live_bytes

    def cut(self, stage: Candidate, grid: Grid) -> Candidate | None:
        """A stage cut as `grid` says, None where it cannot be."""
        if grid.bands > 1 or grid.by_layers:
            return self.simulated(stage.run, grid)
        growing, grown = _GrowingRun(stage.first, self._tree), None
        for node in stage.run:
            grown = growing.add(self._reads[node.index], node)
        assert grown is not None
        return self._grown(stage.run, growing.outside, grown, grid)

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
            for index in range(len(self.nodes))
        ]


def _least_cut(stage: Candidate, strips: int) -> int:
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
