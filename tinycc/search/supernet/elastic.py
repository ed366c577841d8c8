"""Layers whose kernels and channels are chosen anew for each call: slices of the weights of the largest.

Source: once-for-all networks (Cai et al., 2020).
"""

from collections.abc import Iterable
from functools import cached_property

import torch
from torch import nn
from torch.nn import functional

from tinycc.search.architecture import Convolution, Depthwise, Pair
from tinycc.search.depthwise import depthwise


class ElasticNorm(nn.Module):
    """Batch normalization of the first channels. Statistics of training are those of the batch."""

    mean: torch.Tensor
    variance: torch.Tensor

    def __init__(self, channels: int) -> None:
        """channels: the most."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """[cases, channels, height, width]."""
        first = slice(values.shape[1])
        return functional.batch_norm(
            values,
            self.mean[first],
            self.variance[first],
            self.weight[first],
            self.bias[first],
            self.training,
        )

    def copy_to(self, norm: nn.BatchNorm2d) -> None:
        """The first channels, as one that has no others."""
        first = slice(norm.num_features)
        assert norm.running_mean is not None and norm.running_var is not None
        norm.weight.copy_(self.weight[first])
        norm.bias.copy_(self.bias[first])
        norm.running_mean.copy_(self.mean[first])
        norm.running_var.copy_(self.variance[first])

    def permute(self, order: torch.Tensor) -> None:
        """Have the channels in this order."""
        for item in (self.weight, self.bias, self.mean, self.variance):
            item.copy_(item[order])


class ElasticConvolution(nn.Module):
    """A convolution from the first channels of its input to the first of its result."""

    def __init__(self, sources: int, channels: int, kernel: Pair) -> None:
        """sources, channels: the most that are read and made."""
        super().__init__()
        self.weight = nn.Parameter(_initial((channels, sources, *kernel)))
        self.norm = ElasticNorm(channels)

    def forward(self, values: torch.Tensor, layer: Convolution) -> torch.Tensor:
        """As a layer of an architecture says; with its clamp."""
        weight = self.weight_of(layer, values.shape[1])
        padding = (layer.kernel[0] // 2, layer.kernel[1] // 2)
        return _clamped(self.norm(functional.conv2d(values, weight, None, layer.stride, padding)), layer)

    def weight_of(self, layer: Convolution, sources: int) -> torch.Tensor:
        """[channels, sources, height, width]."""
        return self.weight[: layer.channels, :sources]

    def permute(self, order: torch.Tensor) -> None:
        """Have the channels of the result in this order."""
        self.weight.copy_(self.weight[order])
        self.norm.permute(order)

    def permute_sources(self, order: torch.Tensor) -> None:
        """Read the channels of the input in this order."""
        self.weight.copy_(self.weight[:, order])


class ElasticDepthwise(nn.Module):
    """A depthwise convolution with one of several kernels.

    A smaller kernel is the middle of a larger one, times a matrix that is learned and that all channels
    share. The larger one is the smallest that has room for it, so that 3x3 is made of 5x5, and that of 7x7;
    1x3 is made of 1x5, and that of 5x5. What has room for all of them is there even if it is none of them.
    """

    def __init__(self, channels: int, kernels: Iterable[Pair]) -> None:
        """channels: the most. kernels: [height, width], odd."""
        super().__init__()
        options = set(kernels)
        self._largest = (max(height for height, _ in options), max(width for _, width in options))
        self._options = sorted(options | {self._largest}, key=lambda kernel: (kernel[0] * kernel[1], kernel))
        self.weight = nn.Parameter(_initial((channels, 1, *self._largest)))
        self.matrices = nn.ParameterDict(
            {
                _name(kernel): nn.Parameter(torch.eye(kernel[0] * kernel[1]))
                for kernel in self._options
                if kernel != self._largest
            }
        )
        self.norm = ElasticNorm(channels)

    def forward(self, values: torch.Tensor, layer: Depthwise) -> torch.Tensor:
        """As a layer of an architecture says; with its clamp."""
        channels = values.shape[1]
        made = depthwise(values, self.weight_of(layer, channels), layer.stride)
        return _clamped(self.norm(made), layer)

    def weight_of(self, layer: Depthwise, channels: int) -> torch.Tensor:
        """[channels, 1, height, width]."""
        return self._of_kernel(self.weight[:channels], layer.kernel)

    def permute(self, order: torch.Tensor) -> None:
        """Have the channels in this order."""
        self.weight.copy_(self.weight[order])
        self.norm.permute(order)

    @cached_property
    def _larger(self) -> dict[Pair, Pair]:
        """For each kernel but the largest the one that it is the middle of."""
        return {
            kernel: next(
                other
                for other in self._options
                if other != kernel and other[0] >= kernel[0] and other[1] >= kernel[1]
            )
            for kernel in self._options
            if kernel != self._largest
        }

    def _of_kernel(self, weight: torch.Tensor, kernel: Pair) -> torch.Tensor:
        if kernel == self._largest:
            return weight
        larger = self._larger[kernel]
        top, left = ((whole - part) // 2 for whole, part in zip(larger, kernel, strict=True))
        middle = self._of_kernel(weight, larger)[:, :, top : top + kernel[0], left : left + kernel[1]]
        return (middle.flatten(1) @ self.matrices[_name(kernel)]).unflatten(1, (1, *kernel))


def _initial(shape: tuple[int, ...]) -> torch.Tensor:
    """Random weights, as convolutions of torch have them."""
    weight = torch.empty(shape)
    nn.init.kaiming_uniform_(weight, a=5**0.5)
    return weight


def _clamped(values: torch.Tensor, layer: Convolution | Depthwise) -> torch.Tensor:
    return functional.relu6(values) if layer.is_clamped else values


def _name(kernel: Pair) -> str:
    return f"{kernel[0]}x{kernel[1]}"
