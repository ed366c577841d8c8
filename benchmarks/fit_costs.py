"""Fit the cost model of tinycc/schedule/costs.py to counted instructions.

    python -m benchmarks.fit_costs [--variant NAME]...

Counts every operator of the corpus models on whole tensors and row by row, each variant on a core that has
it (with flash to spare where that decides), what needs no extension on cores of further instruction sets as
well ("portable on armv6-m"), and what only training steps have, of small networks and of mcunet-5fps; fits
for each kernel the coefficients of 0 and more that make the relative errors least (non-negative least
squares). Writes tinycc/schedule/costs.json, and benchmarks/results/costs.json with how well it fits. With
--variant only these are counted, and all others stay as they are. Needs scipy (the extra `benchmarks`).
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import tvm
from scipy.optimize import nnls
from tvm import relax

import tinycc
from benchmarks.measuring import Model
from benchmarks.records import RESULTS, ROOT
from benchmarks.training_step import RATE as STEP_RATE
from benchmarks.training_step import scheme as scheme_of_49kb
from tests.tools.corpus import corpus_folder, golden_inputs, read_table, stems
from tests.tools.training_graphs import training_graph
from tests.tools.tte_graph import TrainingGraph
from tinycc import training, tvm_adapter
from tinycc.graph import view_of
from tinycc.ops.base import VARIANT
from tinycc.ops.kernel import PORTABLE
from tinycc.passes.pipeline import passes_for
from tinycc.plan import TRAIN
from tinycc.run import run, train
from tinycc.schedule.costs import ANY_KERNEL, FLOAT32, ROW_CALL, STAGE, Work, name_of, runs_of
from tinycc.target import TARGETS
from tinycc.training import full
from tinycc.training.gradients import GradientType
from tinycc.training.scheme import AnyScheme

COSTS = ROOT / "tinycc" / "schedule" / "costs.json"
# A core for each variant; operators that have no such kernel are counted with the portable one.
CORES = {
    "portable": "cortex-m3", "dsp": "cortex-m4", "dsp_wide": "cortex-m4", "helium": "cortex-m55",
    FLOAT32: "cortex-m4", "portable_narrow": "cortex-m3", "dsp_narrow": "cortex-m4",
    "helium_narrow": "cortex-m55", "portable_blocks": "cortex-m3",
}  # fmt: skip
# Variants for weights of four bits, which those of the models are made for the purpose.
NARROW = ("portable_narrow", "dsp_narrow", "helium_narrow")
# Kernels that are taken for whole tensors only, where they pay: counted wherever they fit, with the core.
TRADED = ("portable_blocks",)
# Flash that is given where a variant is chosen for what is left of it; other operators are counted without.
FLASH = {"dsp_wide": "4M"}
SCHEDULES = ("whole", "stream")
# What is counted of training steps: gradients on a core, and the networks.
STEPS = "training"
# Cores whose instruction sets have models of their own, and what is counted on them: all that needs no
# extension where it is not Thumb-2, real numbers alone where it is but the core has no FPU.
_PORTABLE_VARIANTS = ("portable", FLOAT32, "portable_narrow", "portable_blocks", STEPS)
OTHER_CORES = {"cortex-m0": _PORTABLE_VARIANTS, "rv32imc": _PORTABLE_VARIANTS, "cortex-m3": (FLOAT32, STEPS)}
STEP_CORES: tuple[tuple[str, GradientType], ...] = (
    ("cortex-m4", "float"), ("cortex-m4", "integer"), ("cortex-m3", "integer"),
)  # fmt: skip
SMALL_NETWORKS = 8
# Operators that no inference has.
STEP_KINDS = {
    "add_gradients", "average_gradient", "bias_update", "checked_rate", "clamp_gradient", "clamp_mask",
    "cross_entropy", "cross_entropy_gradient", "gradient_exponent", "input_gradient", "max_pool_gradient",
    "multiply_gradient", "quantize_gradient", "squared_error", "squared_error_gradient", "sum_exponent",
    "table_gradient", "trained_layer", "weight_update",
}  # fmt: skip
# Larger models have no operators that the smaller ones lack.
MOST_MACS = 60_000_000
# The same of real numbers without an FPU, where a multiply-accumulate takes a hundred instructions and more.
MOST_SOFT_MACS = 6_000_000
TERMS = tuple(field.name for field in fields(Work))
# Of a kernel that was counted for fewer geometries than this, one term is all that can be told: the best, and
# of equally good ones the first of these.
FEW = 6
SINGLE_TERMS = ("macs", "reads", "outputs", "calls")


@dataclass(frozen=True)
class Counting:
    """What is counted: the kernels of a variant, or training steps, on a core.

    instruction_set: whose models are fitted to it; "" for those of all cores that have none of their own.
    """

    variant: str
    core: str
    instruction_set: str = ""

    @property
    def name(self) -> str:
        """What `--variant` calls it."""
        return name_of(self.variant, self.instruction_set)

    @property
    def models(self) -> list[str]:
        """Those of the corpus in which its kernels are counted."""
        is_float = self.variant == FLOAT32
        is_soft = is_float and "fpu" not in TARGETS[self.core].features
        macs, most = read_table(corpus_folder()), MOST_SOFT_MACS if is_soft else MOST_MACS
        known = stems(f"tflite/{'float' if is_float else 'int8'}/*.tflite")
        return [name for name in known if macs[name].macs <= most]

    @property
    def step_cores(self) -> tuple[tuple[str, GradientType], ...]:
        """Where steps are counted, and with which gradients."""
        return ((self.core, "integer"),) if self.instruction_set else STEP_CORES


COUNTINGS = (
    *(Counting(variant, core) for variant, core in CORES.items()),
    Counting(STEPS, ""),
    *(
        Counting(variant, core, TARGETS[core].instruction_set)
        for core, variants in OTHER_CORES.items()
        for variant in variants
    ),
)


@dataclass(frozen=True)
class Sample:
    """One operator as it was run, and what it took.

    operator: which of all operators in which setting, whatever the schedule.
    instruction_set: as that of a Counting.
    is_of_step: whether only training steps have such operators.
    """

    operator: tuple[str, str, int]
    instruction_set: str
    variant: str
    kernel: str
    work: Work
    is_in_stage: bool
    instructions: int
    is_of_step: bool = False


@tvm.transform.module_pass(opt_level=0, name="TakeTraded")
class TakeTraded:
    """Has kernels that a variant names run all operators that they fit."""

    def __init__(self, variant: str) -> None:
        self.variant = variant

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Choose them."""
        chosen = module.clone()
        for variable, function in module.functions.items():
            if tvm_adapter.attribute(function, "Composite") is None:
                continue
            if any(view.variant == self.variant for view in view_of(function).traded("rows")):
                chosen.update_func(variable, function.with_attr(VARIANT, self.variant))
        return chosen


@tvm.transform.module_pass(opt_level=0, name="ShrinkWeights")
class ShrinkWeights:
    """Weights of four bits in place of those of eight."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Divide by 16 what composites have as weights."""
        shrunk = module.clone()
        for variable, function in module.functions.items():
            if tvm_adapter.attribute(function, "Composite") is not None:
                bindings = [_shrunk(binding) for binding in tvm_adapter.bindings_of(function)]
                shrunk.update_func(variable, tvm_adapter.with_bindings(function, bindings))
        return shrunk


def _shrunk(binding: relax.Binding) -> relax.Binding:
    """The binding, or that of smaller weights."""
    call = binding.value
    if tvm_adapter.op_name(call) != "relax.dequantize" or not tvm_adapter.is_constant(call.args[0]):
        return binding
    value = tvm_adapter.constant_value(call.args[0])
    if value.dtype != np.int8 or value.ndim < 2:
        return binding
    weights = relax.op.dequantize(
        tvm_adapter.make_constant(value >> 4), *call.args[1:3], axis=int(call.attrs.axis)
    )
    return relax.VarBinding(binding.var, weights)


def passes_of(counting: Counting, schedule: str) -> list[tvm.transform.Pass]:
    """The passes for a variant; on whole tensors no kernel is taken in place of the usual one."""
    variant = counting.variant
    passes: list[tvm.transform.Pass] = []
    for step in passes_for(target=counting.core, flash=FLASH.get(variant), schedule=schedule):
        if step.info.name == "NarrowWeights" and variant in NARROW:
            passes.append(ShrinkWeights())
        if step.info.name != "ScheduleStages" or schedule != "whole":
            passes.append(step)
        if step.info.name == "SelectKernels" and variant in TRADED:
            passes.append(TakeTraded(variant))
    return passes


def samples_of(name: str, counting: Counting, schedule: str) -> Iterator[Sample]:
    """Every operator of a corpus model on the core for a variant."""
    variant, core = counting.variant, counting.core
    is_float = variant == FLOAT32
    model = Model.of_corpus(corpus_folder(), name, "float" if is_float else "int8")
    is_apart = variant in {*FLASH, *TRADED, *NARROW, FLOAT32}
    compiled = tinycc.compile(
        model.path, target=core, allow_float=is_float, passes=passes_of(counting, schedule)
    )
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        compiled.export(folder)
        inputs = golden_inputs(model.arrays, compiled.report, [0])
        counts = run(folder, core, inputs, profile=True).operator_instructions or []
    runs = [one for step in compiled.plan.steps for one in runs_of(step.operator)]
    for index, (one, count) in enumerate(zip(runs, counts, strict=True)):
        if is_apart and one.variant != variant:
            continue
        place = (name, counting.name, index)
        yield Sample(
            place, counting.instruction_set, one.variant, one.kernel, one.work, one.is_in_stage, count
        )


def samples_of_steps(counting: Counting) -> Iterator[Sample]:
    """What training steps alone have, of networks in which everything trains, and of a scheme."""
    every: list[tuple[tvm.IRModule, AnyScheme]] = [
        (training_graph(seed), full) for seed in range(SMALL_NETWORKS)
    ]
    large = TrainingGraph.load(corpus_folder()).module()
    every += [(large, full), (large, scheme_of_49kb)]
    for index, (module, scheme) in enumerate(every):
        for core, gradients in counting.step_cores:
            for one in _samples_of_step(f"{STEPS} {index}", module, scheme, core, gradients):
                if not counting.instruction_set or one.variant in OTHER_CORES[core]:
                    yield replace(one, instruction_set=counting.instruction_set)


def _samples_of_step(
    name: str, module: tvm.IRModule, scheme: AnyScheme, core: str, gradients: GradientType
) -> Iterator[Sample]:
    """Those of one step, whose models are not yet told apart by instruction set."""
    compiled = training.compile(module, scheme=scheme, target=core, gradients=gradients)
    images = [
        np.random.default_rng(0).integers(-128, 128, (1, *edge.shape)).astype(np.int8)
        for edge in compiled.plan.edges.inputs
    ]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        compiled.export(folder)
        result = train(folder, core, images, np.array([1]), STEP_RATE, profile=True)
    runs = [one for step in compiled.program.entries[TRAIN].steps for one in runs_of(step.operator)]
    for index, (one, count) in enumerate(zip(runs, result.operator_instructions or [], strict=True)):
        if one.view.kind in STEP_KINDS:
            place = (name, f"{core} {gradients}", index)
            yield Sample(
                place, "", one.variant, one.kernel, one.work, one.is_in_stage, count, is_of_step=True
            )


def row_call_cost(samples: list[Sample]) -> float:
    """Instructions that a stage takes for each row call: the median of what operators take more in a stage.

    Only of those that run the same kernel in both schedules.
    """
    whole = {(one.operator, one.kernel): one.instructions for one in samples if not one.is_in_stage}
    more = [
        (one.instructions - whole[one.operator, one.kernel]) / one.work.calls
        for one in samples
        if one.is_in_stage and (one.operator, one.kernel) in whole
    ]
    return max(0.0, float(np.median(more)))


def row_calls_of(samples: list[Sample], known: dict[str, Any]) -> dict[str, float]:
    """`row_call_cost` by instruction set, for those on which all kernels are counted; what is known stays."""
    found = {}
    for instruction_set in (item.instruction_set for item in COUNTINGS if item.variant == PORTABLE):
        own = [sample for sample in samples if sample.instruction_set == instruction_set]
        if kept := known.get(name_of(STAGE, instruction_set)):
            found[instruction_set] = kept[ROW_CALL]["calls"]
        elif own:
            found[instruction_set] = round(row_call_cost(own), 1)
    return found


def without_calls(sample: Sample, cost: float) -> Sample:
    """What the kernel alone took."""
    around = cost * sample.work.calls if sample.is_in_stage else 0.0
    return replace(sample, instructions=max(1, round(sample.instructions - around)))


def fit(samples: list[Sample]) -> dict[str, float]:
    """Coefficients by term, those of 0 left out; a single term where little was counted."""
    if len({sample.work for sample in samples}) >= FEW:
        return solve(samples, TERMS)
    models = [solve(samples, (term,)) for term in SINGLE_TERMS]
    return min(models, key=lambda model: round(float(np.sum(errors(samples, model) ** 2)), 6))


def solve(samples: list[Sample], terms: tuple[str, ...]) -> dict[str, float]:
    """The least relative errors that these terms allow for."""
    work = np.array([[getattr(sample.work, term) for term in terms] for sample in samples], float)
    relative = work / np.array([max(sample.instructions, 1) for sample in samples], float)[:, None]
    # The solver's tolerance is absolute: all columns of one size.
    sizes = np.maximum(np.linalg.norm(relative, axis=0), 1e-30)
    solution, _ = nnls(relative / sizes, np.ones(len(samples)))
    pairs = zip(terms, solution / sizes, strict=True)
    return {term: float(f"{value:.4g}") for term, value in pairs if value > 0}


def errors(samples: list[Sample], model: dict[str, float]) -> np.ndarray:
    """Relative error of each prediction."""
    predicted = [
        sum(value * getattr(sample.work, term) for term, value in model.items()) for sample in samples
    ]
    counted = np.array([max(sample.instructions, 1) for sample in samples])
    return np.asarray(np.array(predicted) / counted - 1)


def fit_all(
    samples: list[Sample], row_calls: dict[str, float]
) -> tuple[dict[str, object], dict[str, object]]:
    """The models by variant and kernel, and how well they fit.

    row_calls: what a stage takes for a row call, by instruction set; of all others that of "".
    """
    groups: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for item in samples:
        sample = without_calls(item, row_calls.get(item.instruction_set, row_calls[""]))
        name = name_of(sample.variant, sample.instruction_set)
        groups[name][sample.kernel].append(sample)
        if not sample.is_of_step:
            groups[name][ANY_KERNEL].append(sample)
    models: dict[str, object] = {
        name_of(STAGE, instruction_set): {ROW_CALL: {"calls": row_call}}
        for instruction_set, row_call in row_calls.items()
    }
    quality: dict[str, object] = {}
    for variant, kernels in sorted(groups.items()):
        fitted = {kernel: fit(members) for kernel, members in sorted(kernels.items())}
        models[variant] = fitted
        quality[variant] = {
            kernel: {
                "samples": len(kernels[kernel]),
                "median_error": round(float(np.median(np.abs(errors(kernels[kernel], model)))), 3),
                "largest_error": round(float(np.max(np.abs(errors(kernels[kernel], model)))), 3),
            }
            for kernel, model in fitted.items()
        }
    return models, quality


def write(path: Path, content: dict[str, object]) -> None:
    """A line for each kernel."""
    blocks = []
    for variant, kernels in content.items():
        assert isinstance(kernels, dict)
        lines = [f"  {json.dumps(kernel)}: {json.dumps(value)}" for kernel, value in kernels.items()]
        blocks.append(f" {json.dumps(variant)}: {{\n" + ",\n".join(lines) + "\n }")
    path.write_text("{\n" + ",\n".join(blocks) + "\n}\n", encoding="utf-8")


@click.command()
@click.option("--model", "models", multiple=True, help="A model of the corpus; all but the largest without.")
@click.option(
    "--variant",
    "variants",
    multiple=True,
    type=click.Choice([counting.name for counting in COUNTINGS]),
    help="All without.",
)
def main(models: tuple[str, ...], variants: tuple[str, ...]) -> None:
    """Count, fit and write."""
    before = json.loads(COSTS.read_text("utf-8"))
    samples: list[Sample] = []
    for counting in COUNTINGS:
        if variants and counting.name not in variants:
            continue
        if counting.variant == STEPS:
            samples += samples_of_steps(counting)
            continue
        known = counting.models
        for name in [name for name in models or known if name in known]:
            for schedule in ["whole"] if counting.variant in TRADED else SCHEDULES:
                samples += samples_of(name, counting, schedule)
            click.echo(f"{name} {counting.name}: {len(samples)} samples")
    fitted, quality = fit_all(samples, row_calls_of(samples, before if variants else {}))
    known_quality = json.loads((RESULTS / "costs.json").read_text("utf-8"))
    write(COSTS, merged(before, fitted) if variants else fitted)
    write(RESULTS / "costs.json", merged(known_quality, quality) if variants else quality)


def merged(before: dict[str, Any], fitted: dict[str, Any]) -> dict[str, Any]:
    """Kernels that were counted again, and the others as they were."""
    return before | {
        variant: dict(sorted((before.get(variant, {}) | kernels).items()))
        for variant, kernels in fitted.items()
    }


if __name__ == "__main__":
    main()
