"""Index of the largest or smallest element along an axis."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow


@dataclass(frozen=True, eq=False)
class ArgMax(Operator):
    """int32 or int64 index of the first largest, or smallest, int8 or uint8 element along `axis`."""

    axis: int
    is_minimum: bool

    kind: ClassVar[str] = "arg_max"
    element_types: ClassVar[ElementTypes] = frozenset(
        (element, index) for element in ("int8", "uint8") for index in ("int32", "int64")
    )

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """argmax(x) or argmin(x) of int8, its int64 result cast to int32 or not."""
        patterns = []
        for name in ("relax.argmax", "relax.argmin"):
            index = is_op(name)(wildcard().has_dtype("int8"))
            narrow = is_op("relax.astype")(index).has_dtype("int32")
            patterns += [FusionPattern("tinycc.arg_max", pattern) for pattern in (narrow, index)]
        return patterns

    @classmethod
    def from_composite(cls, composite: Composite) -> "ArgMax":
        """Read the axis."""
        is_minimum = composite.has("relax.argmin")
        call = composite.call("relax.argmin" if is_minimum else "relax.argmax")
        source = composite.tensor(call.args[0])
        if call.attrs.axis is None:
            raise ValueError("an index among the elements of all axes is not supported")
        axis = int(call.attrs.axis) % len(source.shape)
        return cls((source,), (composite.result(),), axis, is_minimum)

    def describe(self) -> str:
        """The axis."""
        return f"{'minimum' if self.is_minimum else 'maximum'}, axis {self.axis}"


class PortableArgMax(Kernel[ArgMax]):
    """On any core."""

    def call(self, view: ArgMax) -> RowCall:
        """One column for each position before the axis."""
        source, output = view.inputs[0], view.outputs[0]
        outer = int(np.prod(source.shape[: view.axis], dtype=np.int64))
        types = output.dtype if source.dtype == "int8" else f"{source.dtype}_{output.dtype}"
        inner = int(np.prod(source.shape[view.axis + 1 :], dtype=np.int64))
        return RowCall(
            header="arg_max.h",
            function=f"tinycc_arg_max_{types}",
            struct="tinycc_arg_max",
            shape={"size": source.shape[view.axis], "inner": inner, "is_minimum": int(view.is_minimum)},
            data={"first": 0},
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=outer,
            row_elements=output.elements,
        )


ROOM = Room(ArgMax, (PortableArgMax(),))
