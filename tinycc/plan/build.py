"""Reading the plan off a module whose passes are done."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import read_edges
from tinycc.errors import UnsupportedError
from tinycc.graph import Node, OperatorGraph, Value
from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.ops.base import DEAD_MACS, Operator
from tinycc.ops.footprint import Moments
from tinycc.ops.stage import Ring, Stage
from tinycc.ops.tensor import ITEM_BYTES, Tensor
from tinycc.plan.arena import place_apart
from tinycc.plan.check import check_plan
from tinycc.plan.live import live_bytes
from tinycc.plan.model import Buffer, BufferKind, Plan, Step
from tinycc.plan.row_input import add_row_input
from tinycc.states import read_states


class _Place(NamedTuple):
    """A buffer and what a variable has in it, see Step."""

    buffer: str
    value: str


@dataclass
class _Reader:
    """What has been read so far: buffers by name, and the place of each value in memory."""

    graph: OperatorGraph
    prefix: str = ""
    buffers: dict[str, Buffer] = field(default_factory=dict)
    places: dict[Value, _Place] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def read_parameter(self, value: Value, kind: BufferKind, name: str) -> None:
        """Give a parameter a buffer."""
        tensor = self.graph.tensor_of(value)
        self.places[value] = _Place(self.add(name, kind, tensor.bytes, ITEM_BYTES[tensor.dtype]), name)

    def read_operator(self, node: Node) -> None:
        """Append the step of an operator."""
        operator = node.view
        name = self.name_of(operator)
        operands = [
            None if value is None or value == self.graph.row_input else self.places[value]
            for value in node.operands
        ]
        for index, (value, tensor) in enumerate(zip(node.results, operator.outputs, strict=True)):
            if value in self.graph.written:
                buffer = self.places[self.graph.written[value]].buffer
                self.places[value] = _Place(buffer, f"{buffer} after {name}")
            else:
                item = ITEM_BYTES[tensor.dtype]
                buffer = self.add(f"{name}_out{index or ''}", "activation", tensor.bytes, item)
                self.places[value] = _Place(buffer, buffer)
        scratch = (
            self.add(f"{name}_scratch", "scratch", operator.scratch_bytes, operator.scratch_alignment)
            if operator.scratch_bytes
            else None
        )
        inputs = tuple(None if place is None else place.buffer for place in operands)
        overlaps: dict[str, int] = {}
        for value, distance in node.overlaps.items():
            source = self.places[value].buffer
            overlaps[source] = max(distance, overlaps.get(source, distance))
        results = [self.places[value] for value in node.results]
        outputs = tuple(place.buffer for place in results)
        members = self.read_members(operator, inputs, outputs[0]) if isinstance(operator, Stage) else ()
        reads = tuple(None if place is None else place.value for place in operands)
        writes = tuple(place.value for place in results)
        self.steps.append(Step(name, operator, inputs, outputs, reads, writes, scratch, overlaps, members))

    def name_of(self, operator: Operator) -> str:
        """A name for the next operator of its kind."""
        name = f"{self.prefix}{operator.kind}_{self.counts[operator.kind]}"
        self.counts[operator.kind] += 1
        return name

    def read_members(self, stage: Stage, inputs: tuple[str | None, ...], output: str) -> tuple[Step, ...]:
        """The steps of a stage's members; what they hand on lies in rings."""
        rings = {(ring.member, ring.is_scratch): ring for ring in stage.rings}
        names: list[str | None] = list(inputs)
        steps = []
        for index, member in enumerate(stage.members):
            name = self.name_of(member)
            result, scratch = output, None
            if (index, False) in rings:
                result = self.add_ring(f"{name}_rows", "ring", rings[index, False])
            if (index, True) in rings:
                scratch = self.add_ring(f"{name}_scratch", "scratch", rings[index, True])
            sources = tuple(None if source is None else names[source] for source in stage.sources[index])
            steps.append(Step(name, member, sources, (result,), scratch=scratch))
            names.append(result)
        return tuple(steps)

    def add(self, name: str, kind: BufferKind, size: int, alignment: int, moments: Moments = ()) -> str:
        """A new buffer, born at the step that is about to be appended."""
        step = len(self.steps)
        self.buffers[name] = Buffer(name, kind, size, alignment, step, step, moments)
        return name

    def add_ring(self, name: str, kind: BufferKind, ring: Ring) -> str:
        """A buffer within the stage that is about to be appended."""
        return self.add(name, kind, ring.bytes, ring.alignment, ring.moments)


def build_plan(module: tvm.IRModule, limits: SearchLimits = DEFAULT_LIMITS, prefix: str = "") -> Plan:
    """The plan of a module whose operators are all composites.

    prefix: of the operators' names.
    Raises UnsupportedError for a call that no operator covers.
    """
    return plan_of(OperatorGraph.of(module), limits, prefix)


def plan_of(graph: OperatorGraph, limits: SearchLimits = DEFAULT_LIMITS, prefix: str = "") -> Plan:
    """The plan of a graph; prefix: of the operators' names."""
    reader = _Reader(graph, prefix)
    edge_count = len(graph.parameters) - len(graph.states)
    for index, parameter in enumerate(graph.parameters[:edge_count]):
        if parameter != graph.row_input:
            reader.read_parameter(parameter, "input", f"input{index}")
    for index, parameter in enumerate(graph.states):
        reader.read_parameter(parameter, "state", f"state{index}")
    for node in graph.nodes:
        reader.read_operator(node)
    fed = None if graph.row_input is None else add_row_input(reader.steps, reader.buffers)
    if None in graph.results:
        raise UnsupportedError("a result of the model is a constant: leave it out of the model")
    returned = [value for value in graph.results if value is not None]
    places = [reader.places[value] for value in returned]
    output_count = len(places) - len(graph.states)
    outputs = tuple(place.buffer for place in places[:output_count])
    next_states = [(f"state{index}", place.value) for index, place in enumerate(places[output_count:])]
    states = {f"state{index}": state.initial for index, state in enumerate(read_states(graph.main))}
    inputs = tuple(f"input{index}" for index in range(edge_count))
    if fed is not None:
        inputs = reader.steps[0].members[fed.member].outputs
        states[fed.under_way] = 0
    buffers = _with_lifetimes(reader, outputs)
    steps = tuple(
        _with_dying_overlaps(step, index, buffers, outputs) for index, step in enumerate(reader.steps)
    )
    bound = _lower_bound(steps, buffers)
    overlaps = {(step.outputs[0], source): gap for step in steps for source, gap in step.overlaps.items()}
    exact = {pair for step in steps for pair in step.exact_overlaps}
    placement = place_apart(list(buffers.values()), overlaps, bound, exact, limits)
    plan = Plan(
        steps=steps,
        buffers={name: replace(buffer, offset=placement.offsets[name]) for name, buffer in buffers.items()},
        inputs=inputs,
        outputs=outputs,
        input_tensors=tuple(map(_tensor, graph.parameters[:edge_count])),
        output_tensors=tuple(map(_tensor, tvm_adapter.returned(graph.main)[:output_count])),
        state_values=states,
        results=(*places[:output_count], *next_states),
        edges=read_edges(graph.module),
        arena_bytes=placement.arena_bytes,
        lower_bound_bytes=bound,
        optimal=placement.optimal,
        solver=placement.solver,
        dead_macs=int(tvm_adapter.attribute(graph.main, DEAD_MACS, 0)),
        row_input=fed,
    )
    check_plan(plan)
    return plan


def _tensor(expr: relax.Expr) -> Tensor:
    return Tensor(tvm_adapter.shape_of(expr), tvm_adapter.dtype_of(expr))


def _with_lifetimes(reader: _Reader, outputs: tuple[str, ...]) -> dict[str, Buffer]:
    """Buffers that live until their last reader; outputs and states until the end."""
    last = dict.fromkeys(reader.buffers, 0)
    for index, step in enumerate(reader.steps):
        for name in (*step.inputs, *step.outputs):
            if name is not None:
                last[name] = index
    end = max(0, len(reader.steps) - 1)
    buffers = {}
    for name, buffer in reader.buffers.items():
        kept = name in outputs or buffer.kind == "state"
        kind: BufferKind = "output" if name in outputs and buffer.kind == "activation" else buffer.kind
        last_step = end if kept else max(last[name], buffer.first_step)
        buffers[name] = replace(buffer, kind=kind, last_step=last_step)
    return buffers


def _with_dying_overlaps(
    step: Step, index: int, buffers: dict[str, Buffer], outputs: tuple[str, ...]
) -> Step:
    """Keep the overlaps of what is made at this step with inputs that die; the model's outputs outlive it."""
    dying = {
        source: distance
        for source, distance in step.overlaps.items()
        if buffers[step.outputs[0]].kind != "state"
        and buffers[source].last_step == index
        and buffers[source].kind in ("activation", "input")
        and source not in (*step.outputs, *outputs)
    }
    return replace(step, overlaps=dying)


def _lower_bound(steps: tuple[Step, ...], buffers: dict[str, Buffer]) -> int:
    if not steps:
        return sum(buffer.bytes for buffer in buffers.values())
    return max(live_bytes(steps, buffers))
