"""Depthwise convolutions that are trained: where kernels are wide, the gradient of weights is made of strips.

On CPUs oneDNN, which torch calls, has a quick kernel for the weights of depthwise convolutions of at most
three columns; wider ones have that for convolutions of any kind, which takes several times as long as all the
rest of the layer. But a gradient of five columns is one of the first three and one of the last
three, of images that are moved by a column:

    columns of the kernel   0 1 2 3 4
    moved to the right      * * *
    moved to the left           * * *
"""

from typing import Any

import torch
from torch.nn import functional

from tinycc.search.architecture import Pair

# The most columns of oneDNN's quick kernel.
_STRIP = 3


def depthwise(values: torch.Tensor, weight: torch.Tensor, stride: Pair) -> torch.Tensor:
    """A convolution of each channel with a kernel of its own, padded by half of it; without a bias.

    values: [cases, channels, height, width]. weight: [channels, 1, height, width], of odd sides.
    """
    # The quick kernel has no stride without padding.
    is_slow = weight.shape[3] > _STRIP and stride[1] == 1 and values.device.type == "cpu"
    if is_slow and torch.is_grad_enabled() and weight.requires_grad:
        made: torch.Tensor = _WideDepthwise.apply(values, weight, stride)  # type: ignore[no-untyped-call]
        return made
    return _convolved(values, weight, stride)


class _WideDepthwise(torch.autograd.Function):
    """What torch computes, and its gradients; sums of that of the weights are added up in another order."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, weight: torch.Tensor, stride: Pair) -> torch.Tensor:
        """See `depthwise`."""
        ctx.save_for_backward(values, weight)
        ctx.stride = stride
        return _convolved(values, weight, stride)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor, None]:
        """Of values, where these have one, and of the weight."""
        values, weight = ctx.saved_tensors
        gradient, stride = gradients[0], ctx.stride
        of_values = None
        if ctx.needs_input_grad[0]:
            of_values = torch.ops.aten.convolution_backward(
                gradient,
                values,
                weight,
                None,
                stride,
                _padding(weight),
                (1, 1),
                False,
                (0, 0),
                len(weight),
                (True, False, False),
            )[0]
        of_weight = torch.empty_like(weight)
        padded = _padded(values, weight.shape[3] // 2)
        columns = padded.shape[3] - weight.shape[3] + _STRIP
        for first in (*range(0, weight.shape[3] - _STRIP, _STRIP), weight.shape[3] - _STRIP):
            strip = slice(first, first + _STRIP)
            of_weight[..., strip] = torch.ops.aten.convolution_backward(
                gradient,
                padded[..., first : first + columns],
                weight[..., strip],
                None,
                stride,
                (weight.shape[2] // 2, 0),
                (1, 1),
                False,
                (0, 0),
                len(weight),
                (False, True, False),
            )[1]
        return of_values, of_weight, None


def _convolved(values: torch.Tensor, weight: torch.Tensor, stride: Pair) -> torch.Tensor:
    return functional.conv2d(values, weight, None, stride, _padding(weight), groups=len(weight))


def _padded(values: torch.Tensor, columns: int) -> torch.Tensor:
    """With so many columns of zeros on both sides; functional.pad takes three times as long."""
    cases, channels, height, width = values.shape
    shape = (cases, channels, height, width + 2 * columns)
    made = torch.empty(shape, dtype=values.dtype, memory_format=torch.channels_last)
    made[..., :columns] = 0
    made[..., columns + width :] = 0
    made[..., columns : columns + width] = values
    return made


def _padding(weight: torch.Tensor) -> Pair:
    return weight.shape[2] // 2, weight.shape[3] // 2
