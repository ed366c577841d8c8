"""Operators that move integers without changing them, and resizing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .fixed_point import Integers, as_int64, divide_truncating


def pad(x: npt.ArrayLike, paddings: npt.ArrayLike, value: int) -> Integers:
    """Pad with `value`, the zero point unless the file gives a constant; paddings [rank, 2]."""
    return np.pad(as_int64(x), as_int64(paddings), constant_values=value)


def concatenation(parts: Sequence[npt.ArrayLike], axis: int) -> Integers:
    """Join along an axis; all parts have the output's quantization."""
    return np.concatenate([as_int64(part) for part in parts], axis=axis)


def split(x: npt.ArrayLike, count: int, axis: int) -> list[Integers]:
    """`count` equal parts along an axis."""
    return list(np.split(as_int64(x), count, axis=axis))


def pack(parts: Sequence[npt.ArrayLike], axis: int) -> Integers:
    """Stack along a new axis."""
    return np.stack([as_int64(part) for part in parts], axis=axis)


def strided_slice(
    x: npt.ArrayLike,
    begin: Sequence[int],
    end: Sequence[int],
    strides: Sequence[int],
    begin_mask: int = 0,
    end_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Integers:
    """Python slicing of each axis. A mask bit drops that axis' bound, or removes the axis (one element)."""
    values = as_int64(x)
    picks: list[slice | int] = []
    for axis, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        if shrink_axis_mask >> axis & 1:
            picks.append(first)
            continue
        start = None if begin_mask >> axis & 1 else first
        stop = None if end_mask >> axis & 1 else last
        picks.append(slice(start, stop, step))
    return as_int64(values[tuple(picks)])


def _nearest_indices(size: int, outputs: int, align_corners: bool, half_pixel_centers: bool) -> Integers:
    if align_corners and outputs > 1:
        scale = np.float32(size - 1) / np.float32(outputs - 1)
    else:
        scale = np.float32(size) / np.float32(outputs)
    offset = np.float32(0.5 if half_pixel_centers else 0.0)
    position = (np.arange(outputs, dtype=np.float32) + offset) * scale
    chosen = np.floor(position.astype(np.float64) + 0.5) if align_corners else np.floor(position)
    return np.clip(as_int64(chosen), 0, size - 1)


def resize_nearest_neighbor(
    x: npt.ArrayLike, size: tuple[int, int], align_corners: bool = False, half_pixel_centers: bool = False
) -> Integers:
    """Nearest input pixel of NHWC x: floor((i + offset) * scale) in float32, or round with align_corners.

    scale is in / out, with align_corners (in - 1) / (out - 1); offset is 0.5 with half_pixel_centers, else 0.
    """
    values = as_int64(x)
    rows = _nearest_indices(values.shape[1], size[0], align_corners, half_pixel_centers)
    columns = _nearest_indices(values.shape[2], size[1], align_corners, half_pixel_centers)
    return values[:, rows][:, :, columns]


def _linear_positions(
    size: int, outputs: int, align_corners: bool, half_pixel_centers: bool
) -> tuple[Integers, Integers, Integers]:
    """Lower and upper neighbour of each output and its distance to the lower one in 1/1024 pixels."""
    if align_corners and outputs > 1:
        scale = (1024 * (size - 1) + (outputs - 1) // 2) // (outputs - 1)
    else:
        scale = (1024 * size + outputs // 2) // outputs
    position = np.arange(outputs, dtype=np.int64) * scale
    if half_pixel_centers:
        position += scale // 2 - 512
    lower = np.maximum(divide_truncating(position, 1024), 0)
    upper = np.minimum(divide_truncating(position + 1023, 1024), size - 1)
    return lower, upper, position - 1024 * lower


def resize_bilinear(
    x: npt.ArrayLike, size: tuple[int, int], align_corners: bool = False, half_pixel_centers: bool = False
) -> Integers:
    """Linear interpolation of NHWC x with positions and weights in 1/1024 pixels.

    The step between outputs is in / out (with align_corners (in - 1) / (out - 1)) in 1/1024, rounded;
    half_pixel_centers adds half a step less half a pixel. The upper neighbour is the position rounded up, at
    most the last pixel. The weighted sum, in 2^-20, is rounded halves away from zero.
    """
    values = as_int64(x)
    y0, y1, dy = _linear_positions(values.shape[1], size[0], align_corners, half_pixel_centers)
    x0, x1, dx = _linear_positions(values.shape[2], size[1], align_corners, half_pixel_centers)
    top, bottom = values[:, y0], values[:, y1]
    fx = dx[None, None, :, None]
    fy = dy[None, :, None, None]
    upper = top[:, :, x0] * (1024 - fx) + top[:, :, x1] * fx
    lower = bottom[:, :, x0] * (1024 - fx) + bottom[:, :, x1] * fx
    total = upper * (1024 - fy) + lower * fy
    half = 1 << 19
    return divide_truncating(total + np.where(total > 0, half, -half), 1 << 20)
