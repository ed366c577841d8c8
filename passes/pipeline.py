"""All passes in the order in which they run, each with the reason for its place.

Levels, for TVM's PassContext: 0 is what a module cannot be compiled without, 1 saves memory or work by a
rewriting, 2 by a search or an analysis. TVM's own level is 2. No pass has TVM's `required`, as that would run
the passes named there once more; what one needs of those before it is said in its file.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.passes.broadcast_batches import BroadcastBatches
from tinycc.passes.drop_edge_quantization import DropEdgeQuantization
from tinycc.passes.eliminate_transposes import EliminateTransposes
from tinycc.passes.fold_constant_operators import FoldConstantOperators
from tinycc.passes.fold_integer_constants import FoldIntegerConstants
from tinycc.passes.fold_padding import FoldPadding
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps
from tinycc.passes.infer_edges import InferEdges
from tinycc.passes.lower_fallbacks import LowerFallbacks
from tinycc.passes.narrow_weights import NarrowWeights
from tinycc.passes.order_operators import OrderOperators
from tinycc.passes.order_states import OrderStates
from tinycc.passes.pair_states import PairStates
from tinycc.passes.pool_extrema import PoolExtrema
from tinycc.passes.quantize_intermediates import QuantizeIntermediates
from tinycc.passes.remove_dead_channels import RemoveDeadChannels
from tinycc.passes.repeat_by_gathering import RepeatByGathering
from tinycc.passes.rewrite_in_place import RewriteInPlace
from tinycc.passes.schedule_stages import ScheduleStages
from tinycc.passes.select_kernels import SelectKernels
from tinycc.passes.slide_states import SlideStates
from tinycc.passes.softmax_over_last_axis import SoftmaxOverLastAxis
from tinycc.passes.split_shared_dequantize import SplitSharedDequantize
from tinycc.passes.stream_input import StreamInput
from tinycc.passes.to_normal_form import ToNormalForm
from tinycc.passes.unsigned_edges import UnsignedEdges
from tinycc.passes.widen_weights import WidenWeights
from tinycc.schedule.options import Objective, ScheduleOptions, read_options
from tinycc.target import parse_size, target_named

EdgeType = Literal["integer", "int8", "float"]
InputMode = Literal["tensor", "rows"]
KernelChoice = Literal["auto", "portable"]


def import_passes() -> list[tvm.transform.Pass]:
    """The passes from a module of one of TVM's importers to the normal form."""
    return [InferEdges(), ToNormalForm()]


def quantized_passes(states: Mapping[str, str] | None = None) -> list[tvm.transform.Pass]:
    """The passes on the operators of the normal form that say what has no kernel with what has.

    states: as in `default_passes`.
    """
    return [
        # Clean-up after import: what follows should see each computation once.
        relax.transform.CanonicalizeBindings(),
        tvm_adapter.EliminateCommonSubexpr(),
        relax.transform.DeadCodeElimination(),
        # What is no edge any more has the device's integers and layout, whatever becomes of the others.
        *([PairStates(states)] if states else []),
        # Constants first, so that a transpose of weights is no transpose any more.
        FoldIntegerConstants(),
        # Its transposes are like any others.
        SoftmaxOverLastAxis(),
        # Transposes that meet others, constants, reductions or an edge cost nothing.
        EliminateTransposes(),
        # Once axes are the device's, what has no kernel as it stands is said with what has.
        PoolExtrema(),
        BroadcastBatches(),
        RepeatByGathering(),
        # Before what lies between operators is computed for each of its readers.
        QuantizeIntermediates(),
    ]


def fusing_passes() -> list[tvm.transform.Pass]:
    """The passes that make composites of the normal form's operators."""
    return [
        # Folding looks through a dequantize, and may change it only where one consumer reads it.
        SplitSharedDequantize(),
        FoldPadding(),
        FuseQuantizedOps(),
    ]


def composite_passes(io: EdgeType, states: Mapping[str, str] | None = None) -> list[tvm.transform.Pass]:
    """The passes from the normal form to a module whose operators are all composites.

    io, states: as in `default_passes`.
    """
    return [
        *quantized_passes(states),
        # Before fusion, which would make operators of the edges' quantize and dequantize.
        *([DropEdgeQuantization()] if io != "float" else []),
        *fusing_passes(),
        # On composites, which know their kernels' integers; before fallbacks, which nobody takes apart.
        FoldConstantOperators(),
        # What is left, or refused by its kernel, once all others have had their pick.
        LowerFallbacks(),
    ]


def planning_passes(
    features: tuple[str, ...], schedule: ScheduleOptions | None = None, instruction_set: str = ""
) -> list[tvm.transform.Pass]:
    """The passes from composites to a module that can be planned.

    features, schedule, instruction_set: as in `default_passes`.
    """
    return [
        # Before kernels are chosen, of which some are for such weights.
        NarrowWeights(),
        # Before what depends on kernels: the order of their reads and writes, their scratch memory.
        SelectKernels(features, instruction_set),
        # On composites: distances are facts of operators, the order depends on them.
        RewriteInPlace(),
        # Some operators may write over a state that they read, which distances tell; copies need memory.
        OrderStates(),
        OrderOperators(schedule.limits if schedule else DEFAULT_LIMITS),
        # On the final order, of which a stage is a part.
        ScheduleStages(schedule),
    ]


def default_passes(
    io: EdgeType = "integer",
    schedule: ScheduleOptions | None = None,
    features: tuple[str, ...] = (),
    input_mode: InputMode = "tensor",
    flash_bytes: int | None = None,
    states: Mapping[str, str] | None = None,
    instruction_set: str = "",
) -> list[tvm.transform.Pass]:
    """The passes from the normal form to a module that can be planned.

    io: "integer" drops quantization at float edges, and leaves integers as the file has them. "int8" has int8
        for uint8, too; "float" keeps float edges, and quantization as operators.
    schedule: which operators run row by row; on whole tensors where nothing is said.
    features: of the core, for kernels that use them; see tinycc.target.Target.
    input_mode: "rows" lets the caller feed the input row by row, "tensor" has it in memory whole.
    flash_bytes: what code and constants may take; what is left is used for faster kernels. None for no more
        constants than it takes.
    states: inputs that are kept on the device, by name, with the outputs that are their next values.
    instruction_set: of the core, by which costs are predicted; see tinycc.target.Target.
    """
    return [
        *composite_passes(io, states),
        # Before all that counts bytes or instructions.
        RemoveDeadChannels(features),
        # On operators, which tell what they have kernels for; before the input's rows are taken as they come.
        *([UnsignedEdges()] if io != "int8" else []),
        # An operator of its own: what follows treats it like any other.
        *([StreamInput()] if input_mode == "rows" else []),
        # On operators, whose memory tells what is a run of it; before kernels are chosen.
        SlideStates(),
        *planning_passes(features, schedule, instruction_set),
        # Once all other constants are known.
        *([WidenWeights(flash_bytes)] if flash_bytes is not None else []),
    ]


def passes_for(
    *,
    target: str = "cortex-m4",
    sram: str | int | None = None,
    flash: str | int | None = None,
    io: EdgeType = "integer",
    optimize_for: Objective = "latency",
    schedule: str = "auto",
    max_extra_macs: str | None = None,
    kernels: KernelChoice = "auto",
    input_mode: InputMode = "tensor",
    states: Mapping[str, str] | None = None,
    limits: SearchLimits = DEFAULT_LIMITS,
) -> list[tvm.transform.Pass]:
    """`default_passes` for what a user says; see `tinycc.compile` for each of these."""
    sram_bytes, flash_bytes = (None if size is None else parse_size(str(size)) for size in (sram, flash))
    options = replace(read_options(optimize_for, schedule, sram_bytes, max_extra_macs), limits=limits)
    core = target_named(target)
    features = core.features if kernels == "auto" else ()
    return default_passes(
        io, options, features, input_mode, flash_bytes, states, instruction_set=core.instruction_set
    )


def default_pipeline(**options: Any) -> tvm.transform.Sequential:
    """From a module of one of TVM's importers to one that can be planned, as one pass for TVM flows.

    options: those of `passes_for`, as in `relax.get_pipeline("tinycc", target="cortex-m7", sram="320K")`.
    """
    return tvm.transform.Sequential([*import_passes(), *passes_for(**options)], name="tinycc")
