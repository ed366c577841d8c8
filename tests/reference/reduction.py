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
    divide_truncating,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    round_float32,
)


def _normalized(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    return tuple(sorted({axis % rank for axis in axes}))


def mean(
    x: npt.ArrayLike,
    axes: Sequence[int],
    keep_dims: bool,
    quantization: Quantization,
    output: Quantization,
    bounds: Range = INT8,
) -> Integers:
    return _reduce(x, axes, keep_dims, quantization, output, bounds, False)


def sum_(
    x: npt.ArrayLike,
    axes: Sequence[int],
    keep_dims: bool,
    quantization: Quantization,
    output: Quantization,
    bounds: Range = INT8,
) -> Integers:
    return _reduce(x, axes, keep_dims, quantization, output, bounds, True)


def _reduce(x, axes, keep_dims, quantization, output, bounds, is_sum):
    values = as_int64(x)
    axes = _normalized(axes, values.ndim)
    total = values.sum(axis=axes, keepdims=keep_dims)
    count = int(np.prod([values.shape[axis] for axis in axes]))
    scale = np.float32(quantization.scale) / np.float32(output.scale)
    centred = total - count * quantization.zero_point
    m, s = quantize_multiplier(quantization.scale / output.scale)
    if not is_sum:
        shift = min(count.bit_length() - 1, 32, 31 + s)
        m = (m << shift) // count
        s -= shift
    return bounds.clamp(multiply_by_quantized_multiplier(centred, m, s) + output.zero_point)


def arg_max(x: npt.ArrayLike, axis: int) -> Integers:
    """Index of the first largest element along an axis."""
    return as_int64(np.argmax(np.asarray(x), axis=axis))
