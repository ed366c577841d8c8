"""AVERAGE_POOL_2D and MAX_POOL_2D. Input and output share scale and zero point: nothing is rescaled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .convolution import Window, pad_spatial, taps
from .fixed_point import INT8, Integers, Range, as_int64, divide_truncating


def average_pool2d(
    x: npt.ArrayLike, kernel: tuple[int, int], window: Window, bounds: Range = INT8
) -> Integers:
    """Mean over the taps inside the input, to the nearest integer, halves away from zero.

    With n taps and sum s: (s + n / 2) / n for s > 0, else (s - n / 2) / n, both divisions truncating. Padding
    is not counted in n, and zero points are not removed first.
    """
    image = as_int64(x)
    total = taps(pad_spatial(image, window), kernel, window).sum(axis=(4, 5))
    count = taps(pad_spatial(np.ones_like(image), window), kernel, window).sum(axis=(4, 5))
    half = np.where(total > 0, count // 2, -(count // 2))
    return bounds.clamp(divide_truncating(total + half, count))


def max_pool2d(x: npt.ArrayLike, kernel: tuple[int, int], window: Window, bounds: Range = INT8) -> Integers:
    """Maximum over the taps inside the input."""
    lowest = int(np.iinfo(np.int32).min)
    return bounds.clamp(taps(pad_spatial(as_int64(x), window, lowest), kernel, window).max(axis=(4, 5)))
