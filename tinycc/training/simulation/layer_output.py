"""What layers with weights compute: exact sums, by torch's own convolutions and products of matrices."""

import functools

import numpy as np
import torch
from torch.nn import functional

from tinycc.ops.fixed_point import quantize_multipliers
from tinycc.ops.gradient_integers import bits_below
from tinycc.ops.tensor import Tensor
from tinycc.ops.window import Window
from tinycc.training.layers import Layer
from tinycc.training.simulation.fixed_point import requantized_sums
from tinycc.training.simulation.straight_through import Part, Rounded

# Whole numbers up to here are exact in float32.
_EXACT = 2.0**24


def layer_output(layer: Layer, source: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor) -> Rounded:
    """The integers of a layer, [runs, cases, *output shape], for sums that all that is given differentiates.

    source, weights: see `layer_sums`. bias: whole numbers [runs or 1, outputs].
    """
    view, output = layer.view, layer.view.outputs[0]
    multiplier, shift = (item.to(source.device) for item in _multipliers(layer))
    sums = layer_sums(layer, source, weights)
    # Where only biases train, all runs have these sums.
    sums = sums.expand(max(sums.shape[0], bias.shape[0]), *sums.shape[1:])
    with torch.no_grad():
        integers = requantized_sums(sums, bias.to(torch.int64), multiplier, shift).add_(output.zero_point)
    # Of this sum, which float32 may not hold, only the gradient is of account.
    biases = bias.reshape(bias.shape[0], *(1,) * (sums.ndim - 2), -1).to(sums.dtype)
    real = sums + biases if bias.requires_grad else sums
    factors = view.requantized.multipliers.astype(np.float32)
    return Rounded(integers, view.output_range, (Part(real, factors, bits=_gradient_bits(layer)),))


def _gradient_bits(layer: Layer) -> int:
    """See `Part`: for sums over taps, times weights, and those over pixels."""
    outputs, height, width, _ = layer.weights.shape
    taps, pixels = outputs // layer.groups * height * width, layer.view.outputs[0].elements // outputs
    return bits_below(128 * taps, pixels)


@functools.lru_cache(256)
def _multipliers(layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
    """Multipliers and shifts from sums to outputs, of each channel; int64."""
    multiplier, shift = quantize_multipliers(layer.view.requantized.multipliers)
    return torch.as_tensor(multiplier.astype(np.int64)), torch.as_tensor(shift.astype(np.int64))


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
    if _is_pixelwise(layer):
        sums = _product(image, kernel[:, :, 0, 0])
    elif _is_tapwise(layer, image):
        sums = _tap_products(layer, _padded(layer, image), kernel)
    else:
        sums = _convolution(layer, _padded(layer, image), kernel)
    return sums.reshape(*sums.shape[:2], *output.shape).to(source.dtype)


def _is_exact(tensor: Tensor, weights: torch.Tensor) -> bool:
    """Whether no sum of any part of the products leaves what float32 holds."""
    largest = max(127 - tensor.zero_point, 128 + tensor.zero_point)
    return float(weights.detach().abs().flatten(2).sum(2).max()) * largest < _EXACT


def _is_pixelwise(layer: Layer) -> bool:
    return layer.window == Window((1, 1), (1, 1), (0, 0)) and layer.groups == 1


def _is_tapwise(layer: Layer, image: torch.Tensor) -> bool:
    """Whether torch's own convolution is slow: in float64 a processor goes group by group and run by run."""
    is_whole_or_depthwise = layer.groups == 1 or layer.groups == layer.weights.shape[0] == image.shape[-1]
    return image.dtype == torch.float64 and not image.is_cuda and is_whole_or_depthwise


def _padded(layer: Layer, image: torch.Tensor) -> torch.Tensor:
    """With zeros for what windows reach beyond: [runs, cases, height, width, channels]."""
    window, output = layer.window, layer.view.outputs[0]
    padding = [0, 0]
    for axis in (1, 0):
        size, count = image.shape[2 + axis], (output.height, output.width)[axis]
        reach = (count - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis] + 1
        padding += [window.padding[axis], reach - size - window.padding[axis]]
    return functional.pad(image, padding) if any(padding) else image


def _product(image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Each pixel by itself: [runs, cases, height, width, outputs].

    weights: [runs or 1, outputs, channels].
    """
    if weights.shape[0] == 1:
        return functional.linear(image, weights[0])
    pixels = image.flatten(1, 3).expand(weights.shape[0], -1, -1)
    return (pixels @ weights.mT).reshape(weights.shape[0], *image.shape[1:4], -1)


def _tap_products(layer: Layer, image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The sum of what each tap of the window adds to all pixels."""
    window, output = layer.window, layer.view.outputs[0]

    def product(tap: tuple[int, int]) -> torch.Tensor:
        rows, columns = (
            slice(place * dilation, place * dilation + (count - 1) * stride + 1, stride)
            for place, dilation, stride, count in zip(
                tap, window.dilation, window.stride, (output.height, output.width), strict=True
            )
        )
        under, factors = image[:, :, rows, columns], weights[:, :, tap[0], tap[1]]
        return under * factors[:, None, None, None, :, 0] if layer.groups > 1 else _product(under, factors)

    return functools.reduce(torch.add, map(product, np.ndindex(window.kernel)))


def _convolution(layer: Layer, image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Runs that have weights of their own are groups of channels; others are more cases."""
    window, runs = layer.window, weights.shape[0]
    if runs == 1:
        cases = image.flatten(0, 1).permute(0, 3, 1, 2)
    else:
        cases = image.expand(runs, -1, -1, -1, -1).permute(1, 0, 4, 2, 3).flatten(1, 2)
    sums = functional.conv2d(
        cases,
        weights.flatten(0, 1).permute(0, 3, 1, 2),
        stride=window.stride,
        dilation=window.dilation,
        groups=layer.groups * runs,
    )
    if runs == 1:
        return sums.permute(0, 2, 3, 1).unflatten(0, image.shape[:2])
    return sums.unflatten(1, (runs, -1)).permute(1, 0, 3, 4, 2)
