"""Activation functions that are operators of their own."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from . import gemmlowp
from .fixed_point import (
    INT8,
    INT16,
    INT32_MAX,
    Integers,
    Quantization,
    Range,
    activation_range,
    as_int64,
    divide_truncating,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    round_half_away,
    rounding_divide_by_pot,
)
from .softmax import input_radius


def _fixed_point_input(x: npt.ArrayLike, quantization: Quantization) -> tuple[Integers, Integers, int]:
    """x without zero point, x in Q4, and the magnitude from which an S-shaped function is saturated."""
    centred = as_int64(x) - quantization.zero_point
    multiplier, shift = quantize_multiplier(quantization.scale * 2.0**27)
    radius = input_radius(4, shift)
    inside = np.where(np.abs(centred) < radius, centred, 0)
    return centred, multiply_by_quantized_multiplier(inside, multiplier, shift), radius


def logistic_int8(x: npt.ArrayLike, quantization: Quantization) -> Integers:
    """Sigmoid; output scale 1/256, zero point -128. Saturated from |x| >= floor(15 * 2^27 / 2^shift)."""
    centred, scaled, radius = _fixed_point_input(x, quantization)
    result = INT8.clamp(rounding_divide_by_pot(gemmlowp.logistic(scaled, 4), 23) - 128)
    return np.where(centred <= -radius, -128, np.where(centred >= radius, 127, result))


def tanh_int8(x: npt.ArrayLike, quantization: Quantization) -> Integers:
    """Hyperbolic tangent; output scale 1/128, zero point 0. Saturated like `logistic_int8`."""
    centred, scaled, radius = _fixed_point_input(x, quantization)
    result = INT8.clamp(rounding_divide_by_pot(gemmlowp.tanh(scaled, 4), 24))
    return np.where(centred <= -radius, -128, np.where(centred >= radius, 127, result))


# Entries of TFLite's table that are one more than the function rounded to nearest (measured on TFLM's TANH).
RAISED_ENTRIES = (
    *(4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43, 44),
    *(45, 46, 49, 50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255),
)


def _sigmoid_table() -> Integers:
    """65536 * sigmoid(i / 24), i = 0..255, rounded to nearest but for the entries above."""
    table = as_int64([round_half_away(65536 / (1 + math.exp(-index / 24))) for index in range(256)])
    table[list(RAISED_ENTRIES)] += 1
    return table


SIGMOID_TABLE = _sigmoid_table()


def int16_input_multiplier(scale: float, free_shifts: tuple[int, ...]) -> tuple[int, int]:
    """(multiplier, right shift) that bring an int16 of this scale to steps of 1 / (3 * 4096).

    A power-of-two scale 2^-12 (and 2^-11 for tanh) is taken exactly: `free_shifts` are the permitted log2 of
    scale * 4096. Otherwise scale * 3 * 4096 is doubled until it exceeds 16383.5, and its fraction dropped.
    """
    log2 = math.log(scale) / math.log(2.0)
    if abs(log2 - round(log2)) < 1e-3 and round(log2) + 12 in free_shifts:
        return 3 << (round(log2) + 12), 0
    multiplier, shift = scale * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        multiplier, shift = multiplier * 2.0, shift + 1
    return int(multiplier), shift


def _to_table_steps(x: npt.ArrayLike, multiplier: int, shift: int) -> Integers:
    return (as_int64(x) * multiplier + ((1 << shift) >> 1)) >> shift


def _table_value(magnitude: Integers, bits: int) -> Integers:
    """SIGMOID_TABLE at magnitude / 2^bits, linear between entries, with `bits` more fractional bits."""
    index = np.minimum(magnitude >> bits, 254)
    low, high = SIGMOID_TABLE[index], SIGMOID_TABLE[index + 1]
    value: Integers = (low << bits) + (magnitude & ((1 << bits) - 1)) * (high - low)
    return value


def logistic_int16_steps(steps: Integers) -> Integers:
    """Sigmoid of steps of 1 / (3 * 4096), in steps of 2^-15."""
    magnitude = np.abs(steps)
    value = np.where(magnitude >> 9 >= 255, 0x7FFF << 10, _table_value(magnitude, 9))
    return np.where(steps >= 0, value + (1 << 9), (1 << 25) - value + (1 << 9) - 1) >> 10


def tanh_int16_steps(steps: Integers) -> Integers:
    """Hyperbolic tangent of steps of 1 / (3 * 4096), in steps of 2^-15, as 2 sigmoid(2x) - 1."""
    magnitude = np.abs(steps)
    value = np.where(magnitude >> 8 >= 255, 0xFFFF << 8, _table_value(magnitude, 8))
    half = 1 << 23
    return np.where(steps >= 0, value - half + (1 << 7), half - value + (1 << 7) - 1) >> 8


def logistic_int16(x: npt.ArrayLike, scale: float) -> Integers:
    """Sigmoid of int16 with zero point 0; output scale 2^-15."""
    return logistic_int16_steps(_to_table_steps(x, *int16_input_multiplier(scale, (0,))))


def tanh_int16(x: npt.ArrayLike, scale: float) -> Integers:
    """Hyperbolic tangent of int16 with zero point 0; output scale 2^-15."""
    return tanh_int16_steps(_to_table_steps(x, *int16_input_multiplier(scale, (0, 1))))


def relu(
    x: npt.ArrayLike, quantization: Quantization, output: Quantization, kind: str = "relu", full: Range = INT8
) -> Integers:
    """RELU and RELU_N1_TO_1: rescaled by input.scale / output.scale, then clamped to the real bounds."""
    effective = quantize_multiplier(quantization.scale / output.scale)
    scaled = multiply_by_quantized_multiplier(as_int64(x) - quantization.zero_point, *effective)
    return activation_range(kind, output, full).clamp(scaled + output.zero_point)


def relu6(x: npt.ArrayLike, quantization: Quantization, full: Range = INT8) -> Integers:
    """RELU6: a clamp of the integers; TFLM does not rescale here."""
    return activation_range("relu6", quantization, full).clamp(as_int64(x))


def leaky_relu(
    x: npt.ArrayLike,
    quantization: Quantization,
    output: Quantization,
    alpha: float,
    bounds: Range = INT8,
) -> Integers:
    """x or alpha * x. Two multipliers, formed in double from float32 scales and float32 alpha:
    input.scale / output.scale for x >= 0, input.scale * alpha / output.scale below.

    TFLM once formed them in float32, and the golden values of its seanet test leaky_relu18 still show that:
    one of 1280 elements lies one step off.
    """
    identity = quantize_multiplier(quantization.scale / output.scale)
    leak = quantize_multiplier(quantization.scale * float(np.float32(alpha)) / output.scale)
    centred = as_int64(x) - quantization.zero_point
    above = multiply_by_quantized_multiplier(centred, *identity)
    below = multiply_by_quantized_multiplier(centred, *leak)
    return bounds.clamp(np.where(centred >= 0, above, below) + output.zero_point)


def prelu(
    x: npt.ArrayLike,
    alpha: npt.ArrayLike,
    quantizations: tuple[Quantization, Quantization, Quantization],
    bounds: Range = INT8,
) -> Integers:
    """x or alpha * x with alpha broadcast; `quantizations` are those of x, alpha and the output.

    Multipliers in double: input.scale / output.scale, and input.scale * alpha.scale / output.scale on the
    product of both integers without zero points.
    """
    own, slope, output = quantizations
    identity = quantize_multiplier(own.scale / output.scale)
    leak = quantize_multiplier(own.scale * slope.scale / output.scale)
    centred = as_int64(x) - own.zero_point
    product = centred * (as_int64(alpha) - slope.zero_point)
    above = multiply_by_quantized_multiplier(centred, *identity)
    below = multiply_by_quantized_multiplier(product, *leak)
    return bounds.clamp(np.where(centred >= 0, above, below) + output.zero_point)


def _to_int16_multiplier(multiplier: int) -> int:
    """An int32 multiplier rounded to 15 fractional bits."""
    return 32767 if multiplier >= INT32_MAX - (1 << 15) else (multiplier + (1 << 15)) >> 16


def _high_mul_int16(a: Integers, b: Integers | int) -> Integers:
    """round(a * b / 2^15) of int16 values; halves up; saturating."""
    product = a * b
    nudge = np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return np.minimum(divide_truncating(product + nudge, 1 << 15), 32767)


def hard_swish(x: npt.ArrayLike, quantization: Quantization, output: Quantization) -> Integers:
    """x * relu6(x + 3) / 6 on int16 intermediates.

    The input, shifted left by 7, has scale input.scale / 128. It is multiplied by that over the
    output scale, without the exponent, which is applied at the end; and by that over 3 / 32768, saturating,
    to give (x + 3) / 6 in [0, 1] as int16. The last product drops its fraction.
    """
    fine = quantization.scale / 128.0
    output_multiplier, output_exponent = quantize_multiplier(fine / output.scale)
    gate_multiplier, gate_exponent = quantize_multiplier(fine / (3.0 / 32768.0))
    raised = (as_int64(x) - quantization.zero_point) << 7
    value = _high_mul_int16(raised, _to_int16_multiplier(output_multiplier))
    gate = raised
    if gate_exponent > 0:
        gate = INT16.clamp(gate << (gate_exponent - 1))
    gate = _high_mul_int16(gate, _to_int16_multiplier(gate_multiplier))
    if gate_exponent > 0:
        gate = INT16.clamp(gate << 1)
    elif gate_exponent < 0:
        gate = rounding_divide_by_pot(gate, -gate_exponent)
    gate = (gate + (1 << 15)) >> 1
    product = np.minimum(divide_truncating(gate * value, 1 << 15), 32767)
    return INT8.clamp(rounding_divide_by_pot(product, -output_exponent) + output.zero_point)
