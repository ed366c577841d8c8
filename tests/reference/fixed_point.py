"""Fixed-point scaling: how a real multiplier is applied to an integer accumulator.

A multiplier m > 0 is stored as an int32 `multiplier` in [2^30, 2^31) and a `shift`, so that
m ~= multiplier * 2^(shift - 31). TFLM applies it with two roundings (gemmlowp's doubling high multiply, then
a rounding shift); LiteRT's optimised kernels round once and may differ by one step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
IntegerLike = npt.ArrayLike

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


@dataclass(frozen=True)
class Quantization:
    """Affine quantization of a whole tensor: real = scale * (integer - zero_point).

    `scale` holds a float32 value exactly; a Python float is a double, so products of scales are formed in
    double precision unless a function says otherwise.
    """

    scale: float
    zero_point: int = 0


@dataclass(frozen=True)
class Range:
    """Inclusive bounds of the integers an output may take."""

    low: int
    high: int

    def clamp(self, x: Integers) -> Integers:
        return np.clip(x, self.low, self.high)


INT8 = Range(-128, 127)
UINT8 = Range(0, 255)
INT16 = Range(-32768, 32767)


def as_int64(x: IntegerLike) -> Integers:
    return np.asarray(x).astype(np.int64)


def wrap_int32(x: IntegerLike) -> Integers:
    """The value an int32 variable holds after x is stored in it (two's complement)."""
    return as_int64(x).astype(np.int32).astype(np.int64)


def round_half_away(x: float) -> int:
    """C's round(): the nearest integer, halves away from zero. Exact for |x| < 2^52."""
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def divide_truncating(a: IntegerLike, b: IntegerLike) -> Integers:
    """C's integer division a / b, which drops the fraction (numpy's // rounds down)."""
    a, b = as_int64(a), as_int64(b)
    return as_int64(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Split a real multiplier into (multiplier, shift).

    The mantissa of frexp, in [0.5, 1), is rounded to 31 fractional bits, halves away from zero; a mantissa
    that rounds up to 1 becomes 2^30 with the shift one higher. Below 2^-32 or so it is flushed to (0, 0).
    """
    if real == 0.0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    multiplier = round_half_away(mantissa * 2.0**31)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def quantize_multipliers(reals: npt.ArrayLike) -> tuple[Integers, Integers]:
    """`quantize_multiplier` of each element of a one-dimensional array."""
    pairs = [quantize_multiplier(float(real)) for real in np.atleast_1d(np.asarray(reals, np.float64))]
    return as_int64([multiplier for multiplier, _ in pairs]), as_int64([shift for _, shift in pairs])


def saturating_rounding_doubling_high_mul(a: IntegerLike, b: IntegerLike) -> Integers:
    """round(a * b / 2^31) of int32 values; exact halves go up; -2^31 times itself saturates to 2^31 - 1.

    gemmlowp adds 2^30 (or 1 - 2^30 to a negative product) and divides truncating; the two signs together
    amount to rounding halves towards plus infinity.
    """
    product = as_int64(a) * as_int64(b)
    nudge = np.where(product >= 0, 2**30, 1 - 2**30)
    return np.minimum(divide_truncating(product + nudge, 2**31), INT32_MAX)


def rounding_divide_by_pot(x: IntegerLike, exponent: IntegerLike) -> Integers:
    """x / 2^exponent to the nearest integer, halves away from zero; 0 <= exponent <= 31."""
    x, exponent = as_int64(x), as_int64(exponent)
    mask = (np.int64(1) << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    return (x >> exponent) + ((x & mask) > threshold)


def multiply_by_quantized_multiplier(x: IntegerLike, multiplier: IntegerLike, shift: IntegerLike) -> Integers:
    """Scale an int32 accumulator with double rounding, as TFLM does for int8 activations.

    A positive shift is applied to x first (wrapping in int32), a negative one to the high product, rounding a
    second time. Multiplier and shift broadcast against x, e.g. one per output channel.
    """
    shift = as_int64(shift)
    widened = wrap_int32(as_int64(x) << np.maximum(shift, 0))
    high = saturating_rounding_doubling_high_mul(widened, multiplier)
    return rounding_divide_by_pot(high, np.maximum(-shift, 0))


def multiply_by_quantized_multiplier_wide(
    x: IntegerLike, multiplier: IntegerLike, shift: IntegerLike
) -> Integers:
    """Scale an int64 accumulator (|x| < 2^47), as TFLM does for int16 activations with an int64 bias.

    The multiplier is first rounded to 15 fractional bits (halves up, at most 0x7FFF); the product then rounds
    once, halves towards plus infinity: (x * reduced + 2^(14 - shift)) >> (15 - shift). -31 <= shift < 8.
    """
    multiplier = as_int64(multiplier)
    reduced = np.where(multiplier < 0x7FFF0000, (multiplier + 2**15) >> 16, 0x7FFF)
    total_shift = 15 - as_int64(shift)
    return wrap_int32((as_int64(x) * reduced + (np.int64(1) << (total_shift - 1))) >> total_shift)


def round_float32(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """C's roundf() of float32 values: halves away from zero (numpy rounds halves to even)."""
    wide = np.asarray(x, np.float32).astype(np.float64)
    return np.copysign(np.floor(np.abs(wide) + 0.5), wide)


def activation_range(activation: str, output: Quantization, full: Range = INT8) -> Range:
    """Bounds of an output with a fused activation: "none", "relu", "relu6" or "relu_n1_to_1".

    A real bound b becomes zero_point + round(b / scale), the division in float32, within the type's range.
    """

    def quantized(real: float) -> int:
        return output.zero_point + int(round_float32(np.float32(real) / np.float32(output.scale)))

    bounds = {"none": (None, None), "relu": (0.0, None), "relu6": (0.0, 6.0), "relu_n1_to_1": (-1.0, 1.0)}
    low, high = bounds[activation]
    return Range(
        full.low if low is None else max(full.low, quantized(low)),
        full.high if high is None else min(full.high, quantized(high)),
    )
