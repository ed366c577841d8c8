"""What all operators have in common: tensors, the view and the kernel that was chosen."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

from tvm.relax.transform import FusionPattern

from tinycc.ops.composite import Composite
from tinycc.ops.kernel import PORTABLE, Kernel, NoKernel, Trade
from tinycc.ops.kernel_call import AccumulatingCall, AwaitedCall, FlatCall, RowCall, WholeCall, by_rows
from tinycc.ops.tensor import Tensor

# Attribute of a composite function: the name of the kernel that was chosen.
VARIANT = "tinycc.variant"
# Attribute of a composite function: the core's instruction set, where costs are fitted for it.
INSTRUCTION_SET = "tinycc.instruction_set"
# Attribute of a composite function with weights: how many bits they need, where that is less than 8.
WEIGHT_BITS = "tinycc.weight_bits"
# Attribute of main: how many multiply-accumulates fewer there are than in the file.
DEAD_MACS = "tinycc.dead_macs"
# Attribute of a composite function: another computes the same.
REPEATED = "tinycc.repeated"

# (input dtype, output dtype) of the kernels there are; None for any.
ElementTypes = frozenset[tuple[str, str]] | None
INT8 = frozenset({("int8", "int8")})
INT8_OR_INT16 = INT8 | {("int16", "int16")}
FLOAT = ("float32", "float32")
# Of operators that move elements, whatever these mean.
MOVED_TYPES = ("int8", "int16", "float32")
MOVED = frozenset((dtype, dtype) for dtype in MOVED_TYPES)

_NONE: tuple[Kernel[Any], ...] = (NoKernel(),)


@dataclass(frozen=True, eq=False)
class Operator(ABC):
    """The typed view of a composite function: all that passes, planner, codegen and report know of it.

    inputs: in the kernel's order, constants included; states last.
    outputs: in the order of the function's results; updated states last.
    is_repeated: whether another operator computes the same, to save memory.
    kernels: of the operator's room, best first.
    variant: the name of the one that runs it.
    instruction_set: of the core, where costs are fitted for it (schedule/costs.py); "" for any other.
    element_types: pairs of the first input's and the first output's dtype that there is a kernel for; None
        for any.
    is_spatial: whether an output row depends on several input rows, which must be those of one image.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    kernels: tuple[Kernel[Any], ...] = field(default=_NONE, kw_only=True)
    variant: str = field(default=PORTABLE, kw_only=True)
    instruction_set: str = field(default="", kw_only=True)
    is_repeated: bool = field(default=False, kw_only=True)

    kind: ClassVar[str]
    element_types: ClassVar[ElementTypes] = INT8_OR_INT16
    is_spatial: ClassVar[bool] = False

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """What of a Relax function this operator replaces, best match first; [] where a pass writes it."""
        return []

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """The same on real numbers, and what leads there; tried once all that is quantized is found."""
        return []

    @classmethod
    @abstractmethod
    def from_composite(cls, composite: Composite) -> "Operator":
        """The view of a function that one of the patterns matched."""

    def offered(self, features: Collection[str]) -> list[Kernel[Any]]:
        """The kernels that fit on a core with these features, best first; of each name the first."""
        offered: dict[str, Kernel[Any]] = {}
        for kernel in self.kernels:
            runs = kernel.needs is None or kernel.needs in features
            if runs and kernel.name not in offered and kernel.fits(self):
                offered[kernel.name] = kernel
        return list(offered.values())

    def traded(self, trade: Trade) -> "list[Operator]":
        """The view with each other kernel that fits, on the same core, and is taken for this trade.

        What differs in constants alone is made for the same extension of the core.
        """
        needs = (None, self.kernel.needs) if trade == "rows" else (self.kernel.needs,)
        return [
            replace(self, variant=kernel.name)
            for kernel in self.kernels
            if kernel.trade == trade and kernel.needs in needs and kernel.fits(self)
        ]

    @cached_property
    def kernel(self) -> Kernel[Any]:
        """The kernel that `variant` names; ValueError where none of that name fits."""
        for kernel in self.kernels:
            if kernel.name == self.variant and kernel.fits(self):
                return kernel
        raise ValueError(f"{self.kind} has no kernel {self.variant!r} that fits")

    def call(self) -> WholeCall:
        """The call that computes the operator on whole tensors."""
        call = self.kernel.call(self)
        return call.whole if isinstance(call, FlatCall) else call

    @cached_property
    def row_kernel(self) -> RowCall | AwaitedCall | None:
        """The call that computes an output row from input rows; None if the kernel needs whole tensors."""
        if self.state_count or len(self.outputs) > 1:
            return None
        return by_rows(self.kernel.row_call(self), self.inputs, self.outputs[0])

    def accumulating_kernel(self, height: int) -> AccumulatingCall | None:
        """The call that takes in one of `height` rows of the input after the other; None if there is none."""
        return self.kernel.accumulate(self, height)

    @property
    def runs_by_rows(self) -> bool:
        """Whether it can run while only some rows of its input are there."""
        heights = (self.inputs[0].height, 1) if self.inputs else ()
        sums = (self.accumulating_kernel(height) for height in heights)
        return self.row_kernel is not None or any(call is not None for call in sums)

    @property
    def operand_bytes(self) -> int:
        """Flash that inputs which are constants take, beside the `data` of the kernel's call."""
        return sum(tensor.value.nbytes for tensor in self.inputs if tensor.value is not None)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return 0

    @property
    def padded_macs(self) -> int:
        """Those of windows that reach out of the input."""
        return 0

    @property
    def extra_macs(self) -> int:
        """Multiply-accumulates of elements that were computed before."""
        return self.macs if self.is_repeated else 0

    @property
    def scratch_bytes(self) -> int:
        """Working memory in the arena, beside inputs and outputs."""
        return self.kernel.scratch(self).bytes

    @property
    def scratch_alignment(self) -> int:
        """What the address of the working memory must be a multiple of."""
        return self.kernel.scratch(self).alignment

    @property
    def state_count(self) -> int:
        """How many of the last inputs are states, updated in place as the last outputs."""
        return 0

    def overlap_distance(self, index: int) -> int | None:
        """How many bytes the output must start before input `index`, if that dies here; None for never."""
        return self.kernel.overlap(self, index)

    def describe(self) -> str:
        """Parameters worth a word in a report, e.g. "3x3 stride 2x2"; "" if there are none."""
        return ""
