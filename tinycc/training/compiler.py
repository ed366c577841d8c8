"""From a model to one that learns on the device: an inference and a training step over the same weights."""

from dataclasses import replace
from typing import Any

from tinycc.codegen import check_name
from tinycc.compiler import CompiledModel, check_budgets, load, title_of
from tinycc.errors import TrainingError
from tinycc.graph import OperatorGraph
from tinycc.limits import SearchLimits
from tinycc.report.pass_records import recorded_passes
from tinycc.report.summary import Request
from tinycc.schedule.options import Objective, read_options
from tinycc.target import parse_size, target_named
from tinycc.training.add_spare_classes import with_spare_classes
from tinycc.training.build_backward import Loss
from tinycc.training.gradients import ARITHMETICS, GradientType
from tinycc.training.layers import layers_of
from tinycc.training.planned_step import TRAINING_LIMITS, forward_of, planned_step
from tinycc.training.scheme import AnyScheme, Scheme, full
from tinycc.training.scheme_search.contribution import Contributions
from tinycc.training.scheme_search.search import StepPlanner, search
from tinycc.training.scheme_search.step_model import Budget
from tinycc.training.update_rule import DEFAULT_RULE, UpdateRule


def compile(
    model: Any,
    loss: Loss = "cross_entropy",
    *,
    scheme: AnyScheme = full,
    memory: str | int | None = None,
    latency: int | None = None,
    contributions: Contributions | None = None,
    rate: float = 0.01,
    rule: UpdateRule = DEFAULT_RULE,
    gradients: GradientType | None = None,
    spare_classes: int = 0,
    target: str = "cortex-m4",
    sram: str | int | None = None,
    flash: str | int | None = None,
    optimize_for: Objective = "latency",
    name: str = "model",
    limits: SearchLimits = TRAINING_LIMITS,
) -> CompiledModel:
    """Compile a model of int8 with a training step, for a microcontroller.

    model: as for `tinycc.compile`; of int8.
    loss: of the first result: "cross_entropy" of logits (a softmax behind them is left out) with the label of
        an example, or "squared_error", the mean over its elements, with the real numbers that are right.
    scheme: which weights and biases are trained; all of them where nothing is said.
    memory, latency, contributions: in place of `scheme` and `sram`: SRAM for inference and step together,
        instructions that a step may take, as they are predicted, and what `measure_contributions` has
        measured; the scheme is that which gains most and fits.
    rate: the learning rate after a reset. rule: how weights are updated; it has momentum and mini-batches.
    gradients: "float", real numbers, or "integer"; None for integers where the target has no FPU.
    spare_classes: outputs that the first result has beside those of the file, for classes to be learned.
    target, sram, flash, optimize_for, name, limits: as for `tinycc.compile`.

    The folder's C has model_train_step() beside model_invoke(); both work on the same weights. Inputs are
    int8, also where the file has uint8, which are those less 128.

    Raises a tinycc.errors.TinyccError that says what is wrong and what to do.
    """
    check_name(name)
    if gradients not in (None, *ARITHMETICS):
        raise TrainingError(f"gradients cannot be '{gradients}': choose one of {', '.join(ARITHMETICS)}")
    sram = memory if memory is not None else sram
    core = target_named(target)
    request = Request(
        name=name,
        model=title_of(model),
        target=core.name,
        io="int8",
        sram_bytes=parse_size(str(sram)) if sram is not None else None,
        flash_bytes=parse_size(str(flash)) if flash is not None else None,
        optimize_for=optimize_for,
        schedule="auto",
    )
    schedule = replace(read_options(optimize_for, "auto", request.sram_bytes), limits=limits)
    module = load(model)
    with recorded_passes() as records:
        forward = forward_of(module)
    if memory is not None:
        planner = StepPlanner(forward, loss, target, gradients, optimize_for, limits, rule)
        scheme = search(planner, _given(contributions), Budget(parse_size(str(memory)), latency)).scheme
    elif latency is not None:
        raise TrainingError("latency= limits what memory= chooses: give memory= as well")
    chosen = scheme if isinstance(scheme, Scheme) else scheme(layers_of(OperatorGraph.of(forward)))
    with recorded_passes() as further:
        if spare_classes:
            forward, [chosen] = with_spare_classes(forward, [chosen], spare_classes)
        planned = planned_step(
            forward, chosen, loss=loss, rate=rate, rule=rule, gradients=gradients, target=core,
            schedule=schedule, flash_bytes=request.flash_bytes,
        )  # fmt: skip
    records += further
    compiled = CompiledModel(planned.inference, planned.program, request, tuple(records))
    check_budgets(compiled.report)
    return compiled


def _given(contributions: Contributions | None) -> Contributions:
    if contributions is None:
        raise TrainingError("memory= chooses a scheme by what it gains: give contributions= as well")
    return contributions
