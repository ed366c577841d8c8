"""What a training step of MobileNetV2 0.35 at 128x128 needs of SRAM, from a full update in float to tinycc's.

    python -m benchmarks.training_ladder [--markdown PAGE] [--plot docs/images/training_ladder.svg]

All rows are planned, none is run: the same network, with ten classes, under the same backward pass. What is
live at the largest step is counted: the example, activations, what is kept of them for the backward pass,
gradients and what trains. Frozen weights lie in flash; neither stack nor code is counted.

Published figures are MCUNetV3's (Lin et al., "On-device training under 256KB memory", 2022).
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click
import numpy as np
import onnx
import tvm

from benchmarks.bars import Series, draw_bars
from benchmarks.tables import number, table, write_measured
from tests.tools.corpus import corpus_folder
from tinycc.compiler import load
from tinycc.graph import OperatorGraph
from tinycc.limits import SearchLimits
from tinycc.ops.bias_update import BiasUpdate
from tinycc.ops.clamp_mask import ClampMask
from tinycc.ops.weight_update import WeightUpdate
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps
from tinycc.passes.lower_fallbacks import LowerFallbacks
from tinycc.passes.order_states import OrderStates
from tinycc.passes.rewrite_in_place import RewriteInPlace
from tinycc.passes.schedule_stages import ScheduleStages
from tinycc.passes.select_kernels import SelectKernels
from tinycc.plan import Buffer, Plan, build_plan
from tinycc.plan.live import live_bytes
from tinycc.schedule.options import Objective, read_options
from tinycc.training.build_backward import BuildBackward
from tinycc.training.layers import Layer, layers_of
from tinycc.training.mark_trainable import MarkTrainable
from tinycc.training.planned_step import forward_of
from tinycc.training.save_masks import SaveMasks
from tinycc.training.scheme import AnyScheme, LayerScheme, Scheme, full

MODEL, CLASSES = "onnx/from_pkl_int8/tt_mbv2-w0.35_128_qdq.onnx", 10
LIMITS = SearchLimits(solver_seconds=2.0)
# The authors' schemes: how many biases, and which layers' weights at which share of their input channels.
SHIPPED: dict[str, tuple[int, dict[int, float]]] = {
    "49 kB": (16, {36: 1, 39: 1, 41: 0.25, 42: 0.125, 45: 0.125, 48: 0.125, 49: 0.125}),
    "99 kB": (25, {27: 1, 30: 1, 33: 1, 36: 1, 39: 1, 42: 0.125, 45: 0.5, 48: 1}),
}
# How what is frozen runs, in front of what trains.
SCHEDULES: dict[Objective, str] = {"latency": "{}", "memory": "{}, by rows"}
COLUMNS = ["full", *(text.format(name) for text in SCHEDULES.values() for name in SHIPPED)]
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Row:
    """A way of training: bytes by column, and those that MCUNetV3 published."""

    name: str
    bytes_of: Mapping[str, int]
    published: int | None = None


def shipped(name: str, layers: Mapping[str, Layer]) -> Scheme:
    """One of the authors' schemes; the head, which is last, always trains."""
    count, shares = SHIPPED[name]
    names = list(layers)
    last = len(names) - 1
    parts = {
        names[index]: LayerScheme(bias=True, weights=shares.get(index, 0.0))
        for index in range(last - count, last)
    }
    return Scheme({**parts, names[last]: LayerScheme(bias=True, weights=1.0)})


def planned(forward: tvm.IRModule, scheme: AnyScheme, objective: Objective) -> Plan:
    """A step of what `forward_of` gives, in the order in which the backward pass is written."""
    chosen = scheme if isinstance(scheme, Scheme) else scheme(layers_of(OperatorGraph.of(forward)))
    fusing = [FuseQuantizedOps(), LowerFallbacks()]
    schedule = replace(read_options(objective, "auto", None), limits=LIMITS)
    passes = [MarkTrainable(chosen, 0.01), *fusing, BuildBackward(), *fusing, SaveMasks()]
    planning = [SelectKernels(()), RewriteInPlace(), OrderStates(), ScheduleStages(schedule)]
    return build_plan(tvm.transform.Sequential([*passes, *planning])(forward), LIMITS)


def peak(plan: Plan) -> int:
    """What is live at the largest step; no placement needs less."""
    return max(live_bytes(plan.steps, plan.buffers))


def unfused(plan: Plan, *, until_end: bool) -> Plan:
    """The same where each update reads a gradient of its own, float32, from memory.

    until_end: whether all gradients are there before the first update, or each update comes at once.
    """
    end = len(plan.steps) - 1
    gradients = {
        f"{step.name}_gradient": Buffer(
            f"{step.name}_gradient",
            "activation",
            FLOAT_BYTES * step.operator.outputs[0].elements,
            FLOAT_BYTES,
            first_step=index,
            last_step=end if until_end else index,
        )
        for index, step in enumerate(plan.steps)
        if isinstance(step.operator, WeightUpdate | BiasUpdate)
    }
    return replace(plan, buffers={**plan.buffers, **gradients})


def in_float(plan: Plan) -> Plan:
    """The same with a float32 for each int8: activations and weights."""
    masks = {step.outputs[0] for step in plan.steps if isinstance(step.operator, ClampMask)}
    buffers = {
        name: replace(buffer, bytes=FLOAT_BYTES * buffer.bytes, alignment=FLOAT_BYTES)
        if buffer.alignment == 1 and name not in masks
        else buffer
        for name, buffer in plan.buffers.items()
    }
    steps = tuple(
        replace(step, overlaps={source: FLOAT_BYTES * gap for source, gap in step.overlaps.items()})
        if plan.buffers[step.outputs[0]].alignment == 1
        else step
        for step in plan.steps
    )
    return replace(plan, steps=steps, buffers=buffers)


def of_ten_classes(source: Path, path: Path) -> None:
    """Write a model with the first outputs of its head alone: a thousand are nothing that a board learns."""
    model = onnx.load(source)
    [output] = model.graph.output
    classes = output.type.tensor_type.shape.dim[1].dim_value
    for item in model.graph.initializer:
        array = onnx.numpy_helper.to_array(item)
        if item.dims[:1] == [classes]:
            array = array[:CLASSES]
        elif item.name == model.graph.node[-1].input[1]:  # the shape that the scores get
            array = np.array([1, CLASSES], array.dtype)
        item.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(array), item.name))
    output.type.tensor_type.shape.dim[1].dim_value = CLASSES
    onnx.save(model, path)


def ladder(forward: tvm.IRModule) -> list[Row]:
    """All rows, the most memory first."""
    everything = unfused(planned(forward, full, "latency"), until_end=True)
    sparse = {
        text.format(name): planned(forward, partial(shipped, name), objective)
        for objective, text in SCHEDULES.items()
        for name in SHIPPED
    }
    at_end = {column: peak(unfused(plan, until_end=True)) for column, plan in sparse.items()}
    at_once = {column: peak(unfused(plan, until_end=False)) for column, plan in sparse.items()}
    return [
        Row("full update, float32", {"full": peak(in_float(everything))}, 5_700_000),
        Row("full update, int8", {"full": peak(everything)}, 2_900_000),
        Row("sparse update", at_end, 335_000),
        Row("+ updates as soon as they can be", at_once, 141_000),
        Row("+ updates without a gradient", {column: peak(plan) for column, plan in sparse.items()}),
    ]


def drawn(rows: Sequence[Row]) -> str:
    """Bars of each row, kilobytes; a full update beside the schemes by rows."""
    series = [
        Series(name, [_kilobytes(row.bytes_of.get("full", row.bytes_of.get(column))) for row in rows])
        for name, column in zip(SHIPPED, COLUMNS[-len(SHIPPED) :], strict=True)
    ]
    published = Series("MCUNetV3", [_kilobytes(row.published) for row in rows])
    title = "A training step of MobileNetV2 0.35 at 128x128: kB of SRAM"
    return draw_bars(title, [row.name for row in rows], [*series, published], digits=0)


def _kilobytes(size: int | None) -> float | None:
    return None if size is None else size / 1000


@click.command()
@click.option("--markdown", type=click.Path(path_type=Path), help="The page to write the table into.")
@click.option("--plot", type=click.Path(path_type=Path), help="SVG file to write the plot to.")
def main(markdown: Path | None, plot: Path | None) -> None:
    """Plan and print, or write into a page."""
    with tempfile.TemporaryDirectory() as parent:
        model = Path(parent) / "model.onnx"
        of_ten_classes(corpus_folder() / MODEL, model)
        rows = ladder(forward_of(load(model)))
    cells = [
        [row.name, *(number(row.bytes_of.get(column)) for column in COLUMNS), number(row.published)]
        for row in rows
    ]
    text = table(["bytes of SRAM", *COLUMNS, "published"], cells)
    click.echo(text)
    if markdown is not None:
        write_measured(markdown, text, "training ladder")
    if plot is not None:
        plot.write_text(drawn(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
