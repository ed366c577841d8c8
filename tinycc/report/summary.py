"""The report as a dictionary, the content of report.json."""

from dataclasses import asdict, dataclass

from tinycc.codegen.operator_code import OperatorCode, describe
from tinycc.edges import Edge
from tinycc.ops.tensor import Tensor
from tinycc.plan import Buffer, Plan, Step
from tinycc.plan.build import live_bytes
from tinycc.version import VERSION


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    model: the file's name, or what the module was called.
    sram_bytes, flash_bytes: budgets; None where none was given.
    """

    name: str
    model: str
    target: str
    io: str
    sram_bytes: int | None
    flash_bytes: int | None


@dataclass(frozen=True)
class PassRecord:
    """One pass that ran."""

    name: str
    changed: bool
    seconds: float


def summarize(
    plan: Plan, code: OperatorCode, request: Request, passes: list[PassRecord]
) -> dict[str, object]:
    """All figures of a compiled model; sizes in bytes."""
    live = live_bytes(plan.steps, dict(plan.buffers))
    peak = max(range(len(live)), key=live.__getitem__, default=0)
    instances = {call.name: call.instance for call in code.calls}
    return {
        "tinycc_version": VERSION,
        **asdict(request),
        "arena_bytes": plan.arena_bytes,
        "lower_bound_bytes": plan.lower_bound_bytes,
        "optimal": plan.optimal,
        "solver": plan.solver,
        "state_bytes": sum(buffer.bytes for buffer in plan.buffers.values() if buffer.kind == "state"),
        "weight_bytes": sum(code.constant_bytes.values()),
        "macs": sum(step.operator.macs for step in plan.steps),
        "extra_macs": 0,
        "peak_step": peak,
        "peak_operator": plan.steps[peak].name if plan.steps else "",
        "inputs": [
            _edge(edge, tensor, plan.buffers[name])
            for edge, tensor, name in zip(plan.edges.inputs, plan.input_tensors, plan.inputs, strict=True)
        ],
        "outputs": [
            _edge(edge, tensor, plan.buffers[name])
            for edge, tensor, name in zip(plan.edges.outputs, plan.output_tensors, plan.outputs, strict=True)
        ],
        "operators": [
            _operator(plan, step, live[index], code.constant_bytes[step.name], instances[step.name])
            for index, step in enumerate(plan.steps)
        ],
        "tensors": [_tensor(plan, buffer) for buffer in plan.buffers.values()],
        # Without its time: the same model gives the same folder, byte for byte.
        "passes": [{"name": record.name, "changed": record.changed} for record in passes],
        "fallbacks": [
            {"name": step.name, "reason": step.operator.describe()}
            for step in plan.steps
            if step.operator.kind == "fallback"
        ],
    }


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


def _operator(plan: Plan, step: Step, live: int, weight_bytes: int, instance: str) -> dict[str, object]:
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
        "scratch_bytes": step.operator.scratch_bytes,
        "live_bytes": live,
        "weight_bytes": weight_bytes,
        "instance": instance,
        "in_place": overlapped,
        "overlap_distance": step.overlaps[overlapped] if overlapped else None,
    }


def _tensor(plan: Plan, buffer: Buffer) -> dict[str, object]:
    return {
        "name": buffer.name,
        "bytes": buffer.bytes,
        "offset": buffer.offset,
        "first_use": buffer.first_step,
        "last_use": buffer.last_step,
        "kind": buffer.kind,
        **_content(plan, buffer.name),
    }


def _content(plan: Plan, name: str) -> dict[str, object]:
    """Shape and dtype of what a buffer holds; of the first tensor where it holds several views."""
    for step in plan.steps:
        for buffer, tensor in zip(step.outputs, step.operator.outputs, strict=True):
            if buffer == name:
                return {"shape": list(tensor.shape), "dtype": tensor.dtype}
    for buffer, tensor in zip(plan.inputs, plan.input_tensors, strict=True):
        if buffer == name:
            return {"shape": list(tensor.shape), "dtype": tensor.dtype}
    return {"shape": [], "dtype": ""}
