"""All runs of neighbouring operators that could be a stage, and what each would need."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tvm import relax

from tinycc.graph import Node, OperatorGraph, Value
from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.ops.footprint import most_at_once
from tinycc.ops.overlap import overlap_distances
from tinycc.ops.stage import UNCUT, Grid, Stage
from tinycc.schedule.costs import predicted_instructions
from tinycc.schedule.figures import StageFigures
from tinycc.schedule.growing import GrownStage
from tinycc.schedule.lifetimes import Lifetimes
from tinycc.schedule.other_kernels import by_kernel
from tinycc.schedule.runs import Run, Runs, streams
from tinycc.schedule.stages import stage_inputs, stage_of


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
        self.lifetimes = Lifetimes(graph)
        self._runs = Runs(graph, self.lifetimes, GrownStage() if tree is None else tree)
        self._hopes: dict[Candidate, Run] = {}
        self._stages: dict[tuple[int, int, Grid], Candidate | None] = {}

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
        return self._stages_of(self._useful_runs)

    @cached_property
    def runs(self) -> list[Candidate]:
        """Every run of operators that can be a stage, up to twice what whole tensors need for its rings."""
        return self._stages_of(self._all_runs(2 * self.most_whole))

    @cached_property
    def strips(self) -> list[Candidate]:
        """Stages cut into strips of columns, of those whose rings are worth it; less memory for more MACs."""
        return [cut for run in self._useful_runs for cut in self.strips_of(run, self.most_whole)]

    @cached_property
    def _useful_runs(self) -> list[Run]:
        return self._all_runs(self.most_whole)

    def _all_runs(self, most_ring_bytes: int) -> list[Run]:
        starts = range(len(self.nodes))
        return [run for first in starts for run in self.runs_from(first, most_ring_bytes)]

    def _stages_of(self, runs: Sequence[Run]) -> list[Candidate]:
        return [stage for run in runs if (stage := self.stage_of(run)) is not None]

    def runs_from(self, first: int, most_ring_bytes: int) -> Iterator[Run]:
        """Runs that begin at an operator, whose rings alone need no more than this."""
        return self._runs.beginning_at(first, most_ring_bytes)

    def strips_of(self, run: Run, most_bytes: int) -> Iterator[Candidate]:
        """A run in strips that need no more than this, each less than what fewer strips need.

        None where rings are too little of what it needs uncut.
        """
        if not self.is_worth_cutting(run):
            return
        least = most_bytes + 1
        if self.least_bytes(run) < least:
            uncut = self.stage_of(run)
            least = least if uncut is None else min(uncut.live_bytes, least)
        for count in self.limits.strips:
            grid = Grid(strips=count)
            if self.least_bytes(run, count) < least:
                cut = self.stage_of(run, grid)
                if cut is not None and cut.live_bytes < least:
                    yield cut
                    least = cut.live_bytes

    def is_worth_cutting(self, run: Run) -> bool:
        """Whether rings are a good part of what a run needs uncut."""
        share, rings = self.limits.ring_share, run.uncut.ring_bytes
        most = self.lifetimes.live_bytes(run.first, run.last, {}) + rings + run.uncut.waiting_bytes
        if rings > share * most:
            return True
        stage = self.stage_of(run)
        return stage is not None and rings > share * stage.live_bytes

    def least_bytes(self, run: Run, strips: int = 1) -> float:
        """What a run in so many strips needs at least; infinite where it cannot be cut so."""
        figures = run.stage.figures(strips)
        if figures is None:
            return math.inf
        return self.lifetimes.least_bytes(run.first, run.last) + figures.ring_bytes + figures.waiting_bytes

    def cut(self, stage: Candidate, grid: Grid) -> Candidate | None:
        """A stage cut as `grid` says, None where it cannot be."""
        if grid.bands > 1 or grid.by_layers:
            return self.simulated(stage.run, grid)
        return self.stage_of(self._runs.of(stage.first, stage.last), grid)

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
        return streams(node.view)

    def _single(self, node: Node) -> Candidate:
        view = node.view
        first, last = node.index, node.index + 1
        return Candidate(
            self.graph,
            first,
            last,
            self.lifetimes.live_bytes(first, last, node.overlaps) + view.scratch_bytes,
            macs=view.macs,
            extra_macs=view.extra_macs,
            instructions=predicted_instructions(view),
        )

    def stage_of(self, run: Run, grid: Grid = UNCUT) -> Candidate | None:
        """A run as a stage, in strips where `grid` says so; None where it cannot be one."""
        key = (run.first, run.last, grid)
        if key not in self._stages:
            self._stages[key] = self._stage_of(run, grid)
        return self._stages[key]

    def _stage_of(self, run: Run, grid: Grid) -> Candidate | None:
        figures = run.stage.figures(grid.strips)
        if figures is None:
            return None
        distances = {run.outside[index]: distance for index, distance in figures.distances}
        overlaps = self._overlaps_of(self.nodes[run.first : run.last], distances)
        if overlaps is None:
            return None
        live = self.lifetimes.live_bytes(run.first, run.last, overlaps)
        return self._stage(run, grid, figures, live)

    def _stage(self, run: Run, grid: Grid, figures: StageFigures, tensor_bytes: int) -> Candidate:
        """tensor_bytes: what is live beside rings."""
        return Candidate(
            self.graph,
            run.first,
            run.last,
            tensor_bytes + figures.ring_bytes + figures.waiting_bytes,
            macs=figures.work.macs,
            extra_macs=figures.work.extra_macs,
            instructions=figures.work.instructions,
            grid=grid,
            row_calls=figures.work.row_calls,
            ring_bytes=figures.ring_bytes,
        )

    def hope_of(self, run: Run, strips: int = 1) -> Candidate | None:
        """A run in so many strips as if it needed as little as it may; None where it cannot be cut so.

        What it needs in fact is known of `exact`.
        """
        figures = run.stage.figures(strips)
        if figures is None:
            return None
        least = self.lifetimes.least_bytes(run.first, run.last)
        hope = self._stage(run, Grid(strips=strips), figures, least)
        self._hopes[hope] = run
        return hope

    def hopes_of(self, run: Run) -> Iterator[Candidate]:
        """Those of a run in strips whose rings are less than uncut."""
        if self.is_worth_cutting(run):
            for strips in self.limits.strips:
                hope = self.hope_of(run, strips)
                if hope is not None and hope.ring_bytes < run.uncut.ring_bytes:
                    yield hope

    def exact(self, candidate: Candidate) -> Candidate | None:
        """What a hope is in fact, None where it cannot be run so; any other candidate itself."""
        run = self._hopes.get(candidate)
        return candidate if run is None or candidate.grid is None else self.stage_of(run, candidate.grid)

    def simulated(self, run: tuple[Node, ...], grid: Grid = UNCUT) -> Candidate | None:
        """The stage of a run, cut as `grid` says; None if it cannot be one."""
        first, last = run[0].index, run[-1].index + 1
        if self.lifetimes.escapes(first, last):
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
            first,
            last,
            self.lifetimes.live_bytes(first, last, overlaps) + rings + stage.scratch_bytes,
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
