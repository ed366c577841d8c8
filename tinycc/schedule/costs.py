"""How many instructions an operator executes, predicted.

For each kernel a linear model of the work it is given, with coefficients of 0 and more, fitted to counted
instructions of real models on emulated cores (benchmarks/fit_costs.py writes costs.json). A kernel that was
never counted takes the model of all kernels of its variant together, and without one that of portable ones.

The same C is not as many instructions everywhere: a Cortex-M0 has no long multiplication and half the
registers, and takes twice as many as a Cortex-M3, which in turn has no FPU for real numbers. So a variant may
have further models, each for one instruction set; any other takes those of all cores, which were counted with
Thumb-2 and an FPU.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from tinycc.ops.base import Operator
from tinycc.ops.kernel import PORTABLE
from tinycc.ops.kernel_call import AccumulatingCall, AwaitedCall, SourceCall, StreamedCall, WholeCall
from tinycc.ops.stage import Stage

# Kernels that compute with real numbers, on any core.
FLOAT32 = "float32"
# Name of a variant's model for kernels without one of their own.
ANY_KERNEL = "any"
# What a stage takes, beside its kernels, for each row that it has computed.
STAGE, ROW_CALL = "stage", "row_call"
# Between a variant and the instruction set that its models are of.
_ON = " on "
VECTOR = 16


@dataclass(frozen=True)
class Work:
    """What a kernel is given in one run of its operator, over all of its calls.

    macs: multiply-accumulates. padded_macs: those of windows that reach out of the input.
    vector_macs, dot_macs: all, with output channels, or the multiply-accumulates of an output, rounded up to
        vectors of 16.
    outputs: elements written; segments: the same for each input row under their windows.
    pixels: columns of all rows written.
    reads: elements of all rows under the windows.
    calls: of the kernel. runs: 1.
    """

    macs: float
    padded_macs: float
    vector_macs: float
    dot_macs: float
    outputs: float
    segments: float
    pixels: float
    reads: float
    calls: float
    runs: float


@dataclass(frozen=True, eq=False)
class Run:
    """How an operator is run.

    call: of its kernel, on whole tensors or for one row.
    calls: how often. share: which part of its output that computes; more than 1 where some is computed again,
        0 where the caller of the model writes it.
    is_in_stage: whether it is called for one row after the other, between other operators.
    """

    view: Operator
    call: WholeCall | StreamedCall
    calls: int
    share: float
    is_in_stage: bool = False

    @property
    def kernel(self) -> str:
        """What costs are kept under: the kernel's function, or the kind of what C is made for."""
        if isinstance(self.call, SourceCall) or self.call.definition:
            return self.view.kind
        return self.call.function

    @property
    def variant(self) -> str:
        """What kernels costs are compared with: FLOAT32, or the one that was chosen."""
        has_kernel = not isinstance(self.call, SourceCall) and bool(self.view.inputs)
        return FLOAT32 if has_kernel and self.view.inputs[0].dtype == FLOAT32 else self.view.variant

    @property
    def work(self) -> Work:
        """What its kernel is given."""
        view, call = self.view, self.call
        outputs = sum(tensor.elements for tensor in view.outputs) * self.share
        macs = view.macs * self.share
        return Work(
            macs=macs,
            padded_macs=view.padded_macs * self.share,
            vector_macs=macs * _rounding(view.outputs[0].channels),
            dot_macs=macs * _rounding(view.macs // view.outputs[0].elements),
            outputs=outputs,
            segments=outputs * _segments(view, call),
            pixels=_pixels(call) * self.share,
            reads=_reads(view, call) * self.share,
            calls=self.calls,
            runs=1,
        )

    @property
    def predicted_instructions(self) -> int:
        """What it is expected to execute."""
        instruction_set = self.view.instruction_set
        models = _kernels(self.variant, instruction_set) or _kernels(PORTABLE, instruction_set)
        model = models.get(self.kernel, models[ANY_KERNEL])
        work = vars(self.work)
        row_call = _kernels(STAGE, instruction_set)[ROW_CALL]["calls"] if self.is_in_stage else 0.0
        around = self.calls * row_call
        return round(around + sum(coefficient * work[term] for term, coefficient in model.items()))


def runs_of(operator: Operator) -> list[Run]:
    """The run of an operator on whole tensors, or those of the members of a stage, in order."""
    if not isinstance(operator, Stage):
        whole = operator.call()
        share = 0.0 if isinstance(whole, AwaitedCall) else 1.0
        return [Run(operator, whole, 1 if isinstance(whole, SourceCall) else whole.rows, share)]
    runs = []
    for index, (member, call) in enumerate(zip(operator.members, operator.calls, strict=True)):
        rows = operator.stream.order.count(index)
        columns = sum(end - first for first, end in (strip[index] for strip in operator.strips))
        runs.append(run_in_stage(member, call, rows * len(operator.strips), rows * columns))
    return runs


def run_in_stage(member: Operator, call: StreamedCall, calls: int, pixels: int) -> Run:
    """The run of a member of a stage that computes so many pixels, some perhaps again."""
    share = pixels / (call.rows * member.outputs[0].width)
    if isinstance(call, AccumulatingCall | AwaitedCall):
        share = 1.0 if isinstance(call, AccumulatingCall) else 0.0
    return Run(member, call, calls, share, is_in_stage=True)


def predicted_instructions(operator: Operator) -> int:
    """What an operator or a stage is expected to execute."""
    return sum(run.predicted_instructions for run in runs_of(operator))


def is_counted(view: Operator) -> bool:
    """Whether the model of its kernel, on whole tensors, was fitted to counts of that kernel."""
    (run,) = runs_of(view)
    return run.kernel in _kernels(run.variant, view.instruction_set)


def name_of(variant: str, instruction_set: str) -> str:
    """What the models of a variant are kept under, "portable on armv6-m"; "" for those of all other cores."""
    return f"{variant}{_ON}{instruction_set}" if instruction_set else variant


def fitted_set(instruction_set: str, variant: str = "") -> str:
    """The instruction set, if any variant has models for it, or the one named has; "" otherwise."""
    if variant:
        is_fitted = name_of(variant, instruction_set) in _models()
    else:
        is_fitted = any(name.endswith(_ON + instruction_set) for name in _models())
    return instruction_set if is_fitted else ""


def _rounding(count: int) -> float:
    """By how much whole vectors are more than so many elements."""
    return -(-count // VECTOR) * VECTOR / count if count else 1.0


def _segments(view: Operator, call: WholeCall | StreamedCall) -> int:
    """Rows under the windows of an output row; C of TVM's takes each input whole."""
    return len(view.inputs) if isinstance(call, SourceCall) else sum(item.rows for item in call.windows)


def _pixels(call: WholeCall | StreamedCall) -> int:
    """Columns of all rows that are written; accumulators are written as one."""
    if isinstance(call, SourceCall):
        return 1
    return call.rows if isinstance(call, AccumulatingCall) else call.rows * call.columns


def _reads(view: Operator, call: WholeCall | StreamedCall) -> int:
    if isinstance(call, SourceCall | AccumulatingCall) or not call.windows:
        return sum(tensor.elements for tensor in view.inputs)
    return sum(call.rows * window.rows * window.row_elements for window in call.windows)


def _kernels(variant: str, instruction_set: str) -> Mapping[str, Mapping[str, float]]:
    """The models of a variant by kernel: those of the instruction set, or of all other cores, if any."""
    names = (name_of(variant, instruction_set), variant)
    return next((_models()[name] for name in names if name in _models()), {})


@functools.cache
def _models() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """Coefficients by variant (`name_of`), kernel and term of the work; a stage is told as a variant."""
    text = (resources.files("tinycc.schedule") / "costs.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, dict[str, float]]] = json.loads(text)
    return found
