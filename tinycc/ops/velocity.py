"""What weights change by, summed up over steps, as kernels/shared/velocity.h has it, in Relax."""

import numpy as np
from tvm import relax

from tinycc.ops.composite_writer import Emit
from tinycc.ops.integer_update import held_products
from tinycc.ops.update import RANDOM_BITS
from tinycc.runtime_c.constants import constant

# Behind the point of integers, by what they are of.
WEIGHT_BITS = constant("TINYCC_VELOCITY_WEIGHT_BITS")
BIAS_BITS = constant("TINYCC_VELOCITY_BIAS_BITS")
DECAY_BITS = constant("TINYCC_VELOCITY_DECAY_BITS")
# Of integers.
MOST = 2**31 - 1


def decay_of(momentum: float, *, is_real: bool) -> np.ndarray:
    """What a velocity is multiplied by: float32 [1], or of integers int32 [1] in units of 2**-24."""
    if is_real:
        return np.array([momentum], np.float32)
    return np.array([round(momentum * 2**DECAY_BITS)], np.int32)


def next_velocity(
    emit: Emit,
    velocity: relax.Expr,
    decay: relax.Expr,
    factors: relax.Expr,
    sums: relax.Expr,
    exponent: relax.Expr | None,
    *,
    bits: int,
    bound: float,
) -> relax.Expr:
    """The velocity times decay, plus factors times sums, held; float32, or of integers int32.

    factors: float32, of a shape that is broadcast to that of velocity and sums. exponent: of a gradient of
    integers, whose sums are int64. bits: behind the point of an integer velocity. bound: of real numbers.
    """
    if exponent is None:
        change = emit(relax.op.multiply(factors, sums))
        zeros = emit(relax.op.zeros_like(change))
        finite = emit(relax.op.where(emit(relax.op.isfinite(change)), change, zeros))
        held = emit(relax.op.clip(finite, -bound, bound))
        total = emit(relax.op.add(emit(relax.op.multiply(decay, velocity)), held))
        return relax.op.clip(total, -bound, bound)
    places = emit(relax.op.add(exponent, relax.const(bits, "int32")))
    change = _shifted(emit, held_products(emit, sums, factors, places, bound=MOST), RANDOM_BITS)
    wide, factor = (emit(relax.op.astype(item, "int64")) for item in (velocity, decay))
    product = emit(relax.op.multiply(wide, factor))
    # Towards 0.
    down = _shifted(emit, product, DECAY_BITS)
    up = _negative(emit, _shifted(emit, _negative(emit, product), DECAY_BITS))
    kept = emit(relax.op.where(emit(relax.op.less(product, _long(0))), up, down))
    total = emit(relax.op.add(kept, change))
    held = emit(relax.op.maximum(emit(relax.op.minimum(total, _long(MOST))), _long(-MOST)))
    return relax.op.astype(held, "int32")


def _shifted(emit: Emit, values: relax.Expr, bits: int) -> relax.Var:
    return emit(relax.op.right_shift(values, _long(bits)))


def _negative(emit: Emit, values: relax.Expr) -> relax.Var:
    return emit(relax.op.subtract(_long(0), values))


def _long(value: int) -> relax.Expr:
    return relax.const(np.int64(value), "int64")
