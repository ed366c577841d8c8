"""From a model to one that learns on the device: an inference and a training step over the same weights."""

from dataclasses import replace
from typing import Any

import tvm

from tinycc.codegen import check_name
from tinycc.compiler import CompiledModel, check_budgets, load, title_of
from tinycc.graph import OperatorGraph
from tinycc.limits import SearchLimits
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps
from tinycc.passes.infer_edges import has_edges
from tinycc.passes.lower_fallbacks import LowerFallbacks
from tinycc.passes.pipeline import composite_passes, import_passes, planning_passes
from tinycc.plan import INVOKE, TRAIN, build_program
from tinycc.report.pass_records import recorded_passes
from tinycc.report.summary import Request
from tinycc.schedule.options import Objective, read_options
from tinycc.target import parse_size, target_named
from tinycc.training.build_backward import DEFAULT_RULE, BuildBackward, Loss, UpdateRule
from tinycc.training.gradients import GradientType
from tinycc.training.layers import layers_of
from tinycc.training.mark_trainable import MarkTrainable
from tinycc.training.save_masks import SaveMasks
from tinycc.training.scheme import AnyScheme, Scheme, full

# The many small states of a step seldom let a placement meet its bound: less time goes into the last bytes.
TRAINING_LIMITS = SearchLimits(solver_seconds=2.0)


def compile(
    model: Any,
    loss: Loss = "cross_entropy",
    *,
    scheme: AnyScheme = full,
    rate: float = 0.01,
    rule: UpdateRule = DEFAULT_RULE,
    gradients: GradientType | None = None,
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
    rate: the learning rate after a reset. rule: how weights are updated.
    gradients: "float", real numbers, or "integer"; None for integers where the target has no FPU.
    target, sram, flash, optimize_for, name, limits: as for `tinycc.compile`.

    The folder's C has model_train_step() beside model_invoke(); both work on the same weights. Inputs are
    int8, also where the file has uint8, which are those less 128.

    Raises a tinycc.errors.TinyccError that says what is wrong and what to do.
    """
    check_name(name)
    features = target_named(target).features
    request = Request(
        name=name,
        model=title_of(model),
        target=target_named(target).name,
        io="int8",
        sram_bytes=parse_size(str(sram)) if sram is not None else None,
        flash_bytes=parse_size(str(flash)) if flash is not None else None,
        optimize_for=optimize_for,
        schedule="auto",
    )
    module = load(model)
    passes = composite_passes("int8")
    if not any(map(has_edges, module.functions.values())):
        passes = [*import_passes(), *passes]
    with recorded_passes() as records:
        forward = tvm.transform.Sequential(passes, name="tinycc")(module)
        chosen = scheme if isinstance(scheme, Scheme) else scheme(layers_of(OperatorGraph.of(forward)))
        # What these write as operators of Relax finds its kernels like any other.
        fusing = [FuseQuantizedOps(), LowerFallbacks()]
        marking = [MarkTrainable(chosen, rate), *fusing]
        marked = tvm.transform.Sequential(marking, name="tinycc.marking")(forward)
        kind = gradients or ("float" if "fpu" in features else "integer")
        backward = [BuildBackward(loss, rule, kind), *fusing, SaveMasks()]
        schedule = replace(read_options(optimize_for, "auto", request.sram_bytes), limits=limits)
        planning = planning_passes(features, schedule)
        inference = tvm.transform.Sequential(planning, name="tinycc.inference")(marked)
        step = tvm.transform.Sequential([*backward, *planning], name="tinycc.training")(marked)
    program = build_program({INVOKE: inference, TRAIN: step}, limits)
    compiled = CompiledModel(inference, program, request, tuple(records))
    check_budgets(compiled.report)
    return compiled
