"""All runs of neighbouring operators that could be a stage, and what each would need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tvm import relax

from tinycc.graph import Node, OperatorGraph, Value
from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.ops.footprint import joint_bytes, most_at_once
from tinycc.ops.overlap import overlap_distances
from tinycc.ops.stage import UNCUT, Grid, Stage
from tinycc.plan.row_input import UNDER_WAY_BYTES
from tinycc.schedule.costs import predicted_instructions, run_in_stage
from tinycc.schedule.growing import GrowingStage, Member, Simulation
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

    def __init__(self, graph: OperatorGraph, limits: SearchLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.graph = graph
        self.nodes = self.graph.nodes
        # By operator, whether it accumulates, and rows.
        self._work: dict[tuple[Node, bool, int], tuple[int, int]] = {}

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
        return [stage for stage in self.runs if stage.ring_bytes <= self._most_whole]

    @cached_property
    def runs(self) -> list[Candidate]:
        """Every run of operators that can be a stage.

        Longer stages have more rings, so a run ends where they become twice as many as whole tensors need.
        """
        found = []
        most = 2 * self._most_whole
        streams = [self.streams(node) for node in self.nodes]
        for first in range(len(self.nodes)):
            growing = GrowingStage(self.graph)
            for last in range(first + 1, min(len(self.nodes), first + MOST_MEMBERS) + 1):
                if not streams[last - 1] or not growing.can_grow:
                    break
                simulation = growing.add(self.nodes[last - 1])
                stage = self._grown(self.nodes[first:last], simulation) if last - first > 1 else None
                if stage is None:
                    continue
                if stage.ring_bytes > most:
                    break
                found.append(stage)
        return found

    @cached_property
    def strips(self) -> list[Candidate]:
        """Stages cut into strips of columns, of those whose rings are worth it; less memory for more MACs."""
        found = []
        for whole in self.stages:
            least = whole.live_bytes
            is_worth_it = whole.ring_bytes > self.limits.ring_share * whole.live_bytes
            for count in self.limits.strips if is_worth_it else ():
                cut = self.cut(whole, Grid(strips=count))
                if cut is None:
                    break
                if cut.live_bytes < least:
                    found.append(cut)
                    least = cut.live_bytes
        return found

    def cut(self, stage: Candidate, grid: Grid) -> Candidate | None:
        """A stage cut as `grid` says, None where it cannot be."""
        return self.simulated(stage.run, grid)

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
        try:
            return node.view.runs_by_rows
        except ValueError:
            return False

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

    def _grown(self, run: tuple[Node, ...], simulation: Simulation | None) -> Candidate | None:
        """The stage of a run, which was simulated; None if it cannot be one."""
        if self.graph.row_input is not None and any(map(self.is_awaited, run)):
            return self.simulated(run)
        if simulation is None or not simulation.is_complete or self._escapes(run):
            return None
        overlaps = self._overlaps_of(run, simulation.overlap_distances())
        if overlaps is None:
            return None
        work = [
            self._work_of(member, rows)
            for member, rows in zip(simulation.members, simulation.counts(), strict=True)
        ]
        executed = sum(macs for macs, _ in work)
        once = sum(node.view.macs for node in run if not node.view.is_repeated)
        again = max(0, executed - once)
        rings = simulation.ring_bytes()
        return Candidate(
            self.graph,
            run[0].index,
            run[-1].index + 1,
            self._live_bytes(run, overlaps) + rings,
            macs=once + again,
            extra_macs=again,
            instructions=sum(instructions for _, instructions in work),
            grid=UNCUT,
            row_calls=len(simulation.order),
            ring_bytes=rings,
        )

    def _work_of(self, member: Member, rows: int) -> tuple[int, int]:
        """The multiply-accumulates and the predicted instructions of a member that computes so many rows."""
        key = (member.node, member.accumulator_bytes > 0, rows)
        if key not in self._work:
            view = member.node.view
            pixels = rows * view.outputs[0].width
            macs = view.macs // (member.call.rows * view.outputs[0].width) * pixels
            run = run_in_stage(view, member.call, rows, pixels)
            self._work[key] = macs, run.predicted_instructions
        return self._work[key]

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
        sizes = self.graph.bytes
        around = [value for value, (birth, death) in self._lifetimes.items() if birth < first <= death]
        dying = [value for value in around if value in overlaps and self._lifetimes[value][1] <= last]
        result, *others = (sizes[value] for value in run[-1].results)
        joint = joint_bytes(result, [(sizes[value], overlaps[value]) for value in dying])
        state = 0 if self.graph.row_input is None else UNDER_WAY_BYTES
        return state + joint + sum(others) + sum(sizes[value] for value in around if value not in dying)
