"""MEAN, SUM and ARG_MAX."""

from __future__ import annotations

from collections.abc import Sequence

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
)


def _centred_sum(
    x: npt.ArrayLike, axes: Sequence[int], keep_dims: bool, zero_point: int
) -> tuple[Integers, int]:
    """Sum of x - zero_point over axes (repeated or negative ones too), and of how many elements."""
    values = as_int64(x)
    chosen = tuple(sorted({axis % values.ndim for axis in axes}))
    count = int(np.prod([values.shape[axis] for axis in chosen], dtype=np.int64))
    return values.sum(axis=chosen, keepdims=keep_dims) - count * zero_point, count


def mean(
    x: npt.ArrayLike,
    axes: Sequence[int],
    keep_dims: bool,
    quantization: Quantization,
    output: Quantization,
    bounds: Range = INT8,
) -> Integers:
    """The sum without zero points times input.scale / output.scale / count, in one multiplication.

    input.scale / output.scale is formed in double and split into multiplier and shift; the division by count
    then is integer: with b = floor(log2(count)), at most 32 and at most 31 + shift, the multiplier becomes
    floor(multiplier * 2^b / count) and the shift b less.
    """
    total, count = _centred_sum(x, axes, keep_dims, quantization.zero_point)
    multiplier, shift = quantize_multiplier(quantization.scale / output.scale)
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    scaled = multiply_by_quantized_multiplier(total, (multiplier << bits) // count, shift - bits)
    return bounds.clamp(scaled + output.zero_point)


def sum_(
    x: npt.ArrayLike,
    axes: Sequence[int],
    keep_dims: bool,
    quantization: Quantization,
    output: Quantization,
    bounds: Range = INT8,
) -> Integers:
    """The sum without zero points times input.scale / output.scale, formed in double."""
    total, _ = _centred_sum(x, axes, keep_dims, quantization.zero_point)
    effective = quantize_multiplier(quantization.scale / output.scale)
    return bounds.clamp(multiply_by_quantized_multiplier(total, *effective) + output.zero_point)


def arg_max(x: npt.ArrayLike, axis: int) -> Integers:
    """Index of the first largest element along an axis."""
    return as_int64(np.argmax(np.asarray(x), axis=axis))
