"""A network, which is read once, and the training step that each scheme makes of it, planned."""

from dataclasses import dataclass

import numpy as np
import tvm

from tinycc import tvm_adapter
from tinycc.limits import SearchLimits
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps
from tinycc.passes.infer_edges import has_edges
from tinycc.passes.lower_fallbacks import LowerFallbacks
from tinycc.passes.pipeline import composite_passes, import_passes, planning_passes
from tinycc.passes.widen_alike import WidenAlike
from tinycc.passes.widen_weights import WidenWeights
from tinycc.plan import INVOKE, TRAIN, Program, build_program
from tinycc.schedule.options import ScheduleOptions
from tinycc.states import read_states
from tinycc.target import Target
from tinycc.training.build_backward import BuildBackward, Loss
from tinycc.training.gradients import ARITHMETICS, GradientType, gradient_type
from tinycc.training.mark_trainable import MarkTrainable
from tinycc.training.save_masks import SaveMasks
from tinycc.training.scheme import Scheme
from tinycc.training.update_rule import DEFAULT_RULE, UpdateRule

# The many small states of a step seldom let a placement meet its bound: less time goes into the last bytes.
TRAINING_LIMITS = SearchLimits(solver_seconds=2.0)
# Of the flash that is given, what is left for the code of a step, beside that of an inference.
STEP_CODE_BYTES = 56 * 1024


@dataclass(frozen=True, eq=False)
class PlannedStep:
    """A network with a training step. inference: its module, whose states are what trains."""

    inference: tvm.IRModule
    program: Program


def forward_of(module: tvm.IRModule) -> tvm.IRModule:
    """The composites of int8 of a module as `tinycc.compiler.load` gives it."""
    passes = composite_passes("int8")
    if not any(map(has_edges, module.functions.values())):
        passes = [*import_passes(), *passes]
    return tvm.transform.Sequential(passes, name="tinycc")(module)


def planned_step(
    forward: tvm.IRModule,
    scheme: Scheme,
    *,
    loss: Loss = "cross_entropy",
    rate: float = 0.01,
    rule: UpdateRule = DEFAULT_RULE,
    gradients: GradientType | None = None,
    target: Target,
    schedule: ScheduleOptions,
    flash_bytes: int | None = None,
) -> PlannedStep:
    """Inference and training step of what `forward_of` gives, in one arena.

    gradients: None for integers where the target has no FPU.
    schedule: its limits are those of all searches. flash_bytes: as for `default_passes`. Others: as for
        `tinycc.training.compile`.
    Raises TrainingError where the scheme cannot be trained.
    """
    # What these write as operators of Relax finds its kernels like any other.
    fusing = [FuseQuantizedOps(), LowerFallbacks()]
    kind = gradient_type(gradients, target.features)
    velocities = ARITHMETICS[kind].velocity_dtype if rule.has_velocities else None
    marking = [MarkTrainable(scheme, rate, velocities), *fusing]
    marked = tvm.transform.Sequential(marking, name="tinycc.marking")(forward)
    backward = [BuildBackward(loss, rule, kind), *fusing, SaveMasks()]
    planning = planning_passes(target.features, schedule, target.instruction_set)
    inference = tvm.transform.Sequential(planning, name="tinycc.inference")(marked)
    step = tvm.transform.Sequential([*backward, *planning], name="tinycc.training")(marked)
    if flash_bytes is not None:
        # The step has all layers of the inference.
        initial = [state.initial for state in read_states(step["main"])]
        stored = sum(array.nbytes for array in initial if isinstance(array, np.ndarray))
        widen = WidenWeights(flash_bytes - STEP_CODE_BYTES - stored, is_shared=True)
        step = tvm_adapter.run_passes([widen], step)
        inference = tvm_adapter.run_passes([WidenAlike(step)], inference)
    return PlannedStep(inference, build_program({INVOKE: inference, TRAIN: step}, schedule.limits))
