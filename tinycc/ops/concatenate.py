"""Concatenation of tensors of one scale."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite


@dataclass(frozen=True, eq=False)
class Concatenate(Operator):
    """Any number of int8 or int16 tensors joined along one axis."""

    axis: int

    kind: ClassVar[str] = "concatenate"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """Concat of a tuple, of integers."""
        return [FusionPattern("tinycc.concatenate", is_op("relax.concat")(wildcard()))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Concatenate":
        """Read the axis and the operands."""
        call = composite.call("relax.concat")
        operands = tuple(composite.tensor(field) for field in composite.resolve(call.args[0]).fields)
        output = composite.result()
        return cls(operands, (output,), int(call.attrs.axis) % len(output.shape))

    def kernel(self) -> KernelCall:
        """Each input gives a run of elements in turn, as often as there are elements before the axis."""
        output = self.outputs[0]
        runs = int(np.prod(output.shape[: self.axis], dtype=np.int64))
        lengths = np.array([tensor.elements // runs for tensor in self.inputs], np.int32)
        return KernelCall(
            header="concatenate.h",
            function=f"tinycc_concatenate_{output.dtype}",
            struct="tinycc_concatenate",
            shape={"inputs": len(self.inputs)},
            data={"lengths": lengths},
            windows=tuple(RowWindow.whole(tensor) for tensor in self.inputs),
            rows=1,
            is_flat=True,
            columns=runs,
            row_elements=output.elements,
            as_list=True,
        )

    def describe(self) -> str:
        """The axis."""
        return f"axis {self.axis}"
