"""Updates of integers by gradients of integers, as kernels/shared/gradient_integers.h has them, in Relax."""

import numpy as np
from tvm import relax

from tinycc.ops.composite_writer import Emit
from tinycc.ops.gradient_integers import exponents, times_power
from tinycc.ops.update import RANDOM_BITS, UpdateRounding

# Of a float32 number's mantissa behind its first bit.
_MANTISSA_BITS = 23


def integer_changes(
    emit: Emit,
    how: UpdateRounding,
    sums: relax.Expr,
    factors: relax.Expr,
    exponent: relax.Expr,
    step: relax.Expr,
    *,
    bound: float,
    elements: np.ndarray,
) -> relax.Var:
    """floor(factor * sum * 2**exponent + u), int32, the product held to [-bound, bound].

    step: int32 [1]. elements: their numbers in the tensor. Others: as for `held_products`.
    """
    delta = held_products(emit, sums, factors, exponent, bound=bound)
    random = how.random_bits_in_relax(emit, step, elements)
    total = emit(relax.op.add(delta, random))
    return emit(relax.op.astype(emit(relax.op.right_shift(total, _long(RANDOM_BITS))), "int32"))


def held_products(
    emit: Emit, sums: relax.Expr, factors: relax.Expr, exponent: relax.Expr, *, bound: float
) -> relax.Var:
    """Factor * sum * 2**exponent, held to [-bound, bound], in units of 2**-24, rounded down; int64.

    sums: int64. factors: float32, of a shape that is broadcast to theirs; one that is not finite counts as 0.
    exponent: of the gradient, int32 [1].
    """
    zeros = emit(relax.op.zeros_like(factors))
    finite = emit(relax.op.where(emit(relax.op.isfinite(factors)), factors, zeros))
    powers = exponents(emit, finite)
    mantissas = times_power(emit, finite, emit(relax.op.subtract(_integer(_MANTISSA_BITS), powers)))
    products = emit(relax.op.multiply(sums, emit(relax.op.astype(mantissas, "int64"))))
    places = emit(relax.op.add(emit(relax.op.add(powers, exponent)), _integer(RANDOM_BITS - _MANTISSA_BITS)))
    most = int(bound) << RANDOM_BITS
    return _held_shift(emit, products, emit(relax.op.astype(places, "int64")), most)


def _held_shift(emit: Emit, values: relax.Expr, left: relax.Expr, most: int) -> relax.Var:
    """Values * 2**left rounded down, held to [-most, most]; all int64."""
    right = _between(emit, emit(relax.op.subtract(_long(0), left)), 0, 63)
    lowered = emit(relax.op.right_shift(values, right))
    limit = emit(relax.op.right_shift(_long(most), _between(emit, left, 0, 63)))
    raised = emit(relax.op.left_shift(values, _between(emit, left, 0, 62)))
    below = emit(relax.op.less(values, emit(relax.op.subtract(_long(0), limit))))
    raised = emit(relax.op.where(below, _long(-most), raised))
    raised = emit(relax.op.where(emit(relax.op.greater(values, limit)), _long(most), raised))
    is_left = emit(relax.op.greater(left, _long(0)))
    return _between(emit, emit(relax.op.where(is_left, raised, lowered)), -most, most)


def _between(emit: Emit, values: relax.Expr, low: int, high: int) -> relax.Var:
    return emit(relax.op.minimum(emit(relax.op.maximum(values, _long(low))), _long(high)))


def _integer(value: int) -> relax.Expr:
    return relax.const(value, "int32")


def _long(value: int) -> relax.Expr:
    return relax.const(np.int64(value), "int64")
