"""What layers with weights compute: exact sums, by torch's own convolutions and products of matrices."""

import functools

import numpy as np
import torch
from torch.nn import functional

from tinycc.ops.fixed_point import quantize_multipliers
from tinycc.ops.tensor import Tensor
from tinycc.ops.window import Window
from tinycc.training.layers import Layer
from tinycc.training.simulation.fixed_point import requantized_sums
from tinycc.training.simulation.straight_through import Part, Rounded, bits_below

# Whole numbers up to here are exact in float32.
_EXACT = 2.0**24


def layer_output(layer: Layer, source: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor) -> Rounded:
    """The integers of a layer, [runs, cases, *output shape], for sums that all that is given differentiates.

    source, weights: see `layer_sums`. bias: whole numbers [runs or 1, outputs].
    """
    view, output = layer.view, layer.view.outputs[0]
    multiplier, shift, scales = (item.to(source.device) for item in _factors(layer))
    sums = layer_sums(layer, source, weights)
    # Where only biases train, all runs have these sums.
    sums = sums.expand(max(sums.shape[0], bias.shape[0]), *sums.shape[1:])
    with torch.no_grad():
        integers = requantized_sums(sums, bias.to(torch.int64), multiplier, shift).add_(output.zero_point)
    # Of this sum, which float32 may not hold, only the gradient is of account.
    biases = bias.reshape(bias.shape[0], *(1,) * (sums.ndim - 2), -1).to(sums.dtype)
    real = sums + biases if bias.requires_grad else sums
    return Rounded(integers, view.output_range, (Part(real, scales, bits=_gradient_bits(layer)),))


def _gradient_bits(layer: Layer) -> int:
    """See `Part`: of sums over taps, and of those over pixels, which are multiplied by 24 bits in int64."""
    outputs, height, width, _ = layer.weights.shape
    taps, pixels = outputs // layer.groups * height * width, layer.view.outputs[0].elements // outputs
    return min(bits_below(128 * taps), bits_below(255 * pixels, 39))


@functools.lru_cache(256)
def _factors(layer: Layer) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """From sums to outputs, of each channel: multipliers and shifts, int64, and the real numbers, float32."""
    factors = layer.view.requantized.multipliers
    multiplier, shift = (torch.as_tensor(part.astype(np.int64)) for part in quantize_multipliers(factors))
    return multiplier, shift, torch.as_tensor(factors.astype(np.float32))


def layer_sums(layer: Layer, source: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """sum((input - zero point) x weights), without the bias.

    source: whole numbers [runs or 1, cases, *input shape]. weights: [runs or 1, outputs, kernel height,
    kernel width, inputs / groups]. Returns [runs, cases, *output shape]; differentiable by both.

    Sums are computed in float32 on a processor where none can be inexact, in float64 elsewhere: graphics
    processors' convolutions in float32 may be any, with fewer bits or of transformed numbers.
    """
    tensor, output = layer.view.inputs[0], layer.view.outputs[0]
    runs, cases = source.shape[:2]
    image = source.reshape(runs, cases, tensor.height, tensor.width, tensor.channels) - tensor.zero_point
    dtype = source.dtype if _is_exact(tensor, weights) and not source.is_cuda else torch.float64
    image, kernel = image.to(dtype), weights.to(dtype)
    sums = _product(image, kernel) if _is_pixelwise(layer) else _convolution(layer, image, kernel)
    return sums.reshape(*sums.shape[:2], *output.shape).to(source.dtype)


def _is_exact(tensor: Tensor, weights: torch.Tensor) -> bool:
    """Whether no sum of any part of the products leaves what float32 holds."""
    largest = max(127 - tensor.zero_point, 128 + tensor.zero_point)
    return float(weights.detach().abs().flatten(2).sum(2).max()) * largest < _EXACT


def _is_pixelwise(layer: Layer) -> bool:
    return layer.window == Window((1, 1), (1, 1), (0, 0)) and layer.groups == 1


def _product(image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Each pixel by itself: [runs, cases, height, width, channels]."""
    if weights.shape[0] == 1:
        return functional.linear(image, weights[0, :, 0, 0])
    pixels = image.flatten(1, 3).expand(weights.shape[0], -1, -1)
    return (pixels @ weights[:, :, 0, 0].mT).reshape(weights.shape[0], *image.shape[1:4], -1)


def _convolution(layer: Layer, image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Runs that have weights of their own are groups of channels; others are more cases."""
    window, output = layer.window, layer.view.outputs[0]
    runs = weights.shape[0]
    if runs == 1:
        cases = image.flatten(0, 1).permute(0, 3, 1, 2)
    else:
        cases = image.expand(runs, -1, -1, -1, -1).permute(1, 0, 4, 2, 3).flatten(1, 2)
    padding: list[int] = []
    for axis in (1, 0):
        size, count = image.shape[2 + axis], (output.height, output.width)[axis]
        reach = (count - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis] + 1
        padding += [window.padding[axis], reach - size - window.padding[axis]]
    sums = functional.conv2d(
        functional.pad(cases, padding) if any(padding) else cases,
        weights.flatten(0, 1).permute(0, 3, 1, 2),
        stride=window.stride,
        dilation=window.dilation,
        groups=layer.groups * runs,
    )
    if runs == 1:
        return sums.permute(0, 2, 3, 1).unflatten(0, image.shape[:2])
    return sums.unflatten(1, (runs, -1)).permute(1, 0, 3, 4, 2)
