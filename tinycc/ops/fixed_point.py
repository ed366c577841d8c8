"""Fixed-point parameters of TFLite's int8 specification, computed at compile time.

Source: "TensorFlow Lite 8-bit quantization specification" and Jacob et al., "Quantization and Training of
Neural Networks for Efficient Integer-Arithmetic-Only Inference" (2018), section 2.2.
"""

import math

import numpy as np

from tinycc.runtime_c.constants import constant

# Bits by which ADD and SUB widen inputs before they bring them to a common scale.
SUM_LEFT_SHIFT = {"int8": constant("TINYCC_ADD_DSP_SHIFT"), "int16": 15}
# The same of SQUARED_DIFFERENCE, whose square must fit 32 bits.
SQUARE_LEFT_SHIFT = {"int8": 7, "int16": 0}
INTEGER_RANGE = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "int32": (-(2**31), 2**31 - 1),
}


def round_half_away(value: float) -> int:
    """`value` rounded to the nearest integer, halves away from zero (C's `round`)."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def quantize_multiplier(real_multiplier: float) -> tuple[int, int]:
    """The pair (multiplier, shift) with real_multiplier ~ multiplier * 2**(shift - 31).

    multiplier is 0 or in [2**30, 2**31); shift > 0 shifts left. Multipliers too small for 32 bits give (0,
    0). ValueError for those that are no number, as scales give whose quotient leaves float32.
    """
    if not math.isfinite(real_multiplier):
        raise ValueError("the scales give a factor that no fixed-point multiplier holds")
    if real_multiplier == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real_multiplier)
    multiplier = round_half_away(fraction * 2**31)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return 2**31 - 1, 30
    return multiplier, shift


def sum_multipliers(scales: tuple[float, float, float], left_shift: int) -> dict[str, tuple[int, int]]:
    """Multiplier and shift of both inputs, "a" and "b", and the "output" of TFLite's ADD and SUB.

    scales: of a, b and output. left_shift: by which inputs are widened before they are brought to the common
    scale, twice the larger of theirs.
    """
    a, b, output = scales
    common = 2 * max(a, b)
    factors = {"a": a / common, "b": b / common, "output": common / (2.0**left_shift * output)}
    return {name: quantize_multiplier(factor) for name, factor in factors.items()}


def square_multipliers(scales: tuple[float, float, float], left_shift: int) -> dict[str, tuple[int, int]]:
    """The same of TFLite's SQUARED_DIFFERENCE."""
    a, b, output = scales
    common = 2 * max(a, b)
    factors = {"a": a / common, "b": b / common, "output": common**2 / (4.0**left_shift * output)}
    return {name: quantize_multiplier(factor) for name, factor in factors.items()}


def quantize_multipliers(real_multipliers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`quantize_multiplier` for each channel: int32 multipliers and int8 shifts."""
    pairs = [quantize_multiplier(float(real)) for real in real_multipliers]
    return np.array([pair[0] for pair in pairs], np.int32), np.array([pair[1] for pair in pairs], np.int8)


def quantize_value(value: float, scale: float, zero_point: int) -> int:
    """`value` as an integer: zero_point + round(value / scale), the division in float32.

    Not clamped, save to what is far beyond any element type.
    """
    with np.errstate(over="ignore"):
        quotient = float(np.float32(value) / np.float32(scale))
    return zero_point + round_half_away(min(max(quotient, -(2.0**31)), 2.0**31))


def activation_range(
    low: float | None, high: float | None, scale: float, zero_point: int, dtype: str
) -> tuple[int, int]:
    """The integer clamp of an activation fused before quantization.

    low, high: real bounds (None where there is none), e.g. (0, None) for ReLU and (0, 6) for ReLU6.
    """
    limits = INTEGER_RANGE[dtype]
    bounds = [
        limit if bound is None else min(max(quantize_value(bound, scale, zero_point), limits[0]), limits[1])
        for limit, bound in zip(limits, (low, high), strict=True)
    ]
    return bounds[0], bounds[1]
