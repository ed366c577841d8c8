"""The gradient before a result was rescaled and clamped, given that of the result."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.clamp_mask import inside_of, unpacked
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall, RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow


@dataclass(frozen=True, eq=False)
class ClampGradient(Operator):
    """gradient * factor where the result lay between the bounds of its clamp, 0 where it was at one of them.

    inputs: the gradient, float32 [..., channels]; the result, int8 of the same shape, or what `clamp_mask`
        made of it, uint8 [elements / 8].
    factors: float32 [channels], or [1] for all.
    low, high: bounds of the result.
    """

    factors: np.ndarray
    low: int
    high: int

    kind: ClassVar[str] = "clamp_gradient"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT})

    @classmethod
    def from_composite(cls, composite: Composite) -> "ClampGradient":
        """Read what `clamp_gradient` wrote."""
        gradient, result = map(composite.tensor, composite.function.params)
        factors = composite.real_constant(composite.call("relax.multiply").args[1]).reshape(-1)
        low, high = (composite.integer(name) for name in ("low", "high"))
        return cls((gradient, result), (composite.result(),), factors, low, high)

    @property
    def reads_mask(self) -> bool:
        """Whether the second input is a mask of bits."""
        return self.inputs[1].dtype == "uint8"

    def describe(self) -> str:
        """What passes."""
        return "by mask" if self.reads_mask else f"between {self.low} and {self.high}"


def clamp_gradient(
    gradient: relax.Var, result: relax.Var, *, factor: float | np.ndarray, low: int, high: int
) -> relax.Function:
    """The composite function of a `ClampGradient`, whose docstring tells of the operands.

    factor: one, or float32 [channels].
    """
    factors = tvm_adapter.make_constant(np.asarray(factor, np.float32))
    is_mask = tvm_adapter.dtype_of(result) == "uint8"

    def body(emit: Emit, gradient: relax.Var, result: relax.Var) -> relax.Expr:
        shape = tvm_adapter.shape_of(gradient)
        passes = unpacked(emit, result, shape) if is_mask else inside_of(emit, result, low, high)
        scaled = emit(relax.op.multiply(gradient, factors))
        return relax.op.where(passes, scaled, relax.op.zeros_like(scaled))

    operands = {"gradient": gradient, "result": result}
    return write_composite(ClampGradient.kind, operands, body, {"low": low, "high": high})


class PortableClampGradient(Kernel[ClampGradient]):
    """On any core."""

    def call(self, view: ClampGradient) -> FlatCall | RowCall:
        """Pixel by pixel; with a mask, whose bytes go over the ends of pixels, all of them at once."""
        gradient, result = view.inputs
        channels, elements = len(view.factors), gradient.elements
        if not view.reads_mask:
            return FlatCall(
                header="clamp_gradient.h",
                function="tinycc_clamp_gradient_float32",
                struct="tinycc_clamp_gradient",
                shape={"channels": channels},
                data={"factors": view.factors, "low": view.low, "high": view.high},
                inputs=(elements, elements),
                columns=elements // channels,
                elements=elements,
            )
        return RowCall(
            header="clamp_gradient.h",
            function="tinycc_mask_gradient_float32",
            struct="tinycc_clamp_gradient",
            shape={"channels": channels},
            data={"factors": view.factors, "low": view.low, "high": view.high},
            windows=(RowWindow.whole(gradient), RowWindow.whole(result)),
            rows=1,
            columns=elements // channels,
            row_elements=elements,
        )

    def overlap(self, view: ClampGradient, index: int) -> int | None:
        """In place of the gradient."""
        return 0 if index == 0 else None


ROOM = Room(ClampGradient, (PortableClampGradient(),))
