"""QUANTIZE, DEQUANTIZE and CAST."""

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
    round_float32,
)


def quantize(x: npt.ArrayLike, output: Quantization, bounds: Range = INT8) -> Integers:
    """Real to integer: zero_point + round(x / scale), the division in float32, halves away from zero."""
    steps = round_float32(np.asarray(x, np.float32) / np.float32(output.scale))
    return as_int64(np.clip(steps + output.zero_point, bounds.low, bounds.high))


def dequantize(x: npt.ArrayLike, quantization: Quantization) -> npt.NDArray[np.float32]:
    """Integer to real: scale * (x - zero_point), formed in double and rounded to float32."""
    return (quantization.scale * (as_int64(x) - quantization.zero_point)).astype(np.float32)


def requantize(
    x: npt.ArrayLike, quantization: Quantization, output: Quantization, bounds: Range = INT8
) -> Integers:
    """Integer to integer of another scale or width, by input.scale / output.scale formed in double."""
    effective = quantize_multiplier(quantization.scale / output.scale)
    scaled = multiply_by_quantized_multiplier(as_int64(x) - quantization.zero_point, *effective)
    return bounds.clamp(scaled + output.zero_point)


def cast(x: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    """C's conversion: integers wrap, floats lose their fraction towards zero."""
    return np.asarray(x).astype(dtype)
