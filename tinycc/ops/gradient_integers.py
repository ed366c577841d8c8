"""Gradients as integers: how they are shifted and multiplied, and how many bits they may have.

A gradient is values * 2**(exponent + offset): integers, whose exponent a step computes from them, and an
offset that is known beforehand. The same in C: kernels/shared/gradient_integers.h.
"""

import math
from dataclasses import dataclass

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.composite_writer import Emit
from tinycc.ops.tensor import Tensor

# Of the integers that are multiplied: one as large has this many bits, its sign left out.
FACTOR_BITS = 15
# Of products with all bits: 2**15 * (2**15 - 1).
PRODUCT_BITS = 2 * FACTOR_BITS
# What sums of products are at most, so that some of them together may still be rounded; and what those are
# less than that an update multiplies by 24 bits.
_MOST_SUM, _MOST_UPDATE = 2**31 - 128, 2**39
# Exponents of float32 numbers that have all their bits.
_LEAST_EXPONENT, _GREATEST_EXPONENT = -126, 127


@dataclass(frozen=True, eq=False)
class FixedFactors:
    """Real factors as integers * 2**(exponent - 15), int16 of the factors' shape."""

    integers: np.ndarray
    exponent: int

    @classmethod
    def of(cls, factors: float | np.ndarray) -> "FixedFactors":
        """The nearest; all have the exponent of the greatest."""
        real = np.asarray(factors, np.float32).astype(np.float64)
        greatest = float(np.abs(real).max())
        mantissa, exponent = math.frexp(greatest)
        exponent -= mantissa == 0.5
        most = 2**FACTOR_BITS - 1
        integers = np.clip(np.rint(np.ldexp(real, FACTOR_BITS - exponent)), -most, most)
        return cls(integers.astype(np.int16), exponent)


def bits_below(worth: int, pixels: int = 1) -> int:
    """How many bits gradients may have, so that no sum behind them overflows.

    worth: the greatest sum of absolute numbers that one of them is multiplied by. pixels: that are summed for
    an update.
    """
    of_sums, of_updates = _MOST_SUM // worth, (_MOST_UPDATE - 1) // (255 * pixels)
    return max(1, min(FACTOR_BITS, of_sums.bit_length() - 1, of_updates.bit_length() - 1))


def header_ending(gradient: Tensor) -> str:
    """What names of headers end in whose kernels are for gradients of this type."""
    return "" if gradient.dtype == "float32" else "_int16"


def widened(emit: Emit, gradient: relax.Expr) -> relax.Expr:
    """A gradient as what its sums are: int32 of integers, real numbers as they are."""
    if tvm_adapter.dtype_of(gradient) == "float32":
        return gradient
    return emit(relax.op.astype(gradient, "int32"))


def rounded_shift(emit: Emit, values: relax.Expr, shift: relax.Expr) -> relax.Var:
    """Values / 2**shift as Relax, rounded to nearest, halves up; both int32, shift from -31 to 31."""
    zero, one = relax.const(0, "int32"), relax.const(1, "int32")
    before = emit(relax.op.maximum(emit(relax.op.subtract(shift, one)), zero))
    halves = emit(relax.op.add(emit(relax.op.right_shift(values, before)), one))
    left = emit(relax.op.maximum(emit(relax.op.subtract(zero, shift)), zero))
    is_right = emit(relax.op.greater(shift, zero))
    shifted = emit(relax.op.left_shift(values, left))
    return emit(relax.op.where(is_right, emit(relax.op.right_shift(halves, one)), shifted))


def scaled(emit: Emit, values: relax.Expr, factors: relax.Expr, bits: int) -> relax.Var:
    """The products of values and factors of FACTOR_BITS, both int32, rounded to `bits`, as Relax."""
    right = PRODUCT_BITS - bits
    product = emit(relax.op.multiply(values, factors))
    halves = emit(relax.op.add(product, relax.const(1 << right - 1, "int32")))
    return emit(relax.op.right_shift(halves, relax.const(right, "int32")))


def exponents(emit: Emit, values: relax.Expr) -> relax.Var:
    """floor(log2(|x|)) of finite float32 numbers, -126 at least, as Relax: int32 of their shape."""
    powers = np.ldexp(np.float32(1), np.arange(_LEAST_EXPONENT + 1, _GREATEST_EXPONENT + 1))
    magnitudes = emit(relax.op.expand_dims(emit(relax.op.abs(values)), -1))
    reached = emit(relax.op.greater_equal(magnitudes, tvm_adapter.make_constant(powers.astype(np.float32))))
    counts = emit(relax.op.sum(emit(relax.op.astype(reached, "int32")), axis=-1))
    return emit(relax.op.add(counts, relax.const(_LEAST_EXPONENT, "int32")))


def times_power(emit: Emit, values: relax.Expr, exponent: relax.Expr) -> relax.Var:
    """Values * 2**exponent as Relax, float64, exact for float32 numbers. exponent: int32, -300 to 300."""
    powers = tvm_adapter.make_constant(np.ldexp(1.0, np.arange(-300, 301)))
    places = emit(relax.op.add(exponent, relax.const(300, "int32")))
    power = emit(relax.op.take(powers, places, axis=0, mode="clip"))
    return emit(relax.op.multiply(emit(relax.op.astype(values, "float64")), power))
