"""All runs of neighbouring operators that could be a stage, and what each would need."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import tvm

from tinycc.graph import Node, OperatorGraph, Value
from tinycc.ops.footprint import joint_bytes, most_at_once
from tinycc.ops.overlap import overlap_distances
from tinycc.ops.stage import UNCUT, Grid, Stage
from tinycc.plan.row_input import UNDER_WAY_BYTES
from tinycc.schedule.costs import predicted_instructions
from tinycc.schedule.other_kernels import by_kernel
from tinycc.schedule.stages import stage_inputs, stage_of

# The order of row calls is a table of bytes.
MOST_MEMBERS = 255
# Into how many strips of columns stages are cut, where their rings take this share of what is live.
STRIPS = (2, 3, 4, 6, 8)
RING_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Candidate:
    """Operators [first, last) of main as one step, on whole tensors or as a stage.

    stage: its view, None for an operator on whole tensors.
    node: of that, where another kernel runs it than the one that was chosen; else None.
    live_bytes: the least memory that holds all that is live while it runs.
    macs: what it executes; extra_macs of them are of elements that were computed before.
    instructions: what it is predicted to execute.
    row_calls, ring_bytes: of a stage, how many rows it computes one by one, and what its rings take; 0 on
        whole tensors.
    """

    first: int
    last: int
    stage: Stage | None
    live_bytes: int
    macs: int
    row_calls: int
    ring_bytes: int = 0
    extra_macs: int = 0
    instructions: int = 0
    node: Node | None = None

    @property
    def members(self) -> int:
        """How many operators a stage has; 0 on whole tensors."""
        return self.last - self.first if self.stage is not None else 0

    @property
    def grid(self) -> Grid:
        """How a stage is cut."""
        return UNCUT if self.stage is None else self.stage.grid

    @property
    def is_fed(self) -> bool:
        """Whether it takes rows from outside."""
        return self.stage is not None and self.stage.awaited is not None


class Candidates:
    """What `main` of a module in its final order could be cut into."""

    def __init__(self, module: tvm.IRModule) -> None:
        self.graph = OperatorGraph.of(module)
        self.nodes = self.graph.nodes

    @cached_property
    def whole(self) -> list[Candidate]:
        """Every operator by itself, on whole tensors; not the one that takes rows from outside."""
        return [self._single(node) for node in self.nodes if not self.is_awaited(node)]

    @cached_property
    def sparing(self) -> list[Candidate]:
        """Operators by themselves, run by kernels that need less memory than the chosen ones."""
        found = []
        for whole in self.whole:
            chosen = self.nodes[whole.first]
            for view in chosen.view.traded("memory"):
                node = by_kernel(chosen, view)
                candidate = replace(self._single(node), node=node)
                found += [candidate] if candidate.live_bytes < whole.live_bytes else []
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
            for last in range(first + 1, min(len(self.nodes), first + MOST_MEMBERS) + 1):
                if not streams[last - 1]:
                    break
                stage = self._stage(first, last) if last - first > 1 else None
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
            for count in STRIPS if whole.ring_bytes > RING_SHARE * whole.live_bytes else ():
                cut = self.cut(whole, Grid(strips=count))
                if cut is None:
                    break
                if cut.live_bytes < least:
                    found.append(cut)
                    least = cut.live_bytes
        return found

    def cut(self, stage: Candidate, grid: Grid) -> Candidate | None:
        """A stage cut as `grid` says, None where it cannot be."""
        return self._stage(stage.first, stage.last, grid)

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
        live = self._live_bytes(node.index, node.index + 1, node.overlaps) + view.scratch_bytes
        return Candidate(
            node.index,
            node.index + 1,
            None,
            live,
            macs=view.macs,
            row_calls=0,
            extra_macs=view.extra_macs,
            instructions=predicted_instructions(view),
        )

    def _stage(self, first: int, last: int, grid: Grid = UNCUT) -> Candidate | None:
        """The stage of a run, cut as `grid` says; None if it cannot be one."""
        run = self.nodes[first:last]
        if any(self._lifetimes[value][1] >= last for node in run[:-1] for value in node.results):
            return None
        stage = stage_of(self.graph, run, grid)
        try:
            calls = stage.stream.order
            rings = most_at_once((ring.bytes, ring.moments) for ring in stage.rings)
        except ValueError:
            return None
        if len(set(calls)) < len(stage.members):
            return None
        gaps: dict[Value, int] = {}
        inputs = [self.graph.values[variable] for variable in stage_inputs(self.graph, run)]
        distances = overlap_distances(stage)
        for key, value in enumerate(inputs):
            if value == self.graph.written.get(run[-1].results[0]) and distances.get(str(key), 1) > 0:
                return None  # Rows of a state would be overwritten before they are read.
            if str(key) in distances:
                gaps[value] = max(distances[str(key)], gaps.get(value, distances[str(key)]))
        live = self._live_bytes(first, last, gaps) + rings + stage.scratch_bytes
        return Candidate(
            first,
            last,
            stage,
            live,
            macs=stage.macs + stage.extra_macs,
            row_calls=len(calls) * grid.strips,
            ring_bytes=rings,
            extra_macs=stage.extra_macs,
            instructions=predicted_instructions(stage),
        )

    def _live_bytes(self, first: int, last: int, gaps: Mapping[Value, int]) -> int:
        """What is live while operators [first, last) run, tensors between them left out.

        gaps: overlap distance of the result to the tensors it may overlap.
        """
        sizes = self.graph.bytes
        around = [value for value, (birth, death) in self._lifetimes.items() if birth < first <= death]
        dying = [value for value in around if value in gaps and self._lifetimes[value][1] < last]
        result, *others = (sizes[value] for value in self.nodes[last - 1].results)
        joint = joint_bytes(result, [(sizes[value], gaps[value]) for value in dying])
        state = 0 if self.graph.row_input is None else UNDER_WAY_BYTES
        return state + joint + sum(others) + sum(sizes[value] for value in around if value not in dying)
