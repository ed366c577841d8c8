"""The report as a dictionary, the content of report.json."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tinycc.codegen.operator_code import OperatorCode
from tinycc.ops.linear import Linear
from tinycc.ops.quantize import Dequantize
from tinycc.plan import Plan
from tinycc.report.advice import advise
from tinycc.report.edges import describe_edge
from tinycc.report.pass_records import PassRecord
from tinycc.report.timeline import Timeline
from tinycc.version import VERSION


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    model: the file's name, or what the module was called.
    sram_bytes, flash_bytes: budgets; None where none was given.
    optimize_for, schedule, allow_float: as given to `tinycc.compile`.
    """

    name: str
    model: str
    target: str
    io: str
    sram_bytes: int | None
    flash_bytes: int | None
    optimize_for: str
    schedule: str
    allow_float: bool = False


def summarize(
    plan: Plan,
    code: OperatorCode,
    request: Request,
    passes: list[PassRecord],
    schedules: list[dict[str, object]],
    whole: Plan | None,
    notes: Sequence[str] = (),
) -> dict[str, object]:
    """All figures of a compiled model; sizes in bytes.

    schedules: those that were considered. whole: the plan on whole tensors, None where that was chosen.
    notes: what passes have to tell.
    """
    timeline = Timeline(plan)
    figures = timeline.describe()
    for entry, row in zip(figures["operators"], timeline.rows, strict=True):
        name = row.operator.name
        entry |= {"weight_bytes": code.constant_bytes[name], "instance": code.instance_of[name]}
    report = {
        "tinycc_version": VERSION,
        **{name: value for name, value in asdict(request).items() if name != "allow_float"},
        "input_mode": "tensor" if plan.row_input is None else "rows",
        **figures,
        "state_bytes": sum(buffer.bytes for buffer in plan.buffers.values() if buffer.kind == "state"),
        "weight_bytes": sum(code.constant_bytes.values()),
        "inputs": [
            describe_edge(edge, tensor, plan.buffers[name])
            for edge, tensor, name in zip(plan.edges.inputs, plan.input_tensors, plan.inputs, strict=True)
        ],
        "outputs": [
            describe_edge(edge, tensor, plan.buffers[name])
            for edge, tensor, name in zip(plan.edges.outputs, plan.output_tensors, plan.outputs, strict=True)
        ],
        "schedules": schedules,
        "whole_schedule": Timeline(whole).describe() if whole is not None else None,
        # Without its time: the same model gives the same folder, byte for byte.
        "passes": [{"name": record.name, "changed": record.changed} for record in passes],
        "fallbacks": [
            {"name": row.operator.name, "reason": row.operator.operator.describe()}
            for row in timeline.rows
            if row.operator.operator.kind == "fallback"
        ],
    }
    float_layers = [] if request.allow_float else _float_layers(plan)
    report |= {"float_layers": float_layers} if float_layers else {}
    told = [*notes, *advise(report)]
    return report | ({"notes": told} if told else {})


def _float_layers(plan: Plan) -> list[str]:
    """The names of layers of real numbers whose input is quantized."""
    steps = [item for step in plan.steps for item in step.members or (step,)]
    dequantized = {
        output for item in steps if isinstance(item.operator, Dequantize) for output in item.outputs
    }
    return [
        item.name
        for item in steps
        if isinstance(item.operator, Linear) and item.operator.is_real and item.inputs[0] in dequantized
    ]
