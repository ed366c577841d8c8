"""Index of the largest element along an axis."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite


@dataclass(frozen=True, eq=False)
class ArgMax(Operator):
    """int32 or int64 index of the first largest int8 or uint8 element along `axis`."""

    axis: int

    kind: ClassVar[str] = "arg_max"
    element_types: ClassVar[ElementTypes] = frozenset(
        (element, index) for element in ("int8", "uint8") for index in ("int32", "int64")
    )

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """argmax(x) of int8, its int64 result cast to int32 or not."""
        index = is_op("relax.argmax")(wildcard().has_dtype("int8"))
        narrow = is_op("relax.astype")(index).has_dtype("int32")
        return [FusionPattern("tinycc.arg_max", narrow), FusionPattern("tinycc.arg_max", index)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "ArgMax":
        """Read the axis."""
        call = composite.call("relax.argmax")
        source = composite.tensor(call.args[0])
        if call.attrs.axis is None:
            raise ValueError("the index of the largest element of all axes is not supported")
        return cls((source,), (composite.result(),), int(call.attrs.axis) % len(source.shape))

    def kernel(self) -> KernelCall:
        """One column for each position before the axis."""
        source, output = self.inputs[0], self.outputs[0]
        outer = int(np.prod(source.shape[: self.axis], dtype=np.int64))
        types = output.dtype if source.dtype == "int8" else f"{source.dtype}_{output.dtype}"
        inner = int(np.prod(source.shape[self.axis + 1 :], dtype=np.int64))
        return KernelCall(
            header="arg_max.h",
            function=f"tinycc_arg_max_{types}",
            struct="tinycc_arg_max",
            shape={"size": source.shape[self.axis], "inner": inner},
            data={"first": 0},
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=outer,
            row_elements=output.elements,
        )

    def describe(self) -> str:
        """The axis."""
        return f"axis {self.axis}"
