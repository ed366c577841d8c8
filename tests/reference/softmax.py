"""SOFTMAX over the last axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from . import gemmlowp
from .fixed_point import (
    INT8,
    INT16,
    Integers,
    Range,
    as_int64,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)

# exp() is taken of differences in Q5.26, sums of it are kept in Q12.19.
DIFFERENCE_BITS = 5
SUM_BITS = 12


def input_radius(integer_bits: int, shift: int) -> int:
    """Largest difference that still fits Q(integer_bits) after scaling with `shift`."""
    return math.floor((2.0**integer_bits - 1) * 2.0 ** (31 - integer_bits - shift))


def softmax_int8(x: npt.ArrayLike, input_scale: float, beta: float = 1.0, bounds: Range = INT8) -> Integers:
    """int8 to int8 (output scale 1/256, zero point -128) or, with bounds INT16, to int16 (1/65536, -32768).

    Differences to the row's maximum are multiplied by min(beta * scale * 2^26, 2^31 - 1); those below
    -floor(31 * 2^26 / 2^shift) give the least output and do not count in the sum.
    """
    values = as_int64(x)
    multiplier, shift = quantize_multiplier(min(beta * input_scale * 2.0**26, 2.0**31 - 1))
    difference = values - values.max(axis=-1, keepdims=True)
    counted = difference >= -input_radius(DIFFERENCE_BITS, shift)
    scaled = multiply_by_quantized_multiplier(np.where(counted, difference, 0), multiplier, shift)
    exps = gemmlowp.exp_on_negative_values(scaled, DIFFERENCE_BITS)
    total = np.where(counted, rounding_divide_by_pot(exps, SUM_BITS), 0).sum(axis=-1, keepdims=True)
    scale, bits = gemmlowp.reciprocal(total, SUM_BITS)
    output_bits = 8 if bounds == INT8 else 16
    product = saturating_rounding_doubling_high_mul(scale, exps)
    result = bounds.low + rounding_divide_by_pot(product, bits + 31 - output_bits)
    return np.where(counted, bounds.clamp(result), bounds.low)


def lookup_table(function: Callable[[np.float32], np.float32], low: float, high: float) -> Integers:
    """513 samples of a function to [-1, 1) in Q15, each shifted by half the error of the midpoint after it.

    All arithmetic is in float32.
    """
    two = np.float32(2)
    start, end = np.float32(low), np.float32(high)
    step = (end - start) / np.float32(512)
    to_integer = np.float32(32768)

    def rounded(value: np.float32) -> np.float32:
        return np.float32(np.copysign(np.floor(np.abs(value) + np.float32(0.5)), value))

    table = []
    for index in range(512):
        here = function(start + np.float32(index) * step)
        middle = function(start + np.float32(index) * step + step / two)
        after = function(start + np.float32(index + 1) * step)
        sample = rounded(here * to_integer)
        error = rounded((after * to_integer + sample) / two) - rounded(middle * to_integer)
        table.append(int(sample - rounded(error / two)))
    table.append(int(rounded(function(end) * to_integer)))
    return np.clip(as_int64(table), -32768, 32767)


def interpolate(x: Integers, table: Integers) -> Integers:
    """Look x in [-32768, 32767] up: 512 steps of 128, linear between, halves up."""
    index, offset = 256 + (x >> 7), x & 127
    return as_int64(table[index] + (((table[index + 1] - table[index]) * offset + 64) >> 7))


def softmax_int16(x: npt.ArrayLike, input_scale: float, beta: float = 1.0) -> Integers:
    """int16 to int16, output scale 1/32768 and zero point 0, by tables of exp on [-10, 0] and 1 / (1 + x)."""
    values = as_int64(x)
    multiplier, shift = quantize_multiplier(input_scale * beta / (10.0 / 65535.0))
    difference = values - values.max(axis=-1, keepdims=True)
    scaled = multiply_by_quantized_multiplier(difference, multiplier, shift)
    exps = interpolate(INT16.clamp(scaled + 32767), lookup_table(np.exp, -10.0, 0.0))
    total = exps.sum(axis=-1, keepdims=True)
    headroom = gemmlowp.count_leading_zeros(total)
    shifted = ((total << (headroom - 1)) + (1 << 13)) >> 14
    inverse_table = lookup_table(lambda value: np.float32(1) / (np.float32(1) + value), 0.0, 1.0)
    inverse = interpolate(INT16.clamp(shifted - (1 << 15) - (1 << 16)), inverse_table)
    right = 31 - headroom
    result = (exps * inverse + (np.int64(1) << (right - 1))) >> right
    return as_int64(np.clip(result, 0, 32767))
