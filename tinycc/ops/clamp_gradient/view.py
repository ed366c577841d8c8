"""What the gradient before a clamp is: how it is written and read."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.clamp_mask.view import inside_of, unpacked
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.gradient_integers import FACTOR_BITS, rounded_shift, scaled


@dataclass(frozen=True, eq=False)
class ClampGradient(Operator):
    """gradient * factor where the result lay between the bounds of its clamp, 0 where it was at one of them.

    inputs: the gradient, float32 [..., channels]; the result, int8 of the same shape, or what `clamp_mask`
        made of it, uint8 [elements / 8]. A gradient of integers, int16 or int32, has its exponent, and that
        which `gradient_exponent` found for it, int32 [1], behind them.
    outputs: float32, or of integers int16, of which each is at most 2**bits.
    factors: float32 [channels], or [1] for all. For integers int16, of 15 bits, and [pixels, 1] as well.
    low, high: bounds of the result.
    bits: of integers, FACTOR_BITS at most.
    """

    factors: np.ndarray
    low: int
    high: int
    bits: int

    kind: ClassVar[str] = "clamp_gradient"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT, ("int16", "int16"), ("int32", "int16")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "ClampGradient":
        """Read what `clamp_gradient` wrote."""
        inputs = tuple(map(composite.tensor, composite.function.params))
        factors = composite.tensor(composite.call("relax.multiply").args[1]).value
        assert factors is not None
        factors = factors.reshape(-1) if inputs[0].dtype == "float32" else factors.astype(np.int16)
        low, high, bits = (composite.integer(name) for name in ("low", "high", "bits"))
        return cls(inputs, (composite.result(),), factors, low, high, bits)

    @property
    def reads_mask(self) -> bool:
        """Whether the second input is a mask of bits."""
        return self.inputs[1].dtype == "uint8"

    def describe(self) -> str:
        """What passes."""
        return "by mask" if self.reads_mask else f"between {self.low} and {self.high}"


def clamp_gradient(
    gradient: relax.Var,
    result: relax.Var,
    *exponents: relax.Var,
    factor: float | np.ndarray,
    low: int,
    high: int,
    bits: int = FACTOR_BITS,
) -> relax.Function:
    """The composite function of a `ClampGradient`, whose docstring tells of the operands.

    exponents: of a gradient of integers, before and after. factor: one, or `ClampGradient.factors`.
    """
    is_mask = tvm_adapter.dtype_of(result) == "uint8"
    shape = tvm_adapter.shape_of(gradient)

    def body(emit: Emit, gradient: relax.Var, result: relax.Var, *exponents: relax.Var) -> relax.Expr:
        passes = unpacked(emit, result, shape) if is_mask else inside_of(emit, result, low, high)
        if exponents:
            before, after = exponents
            shift = emit(relax.op.subtract(after, before))
            products = _integer_products(emit, gradient, shift, np.asarray(factor), bits)
        else:
            factors = tvm_adapter.make_constant(np.asarray(factor, np.float32))
            products = emit(relax.op.multiply(gradient, factors))
        return relax.op.where(passes, products, relax.op.zeros_like(products))

    names = ("gradient", "result", "before", "after")
    operands = dict(zip(names, (gradient, result, *exponents), strict=False))
    return write_composite(ClampGradient.kind, operands, body, {"low": low, "high": high, "bits": bits})


def _integer_products(
    emit: Emit, gradient: relax.Var, shift: relax.Var, factors: np.ndarray, bits: int
) -> relax.Var:
    """What passes of a gradient of integers, int16."""
    shape = tvm_adapter.shape_of(gradient)
    pixels = emit(relax.op.reshape(emit(relax.op.astype(gradient, "int32")), (-1, shape[-1])))
    shifted = rounded_shift(emit, pixels, shift)
    products = scaled(emit, shifted, tvm_adapter.make_constant(factors.astype(np.int32)), bits)
    return emit(relax.op.astype(emit(relax.op.reshape(products, shape)), "int16"))


def with_mask(
    view: ClampGradient, gradient: relax.Var, mask: relax.Var, *exponents: relax.Var
) -> relax.Function:
    """The composite function of the same that reads a mask in place of the result."""
    return clamp_gradient(
        gradient, mask, *exponents, factor=view.factors, low=view.low, high=view.high, bits=view.bits
    )
