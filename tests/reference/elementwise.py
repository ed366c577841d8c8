"""Elementwise operators of two inputs, with numpy's broadcasting."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .fixed_point import (
    INT8,
    Integers,
    Quantization,
    Range,
    as_int64,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)
from .gemmlowp import count_leading_zeros, reciprocal

# Bits by which inputs are widened before they are brought to a common scale.
INT8_LEFT_SHIFT = 20
INT16_LEFT_SHIFT = 15


def _add_with_sign(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    quantizations: tuple[Quantization, Quantization, Quantization],
    bounds: Range,
    left_shift: int,
    sign: int,
) -> Integers:
    first, second, output = quantizations
    common = 2 * max(first.scale, second.scale)
    scaled = [
        multiply_by_quantized_multiplier(
            (as_int64(x) - own.zero_point) << left_shift, *quantize_multiplier(own.scale / common)
        )
        for x, own in ((a, first), (b, second))
    ]
    back = quantize_multiplier(common / (2.0**left_shift * output.scale))
    raw = multiply_by_quantized_multiplier(scaled[0] + sign * scaled[1], *back)
    return bounds.clamp(raw + output.zero_point)


def add(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    quantizations: tuple[Quantization, Quantization, Quantization],
    bounds: Range = INT8,
    left_shift: int = INT8_LEFT_SHIFT,
) -> Integers:
    """a + b; `quantizations` are those of a, b and the output.

    Each input less its zero point is shifted left by `left_shift` (20 for int8, 15 for int16) and multiplied
    by scale / (2 * larger input scale); the sum is multiplied by 2 * larger / (2^left_shift * output scale).
    All three multipliers are formed in double and applied with double rounding.
    """
    return _add_with_sign(a, b, quantizations, bounds, left_shift, 1)


def sub(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    quantizations: tuple[Quantization, Quantization, Quantization],
    bounds: Range = INT8,
    left_shift: int = INT8_LEFT_SHIFT,
) -> Integers:
    """a - b, as `add` with the second scaled input subtracted."""
    return _add_with_sign(a, b, quantizations, bounds, left_shift, -1)


def mul(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    quantizations: tuple[Quantization, Quantization, Quantization],
    bounds: Range = INT8,
) -> Integers:
    """a * b: the product without zero points times a.scale * b.scale / output.scale, formed in double."""
    first, second, output = quantizations
    product = (as_int64(a) - first.zero_point) * (as_int64(b) - second.zero_point)
    effective = quantize_multiplier(first.scale * second.scale / output.scale)
    return bounds.clamp(multiply_by_quantized_multiplier(product, *effective) + output.zero_point)


def maximum(a: npt.ArrayLike, b: npt.ArrayLike) -> Integers:
    """The larger integer; all three tensors share their quantization."""
    return np.maximum(as_int64(a), as_int64(b))


def minimum(a: npt.ArrayLike, b: npt.ArrayLike) -> Integers:
    """The smaller integer; all three tensors share their quantization."""
    return np.minimum(as_int64(a), as_int64(b))


def absolute(
    x: npt.ArrayLike, quantization: Quantization, output: Quantization, bounds: Range = INT8
) -> Integers:
    """|x|, times input.scale / output.scale (double) where the scales differ."""
    magnitude = np.abs(as_int64(x) - quantization.zero_point)
    if quantization.scale != output.scale:
        effective = quantize_multiplier(quantization.scale / output.scale)
        magnitude = multiply_by_quantized_multiplier(magnitude, *effective)
    return bounds.clamp(magnitude + output.zero_point)


def div(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    quantizations: tuple[Quantization, Quantization, Quantization],
    bounds: Range = INT8,
) -> Integers:
    """a / b; b nowhere its zero point. Effective multiplier a.scale / (b.scale * output.scale), in double.

    The reciprocal of |b| is a Q0 mantissa; a is shifted left as far as it goes before it is multiplied, and
    all right shifts happen at once at the end. A shift above 31, which TFLM leaves undefined, gives 0.
    """
    first, second, output = quantizations
    multiplier, shift = quantize_multiplier(first.scale / (second.scale * output.scale))
    numerator, denominator = np.broadcast_arrays(
        as_int64(a) - first.zero_point, as_int64(b) - second.zero_point
    )
    numerator = np.where(denominator < 0, -numerator, numerator)
    inverse, bits = reciprocal(np.abs(denominator), 31)
    # Sign bits beyond the first, as of an int32.
    headroom = count_leading_zeros(np.where(numerator < 0, ~numerator, numerator)) - 1
    quotient = saturating_rounding_doubling_high_mul(numerator << headroom, inverse)
    scaled = saturating_rounding_doubling_high_mul(quotient, multiplier)
    result = rounding_divide_by_pot(scaled, bits + headroom - shift)
    return bounds.clamp(result + output.zero_point)
