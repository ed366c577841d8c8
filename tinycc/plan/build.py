"""Reading the plan off a module whose passes are done."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import read_edges
from tinycc.errors import UnsupportedError
from tinycc.ops import view_of
from tinycc.ops.base import DEAD_MACS, Operator
from tinycc.ops.composite import VIEWS
from tinycc.ops.footprint import Moments
from tinycc.ops.input_rows import row_input
from tinycc.ops.overlap import OVERLAP_DISTANCES
from tinycc.ops.stage import Ring, Stage
from tinycc.ops.states import Overwrites, Value
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
    """What has been read so far: buffers by name and the place, or places, of each variable."""

    module: tvm.IRModule
    overwrites: Overwrites
    buffers: dict[str, Buffer] = field(default_factory=dict)
    storage: dict[relax.Var, tuple[_Place, ...]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def read_binding(self, binding: relax.VarBinding) -> None:
        value = binding.value
        if isinstance(value, relax.Var):
            self.storage[binding.var] = self.storage[value]
        elif isinstance(value, relax.Tuple):
            self.storage[binding.var] = tuple(
                place for item in value.fields for place in self.places_of(item)
            )
        elif isinstance(value, relax.TupleGetItem):
            self.storage[binding.var] = (self.storage[value.tuple_value][value.index],)
        elif tvm_adapter.op_name(value) in VIEWS:
            self.storage[binding.var] = self.storage[value.args[0]]
        elif isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar):
            self.storage[binding.var] = self.read_operator(value, self.overwrites.written.get(binding.var))
        else:
            raise UnsupportedError(
                f"no kernel computes {tvm_adapter.op_name(value) or type(value).__name__} "
                f"with the result {binding.var.ty}"
            )

    def places_of(self, expr: relax.Expr) -> tuple[_Place, ...]:
        """The places of a variable."""
        if tvm_adapter.is_constant(expr):
            raise UnsupportedError("a result of the model is a constant: leave it out of the model")
        return self.storage[expr]

    def read_operator(self, call: relax.Call, state: Value | None) -> tuple[_Place, ...]:
        """Append the step of a composite call; return the places of its results.

        state: over which the result is written; None where it has memory of its own.
        """
        function = self.module[call.op]
        operator = view_of(function)
        name = self.name_of(operator)
        operands = [
            None if tensor.parameter is None else next(iter(self.storage[call.args[tensor.parameter]]), None)
            for tensor in operator.inputs
        ]
        inputs = tuple(None if place is None else place.buffer for place in operands)
        first_state = len(operator.outputs) - operator.state_count
        own = [
            self.add(f"{name}_out{index or ''}", "activation", tensor.bytes, ITEM_BYTES[tensor.dtype])
            for index, tensor in enumerate(operator.outputs[:first_state])
            if state is None
        ]
        results = [_Place(buffer, buffer) for buffer in own]
        overwritten = (
            operands[len(operands) - operator.state_count :] if state is None else self.storage[state]
        )
        results += [
            _Place(place.buffer, f"{place.buffer} after {name}") for place in overwritten if place is not None
        ]
        scratch = (
            self.add(f"{name}_scratch", "scratch", operator.scratch_bytes, operator.scratch_alignment)
            if operator.scratch_bytes
            else None
        )
        distances = tvm_adapter.attribute(function, OVERLAP_DISTANCES, {})
        overlaps: dict[str, int] = {}
        for key, distance in distances.items():
            source = inputs[int(key)]
            assert source is not None
            overlaps[source] = max(int(distance), overlaps.get(source, int(distance)))
        outputs = tuple(place.buffer for place in results)
        members = self.read_members(operator, inputs, outputs[0]) if isinstance(operator, Stage) else ()
        reads = tuple(None if place is None else place.value for place in operands)
        writes = tuple(place.value for place in results)
        self.steps.append(Step(name, operator, inputs, outputs, reads, writes, scratch, overlaps, members))
        return tuple(results)

    def name_of(self, operator: Operator) -> str:
        """A name for the next operator of its kind."""
        name = f"{operator.kind}_{self.counts[operator.kind]}"
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


def build_plan(module: tvm.IRModule) -> Plan:
    """The plan of a module whose operators are all composites.

    Raises UnsupportedError for a call that no operator covers.
    """
    main = module["main"]
    remembered = read_states(main)
    state_count = len(remembered)
    returned = tvm_adapter.returned(main)
    bindings = list(tvm_adapter.bindings_of(main))
    overwrites = Overwrites.of(main, bindings, returned, lambda call: view_of(module[call.op]))
    reader = _Reader(module, overwrites)
    edge_count = len(main.params) - state_count
    from_outside = row_input(main)
    for index, parameter in enumerate(main.params):
        if parameter == from_outside:
            reader.storage[parameter] = ()
            continue
        is_state = index >= edge_count
        name = f"state{index - edge_count}" if is_state else f"input{index}"
        tensor = _tensor(parameter)
        kind: BufferKind = "state" if is_state else "input"
        reader.add(name, kind, tensor.bytes, ITEM_BYTES[tensor.dtype])
        reader.storage[parameter] = (_Place(name, name),)
    for binding in bindings:
        reader.read_binding(binding)
    fed = None if from_outside is None else add_row_input(reader.steps, reader.buffers)
    places = [reader.places_of(result)[0] for result in returned]
    outputs = tuple(place.buffer for place in places[: len(places) - state_count])
    next_states = [
        (f"state{index}", place.value) for index, place in enumerate(places[len(places) - state_count :])
    ]
    states = {f"state{index}": state.initial for index, state in enumerate(remembered)}
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
    placement = place_apart(list(buffers.values()), overlaps, bound)
    plan = Plan(
        steps=steps,
        buffers={name: replace(buffer, offset=placement.offsets[name]) for name, buffer in buffers.items()},
        inputs=inputs,
        outputs=outputs,
        input_tensors=tuple(_tensor(parameter) for parameter in main.params[:edge_count]),
        output_tensors=tuple(_tensor(result) for result in returned[: len(outputs)]),
        state_values=states,
        results=(*places[: len(outputs)], *next_states),
        edges=read_edges(module),
        arena_bytes=placement.arena_bytes,
        lower_bound_bytes=bound,
        optimal=placement.optimal,
        solver=placement.solver,
        dead_macs=int(tvm_adapter.attribute(main, DEAD_MACS, 0)),
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
