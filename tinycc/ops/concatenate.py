"""Concatenation of tensors of one scale."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import MOVED, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.room import Room


@dataclass(frozen=True, eq=False)
class Concatenate(Operator):
    """Any number of tensors joined along one axis."""

    axis: int

    kind: ClassVar[str] = "concatenate"
    element_types: ClassVar[ElementTypes] = MOVED

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """Concat of a tuple."""
        return [FusionPattern("tinycc.concatenate", is_op("relax.concat")(wildcard()))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Concatenate":
        """Read the axis and the operands."""
        call = composite.call("relax.concat")
        operands = tuple(composite.tensor(field) for field in composite.resolve(call.args[0]).fields)
        output = composite.result()
        return cls(operands, (output,), int(call.attrs.axis) % len(output.shape))

    def describe(self) -> str:
        """The axis."""
        return f"axis {self.axis}"


class PortableConcatenate(Kernel[Concatenate]):
    """On any core."""

    def call(self, view: Concatenate) -> FlatCall:
        """Each input gives a run of elements in turn, as often as there are elements before the axis."""
        output = view.outputs[0]
        runs = int(np.prod(output.shape[: view.axis], dtype=np.int64))
        lengths = np.array([tensor.elements // runs for tensor in view.inputs], np.int32)
        return FlatCall(
            header="concatenate.h",
            function=f"tinycc_concatenate_{output.dtype}",
            struct="tinycc_concatenate",
            shape={"inputs": len(view.inputs)},
            data={"lengths": lengths},
            inputs=tuple(tensor.elements for tensor in view.inputs),
            columns=runs,
            elements=output.elements,
            as_list=True,
        )


ROOM = Room(Concatenate, (PortableConcatenate(),))
