"""A gradient of real numbers as integers."""

from dataclasses import dataclass
from typing import ClassVar

from tvm import relax

from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.gradient_integers import times_power
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow


@dataclass(frozen=True, eq=False)
class QuantizeGradient(Operator):
    """gradient / 2**exponent, rounded to nearest, halves up; 0 for what is not finite.

    inputs: float32 of any shape; the exponent that `gradient_exponent` found for it, int32 [1].
    outputs: int32 of the same shape.
    """

    kind: ClassVar[str] = "quantize_gradient"
    element_types: ClassVar[ElementTypes] = frozenset({("float32", "int32")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "QuantizeGradient":
        """Read what `quantize_gradient` wrote."""
        return cls(tuple(map(composite.tensor, composite.function.params)), (composite.result(),))


def quantize_gradient(gradient: relax.Var, exponent: relax.Var) -> relax.Function:
    """The composite function of a `QuantizeGradient`."""

    def body(emit: Emit, gradient: relax.Var, exponent: relax.Var) -> relax.Expr:
        zeros = emit(relax.op.zeros_like(gradient))
        finite = emit(relax.op.where(emit(relax.op.isfinite(gradient)), gradient, zeros))
        power = emit(relax.op.subtract(relax.const(0, "int32"), exponent))
        real = times_power(emit, finite, power)
        whole = emit(relax.op.floor(emit(relax.op.add(real, relax.const(0.5, "float64")))))
        return relax.op.astype(whole, "int32")

    return write_composite(QuantizeGradient.kind, {"gradient": gradient, "exponent": exponent}, body)


class PortableQuantizeGradient(Kernel[QuantizeGradient]):
    """On any core."""

    def call(self, view: QuantizeGradient) -> RowCall:
        """Element by element."""
        output = view.outputs[0]
        return RowCall(
            header="quantize_gradient.h",
            function="tinycc_quantize_gradient_float32",
            struct="tinycc_quantize_gradient",
            shape={"zero": 0},
            data={"zero": 0},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=output.elements,
            row_elements=output.elements,
        )

    def overlap(self, view: QuantizeGradient, index: int) -> int | None:
        """In place of the gradient."""
        return 0 if index == 0 else None


ROOM = Room(QuantizeGradient, (PortableQuantizeGradient(),))
