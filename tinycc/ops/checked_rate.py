"""The learning rate, or 0 where a gradient has overflowed: what is multiplied by it then changes nothing."""

import math
from dataclasses import dataclass
from typing import ClassVar

from tvm import relax

from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.runtime_c.constants import constant

# From this magnitude on a number counts as overflowed: a sum of 2**24 lesser ones, each times an integer of 8
# bits, is finite still.
LIMIT = 2.0 ** constant("TINYCC_OVERFLOW_EXPONENT")


@dataclass(frozen=True, eq=False)
class CheckedRate(Operator):
    """The rate where it and all values are less than LIMIT in magnitude, as NaN is not; else 0.

    inputs: values, float32 of any shape; the rate, float32 [1]. outputs: float32 [1].
    """

    kind: ClassVar[str] = "checked_rate"
    element_types: ClassVar[ElementTypes] = frozenset({("float32", "float32")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "CheckedRate":
        """Read both parameters."""
        return cls(tuple(map(composite.tensor, composite.function.params)), (composite.result(),))


def checked_rate(values: relax.Var, rate: relax.Var) -> relax.Function:
    """The composite function of a `CheckedRate`."""

    def body(emit: Emit, values: relax.Var, rate: relax.Var) -> relax.Expr:
        flat = emit(relax.op.reshape(values, (-1,)))
        together = emit(relax.op.abs(emit(relax.op.concat([flat, rate], 0))))
        are_small = emit(relax.op.less(together, relax.const(LIMIT, "float32")))
        smallest = emit(relax.op.min(emit(relax.op.astype(are_small, "int32")), keepdims=True))
        zeros = emit(relax.op.zeros_like(rate))
        return relax.op.where(emit(relax.op.astype(smallest, "bool")), rate, zeros)

    return write_composite(CheckedRate.kind, {"values": values, "rate": rate}, body)


class PortableCheckedRate(Kernel[CheckedRate]):
    """By the bits of values, so that no core needs an FPU for it."""

    def call(self, view: CheckedRate) -> RowCall:
        """All values at once."""
        return RowCall(
            header="checked_rate.h",
            function="tinycc_checked_rate_float32",
            struct="tinycc_checked_rate",
            shape={"elements": math.prod(view.inputs[0].shape)},
            data={"zero": 0},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=1,
            row_elements=1,
            pixel_columns=0,
        )

    def overlap(self, view: CheckedRate, index: int) -> int | None:
        """In place of the rate."""
        return 0 if index == 1 else None


ROOM = Room(CheckedRate, (PortableCheckedRate(),))
