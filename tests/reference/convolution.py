"""CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV on int8 or int16 activations with int8 weights.

The effective multiplier of output channel c is, in double precision from float32 scales,
input_scale * weight_scale[c] / output_scale, whether the weights are quantized per channel or per tensor. The
accumulator is sum((x - input zero point) * w) + bias; padding contributes nothing. int8 activations have an
int32 accumulator and double rounding; int16 activations with an int64 bias have an int64 accumulator and the
15-bit multiplier.

Sums of products are formed by float64 matrix products, which are exact here: every partial sum is an integer
below 2^53 (16 + 8 bits of product leave room for 2^29 terms).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .fixed_point import (
    INT8,
    Integers,
    Quantization,
    Range,
    as_int64,
    multiply_by_quantized_multiplier,
    multiply_by_quantized_multiplier_wide,
    quantize_multipliers,
)


@dataclass(frozen=True)
class Window:
    """Where a window slides: steps and zero padding, each as (vertical, horizontal)."""

    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad_before: tuple[int, int] = (0, 0)
    pad_after: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Requantization:
    """How an accumulator becomes an output."""

    multiplier: Integers
    shift: Integers
    zero_point: int
    bounds: Range
    wide: bool = False

    def __call__(self, accumulator: Integers) -> Integers:
        scale = multiply_by_quantized_multiplier_wide if self.wide else multiply_by_quantized_multiplier
        return self.bounds.clamp(scale(accumulator, self.multiplier, self.shift) + self.zero_point)


def convolution_requantization(
    input_scale: float,
    weight_scales: npt.ArrayLike,
    output: Quantization,
    bounds: Range = INT8,
    wide: bool = False,
) -> Requantization:
    """Requantization of a convolution; weight_scales has one element or one per output channel."""
    effective = input_scale * np.asarray(weight_scales, np.float64) / output.scale
    return Requantization(*quantize_multipliers(effective), output.zero_point, bounds, wide)


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """(before, after) of TFLite's SAME: ceil(size / stride) outputs, the odd element of padding after."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def same_window(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> Window:
    """The window with SAME padding of an input of `size` (height, width)."""
    top, bottom = same_padding(size[0], kernel[0], stride[0], dilation[0])
    left, right = same_padding(size[1], kernel[1], stride[1], dilation[1])
    return Window(stride, dilation, (top, left), (bottom, right))


def pad_spatial(x: Integers, window: Window, value: int = 0) -> Integers:
    """Pad the two middle axes of an NHWC array."""
    rows, columns = zip(window.pad_before, window.pad_after, strict=True)
    return np.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=value)


def taps(padded: Integers, kernel: tuple[int, int], window: Window) -> npt.NDArray[np.int64]:
    """Read-only view [n, out_h, out_w, c, kernel_h, kernel_w] of the elements under each window."""
    (stride_y, stride_x), (dilation_y, dilation_x) = window.stride, window.dilation
    extent = ((kernel[0] - 1) * dilation_y + 1, (kernel[1] - 1) * dilation_x + 1)
    view = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(1, 2))
    return view[:, ::stride_y, ::stride_x, :, ::dilation_y, ::dilation_x]


def exact_product(a: Integers, b: Integers) -> Integers:
    """Matrix product of small integers through float64, see the module's note."""
    return as_int64(a.astype(np.float64) @ b.astype(np.float64))


def conv2d(
    x: npt.ArrayLike,
    weights: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    input_zero_point: int,
    window: Window,
    requantize: Requantization,
    weight_zero_point: int = 0,
) -> Integers:
    """Convolution of x [n, h, w, c] with weights [out, kernel_h, kernel_w, c / groups].

    The number of groups follows from the shapes. A weight zero point other than 0 (unknown to TFLite's
    specification, used by uint8 models) is subtracted from the weights.
    """
    image = pad_spatial(as_int64(x) - input_zero_point, window)
    kernels = as_int64(weights) - weight_zero_point
    outputs, kernel_h, kernel_w, depth = kernels.shape
    groups = image.shape[3] // depth
    columns = taps(image, (kernel_h, kernel_w), window).transpose(0, 1, 2, 4, 5, 3)
    parts = []
    for group in range(groups):
        chosen = kernels[group * (outputs // groups) : (group + 1) * (outputs // groups)]
        under = columns[..., group * depth : (group + 1) * depth]
        parts.append(exact_product(under.reshape(*under.shape[:3], -1), chosen.reshape(len(chosen), -1).T))
    accumulator = np.concatenate(parts, axis=3)
    return requantize(accumulator + (0 if bias is None else as_int64(bias)))


def depthwise_conv2d(
    x: npt.ArrayLike,
    weights: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    input_zero_point: int,
    window: Window,
    requantize: Requantization,
    weight_zero_point: int = 0,
) -> Integers:
    """Depthwise convolution of x [n, h, w, c] with weights [1, kernel_h, kernel_w, c * multiplier].

    Output channel c * multiplier + m is input channel c under filter c * multiplier + m.
    """
    image = pad_spatial(as_int64(x) - input_zero_point, window)
    kernels = as_int64(weights)[0] - weight_zero_point
    kernel_h, kernel_w, outputs = kernels.shape
    under = taps(np.repeat(image, outputs // image.shape[3], axis=3), (kernel_h, kernel_w), window)
    accumulator: Integers = np.zeros(under.shape[:4], np.int64)
    for row in range(kernel_h):
        for column in range(kernel_w):
            accumulator += under[..., row, column] * kernels[row, column]
    return requantize(accumulator + (0 if bias is None else as_int64(bias)))


def transpose_conv2d(
    x: npt.ArrayLike,
    weights: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    input_zero_point: int,
    output_size: tuple[int, int],
    window: Window,
    requantize: Requantization,
) -> Integers:
    """Transposed convolution of x [n, h, w, c] with weights [out, kernel_h, kernel_w, c].

    Input (y, x) adds into outputs y * stride - pad_before + tap; what falls outside `output_size` is dropped.
    `window` is that of the convolution from the output's size to the input's: SAME padding is computed from
    `output_size`.
    """
    image = as_int64(x) - input_zero_point
    kernels = as_int64(weights)
    outputs, kernel_h, kernel_w, depth = kernels.shape
    batch, height, width, _ = image.shape
    (stride_y, stride_x), (top, left) = window.stride, window.pad_before
    spread = exact_product(image, kernels.reshape(-1, depth).T)
    spread = spread.reshape(batch, height, width, outputs, kernel_h, kernel_w)
    full_h = max((height - 1) * stride_y + kernel_h, top + output_size[0])
    full_w = max((width - 1) * stride_x + kernel_w, left + output_size[1])
    full: Integers = np.zeros((batch, full_h, full_w, outputs), np.int64)
    for row in range(kernel_h):
        for column in range(kernel_w):
            rows = slice(row, row + (height - 1) * stride_y + 1, stride_y)
            columns = slice(column, column + (width - 1) * stride_x + 1, stride_x)
            full[:, rows, columns] += spread[..., row, column]
    accumulator = full[:, top : top + output_size[0], left : left + output_size[1]]
    return requantize(accumulator + (0 if bias is None else as_int64(bias)))
