"""By how many powers of two a gradient is more than what its integers may be."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.dsp import FEATURE
from tinycc.ops.gradient_integers import FACTOR_BITS, exponents
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.runtime_c.constants import constant

# Of the greatest element of a float32 gradient, once it is an integer: it is in [2**29, 2**30).
_REAL_BITS = 30
# By which whatever is finite becomes 0.
NOT_FINITE = constant("TINYCC_GRADIENT_NOT_FINITE")


@dataclass(frozen=True, eq=False)
class GradientExponent(Operator):
    """The exponent that a gradient has once it is shifted to as many bits as are wanted, int32 [1].

    inputs: real numbers, float32, which are to have 30 bits, NOT_FINITE where one of them is not finite; or
        integers, int16 or int32, which are to have 15, and their exponent so far, int32 [1].
    """

    kind: ClassVar[str] = "gradient_exponent"
    element_types: ClassVar[ElementTypes] = frozenset(
        (dtype, "int32") for dtype in ("float32", "int16", "int32")
    )

    @classmethod
    def from_composite(cls, composite: Composite) -> "GradientExponent":
        """Read what `gradient_exponent` wrote."""
        return cls(tuple(map(composite.tensor, composite.function.params)), (composite.result(),))


def gradient_exponent(gradient: relax.Var, *exponent: relax.Var) -> relax.Function:
    """The composite function of a `GradientExponent`, whose docstring tells of the operands."""
    operands = dict(zip(("gradient", "exponent"), (gradient, *exponent), strict=False))
    body = _of_integers if exponent else _of_real_numbers
    return write_composite(GradientExponent.kind, operands, body)


def _of_real_numbers(emit: Emit, gradient: relax.Var) -> relax.Expr:
    flat = emit(relax.op.reshape(gradient, (-1,)))
    greatest = emit(relax.op.max(emit(relax.op.abs(flat)), axis=0, keepdims=True))
    finite = emit(relax.op.astype(emit(relax.op.isfinite(flat)), "int32"))
    is_finite = emit(relax.op.astype(emit(relax.op.min(finite, axis=0, keepdims=True)), "bool"))
    exponent = emit(relax.op.subtract(exponents(emit, greatest), relax.const(_REAL_BITS - 1, "int32")))
    return relax.op.where(is_finite, exponent, relax.const(NOT_FINITE, "int32"))


def _of_integers(emit: Emit, gradient: relax.Var, exponent: relax.Var) -> relax.Expr:
    zero = relax.const(0, "int32")
    wide = emit(relax.op.astype(emit(relax.op.reshape(gradient, (-1,))), "int32"))
    # As many bits as the greatest has all of them together have; one's complement of those below 0.
    places = emit(relax.op.bitwise_xor(wide, emit(relax.op.right_shift(wide, relax.const(31, "int32")))))
    greatest = emit(relax.op.max(places, axis=0, keepdims=True))
    powers = tvm_adapter.make_constant(1 << np.arange(31, dtype=np.int32))
    reached = emit(relax.op.greater_equal(emit(relax.op.expand_dims(greatest, -1)), powers))
    bits = emit(relax.op.sum(emit(relax.op.astype(reached, "int32")), axis=-1))
    shift = emit(relax.op.subtract(bits, relax.const(FACTOR_BITS, "int32")))
    is_any = emit(relax.op.greater(greatest, zero))
    return relax.op.add(exponent, emit(relax.op.where(is_any, shift, zero)))


class PortableGradientExponent(Kernel[GradientExponent]):
    """On any core."""

    def call(self, view: GradientExponent) -> RowCall:
        """All elements at once."""
        gradient = view.inputs[0]
        return RowCall(
            header="gradient_exponent.h",
            function=f"tinycc_gradient_exponent_{gradient.dtype}",
            struct="tinycc_gradient_exponent",
            shape={"elements": gradient.elements},
            data={"zero": 0},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=1,
            row_elements=1,
        )


class DspGradientExponent(PortableGradientExponent):
    """Four elements at a time, with the DSP extension."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE

    def fits(self, view: GradientExponent) -> bool:
        """Integers of 32 bits."""
        return view.inputs[0].dtype == "int32"

    def call(self, view: GradientExponent) -> RowCall:
        """All elements at once."""
        return replace(
            super().call(view),
            header="gradient_exponent_dsp.h",
            function="tinycc_gradient_exponent_dsp_int32",
            struct="tinycc_gradient_exponent_dsp",
        )


ROOM = Room(GradientExponent, (DspGradientExponent(), PortableGradientExponent()))
