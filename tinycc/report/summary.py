"""The report as a dictionary, the content of report.json."""

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tinycc.codegen.operator_code import OperatorCode, describe
from tinycc.edges import Edge
from tinycc.ops.stage import Stage
from tinycc.ops.tensor import ITEM_BYTES, Tensor
from tinycc.plan import Buffer, Plan, Step
from tinycc.plan.build import live_bytes
from tinycc.version import VERSION


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    model: the file's name, or what the module was called.
    sram_bytes, flash_bytes: budgets; None where none was given.
    optimize_for, schedule: as given to `tinycc.compile`.
    """

    name: str
    model: str
    target: str
    io: str
    sram_bytes: int | None
    flash_bytes: int | None
    optimize_for: str
    schedule: str


@dataclass(frozen=True)
class PassRecord:
    """One pass that ran."""

    name: str
    changed: bool
    seconds: float


def summarize(
    plan: Plan,
    code: OperatorCode,
    request: Request,
    passes: list[PassRecord],
    schedules: list[dict[str, object]],
) -> dict[str, object]:
    """All figures of a compiled model; sizes in bytes.

    schedules: those that were considered.
    """
    rows = _rows(plan)
    first = {row.step: index for index, row in reversed(list(enumerate(rows)))}
    last = {row.step: index for index, row in enumerate(rows)}
    live = live_bytes(plan.steps, dict(plan.buffers))
    peak_step = max(range(len(live)), key=live.__getitem__, default=0)
    peak = first.get(peak_step, 0)
    return {
        "tinycc_version": VERSION,
        **asdict(request),
        "arena_bytes": plan.arena_bytes,
        "lower_bound_bytes": plan.lower_bound_bytes,
        "optimal": plan.optimal,
        "solver": plan.solver,
        "state_bytes": sum(buffer.bytes for buffer in plan.buffers.values() if buffer.kind == "state"),
        "weight_bytes": sum(code.constant_bytes.values()),
        "macs": sum(row.operator.operator.macs for row in rows),
        "extra_macs": 0,
        "peak_step": peak,
        "peak_operator": rows[peak].operator.name if rows else "",
        "inputs": [
            _edge(edge, tensor, plan.buffers[name])
            for edge, tensor, name in zip(plan.edges.inputs, plan.input_tensors, plan.inputs, strict=True)
        ],
        "outputs": [
            _edge(edge, tensor, plan.buffers[name])
            for edge, tensor, name in zip(plan.edges.outputs, plan.output_tensors, plan.outputs, strict=True)
        ],
        "operators": [
            _operator(plan, row, live[row.step], code.constant_bytes, code.instance_of) for row in rows
        ],
        "stages": [
            {"name": step.name, "first": first[index], "last": last[index], "live_bytes": live[index]}
            for index, step in enumerate(plan.steps)
            if step.members
        ],
        "tensors": [
            _tensor(plan, buffer, _uses(buffer, rows, first, last)) for buffer in plan.buffers.values()
        ],
        "schedules": schedules,
        # Without its time: the same model gives the same folder, byte for byte.
        "passes": [{"name": record.name, "changed": record.changed} for record in passes],
        "fallbacks": [
            {"name": row.operator.name, "reason": row.operator.operator.describe()}
            for row in rows
            if row.operator.operator.kind == "fallback"
        ],
    }


@dataclass(frozen=True)
class _Row:
    """A line of the operator table: a step of its own, or a member of a stage.

    step: its index, or its stage's.
    traced: how often a run tells of its output, and how much of it each time.
    """

    operator: Step
    step: int
    stage: str | None
    traced: tuple[int, int]


def _rows(plan: Plan) -> list[_Row]:
    """All operators in order, stages opened."""
    rows = []
    for index, step in enumerate(plan.steps):
        if isinstance(step.operator, Stage):
            counts = Counter(step.operator.stream.order)
            for position, (member, call) in enumerate(zip(step.members, step.operator.calls, strict=True)):
                size = call.row_elements * ITEM_BYTES[member.operator.outputs[0].dtype]
                rows.append(_Row(member, index, step.name, (counts[position], size)))
        else:
            rows.append(_Row(step, index, None, (1, step.operator.outputs[0].bytes)))
    return rows


def _uses(buffer: Buffer, rows: list[_Row], first: dict[int, int], last: dict[int, int]) -> tuple[int, int]:
    """The first and the last operator that finds something in a buffer."""
    if not rows:
        return 0, 0
    if buffer.moments:
        members = range(first[buffer.first_step], last[buffer.first_step] + 1)
        uses = [index for index in members if buffer.name in _touched(rows[index].operator)]
        return uses[0], uses[-1]
    return first[buffer.first_step], last[buffer.last_step]


def _edge(edge: Edge, tensor: Tensor, buffer: Buffer) -> dict[str, object]:
    return {
        "name": edge.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "bytes": tensor.bytes,
        "offset": buffer.offset,
        "scale": edge.scale if tensor.dtype != "float32" else None,
        "zero_point": edge.zero_point,
        "file_dtype": edge.dtype,
        "file_shape": list(edge.shape),
        "permutation": list(edge.permutation),
    }


def _touched(step: Step) -> tuple[str | None, ...]:
    return (*step.inputs, *step.outputs, step.scratch)


def _operator(
    plan: Plan, row: _Row, live: int, constant_bytes: Mapping[str, int], instance_of: Mapping[str, str]
) -> dict[str, object]:
    step = row.operator
    output = step.operator.outputs[0]
    place = plan.buffers[step.outputs[0]]
    overlapped = next(
        (
            name
            for name in step.overlaps
            if plan.buffers[name].offset < place.offset + place.bytes
            and place.offset < plan.buffers[name].offset + plan.buffers[name].bytes
        ),
        None,
    )
    return {
        "name": step.name,
        "kind": step.operator.kind,
        "description": describe(step.operator),
        "output_shape": list(output.shape),
        "output_dtype": output.dtype,
        "macs": step.operator.macs,
        "scratch_bytes": plan.buffers[step.scratch].bytes if step.scratch else 0,
        "live_bytes": live,
        "weight_bytes": constant_bytes[step.name],
        "instance": instance_of[step.name],
        "stage": row.stage,
        "calls": row.traced[0],
        "call_bytes": row.traced[1],
        "in_place": overlapped,
        "overlap_distance": step.overlaps[overlapped] if overlapped else None,
    }


def _tensor(plan: Plan, buffer: Buffer, uses: tuple[int, int]) -> dict[str, object]:
    return {
        "name": buffer.name,
        "bytes": buffer.bytes,
        "offset": buffer.offset,
        "first_use": uses[0],
        "last_use": uses[1],
        "kind": buffer.kind,
        **_content(plan, buffer.name),
    }


def _content(plan: Plan, name: str) -> dict[str, object]:
    """Shape and dtype of what a buffer holds; of the first tensor where it holds several views."""
    for step in itertools.chain.from_iterable((step, *step.members) for step in plan.steps):
        for buffer, tensor in zip(step.outputs, step.operator.outputs, strict=True):
            if buffer == name:
                return {"shape": list(tensor.shape), "dtype": tensor.dtype}
    for buffer, tensor in zip(plan.inputs, plan.input_tensors, strict=True):
        if buffer == name:
            return {"shape": list(tensor.shape), "dtype": tensor.dtype}
    return {"shape": [], "dtype": ""}
