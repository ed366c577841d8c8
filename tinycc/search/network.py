"""An architecture as a float network in torch, to be trained; it needs the extra tinycc[search]."""

from typing import TypeAlias

import torch
from torch import nn

from tinycc.search.architecture import Architecture, Convolution, Dense, Depthwise, Mean, Residual
from tinycc.search.depthwise import depthwise

_Convolved: TypeAlias = Convolution | Depthwise


class Network(nn.Module):
    """Batch normalization follows each convolution. Layers have the architecture's order.

    Reads [cases, channels, height, width] and gives [cases, outputs].
    """

    def __init__(self, architecture: Architecture) -> None:
        """Weights are random, from torch's generator."""
        super().__init__()
        self.architecture = architecture
        channels = [architecture.source_shape(index)[-1] for index in range(len(architecture.layers))]
        self.layers = nn.ModuleList(
            _module(layer, count) for layer, count in zip(architecture.layers, channels, strict=True)
        )
        self._earlier = {layer.of for layer in architecture.layers if isinstance(layer, Residual)}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """What the last layer gives."""
        value, kept = images, {-1: images}
        for index, (layer, module) in enumerate(zip(self.architecture.layers, self.layers, strict=True)):
            value = value + kept[layer.of] if isinstance(layer, Residual) else module(value)
            if index in self._earlier:
                kept[index] = value
        return value


class DepthwiseConvolution(nn.Conv2d):
    """Torch's own, but for how it is trained: see `tinycc.search.depthwise`."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[cases, channels, height, width]."""
        if self.training:
            assert self.bias is None
            return depthwise(images, self.weight, (self.stride[0], self.stride[1]))
        return super().forward(images)


class PixelMean(nn.Module):
    """Of each channel over all pixels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[cases, channels, height, width] to [cases, channels]."""
        return images.mean((2, 3))


def _module(layer: _Convolved | Residual | Mean | Dense, channels: int) -> nn.Module:
    """channels: of what the layer reads."""
    match layer:
        case Residual():
            return nn.Identity()
        case Mean():
            return PixelMean()
        case Dense(outputs):
            return nn.Linear(channels, outputs)
    padding = (layer.kernel[0] // 2, layer.kernel[1] // 2)
    if isinstance(layer, Convolution):
        count = layer.channels
        convolution = nn.Conv2d(channels, count, layer.kernel, layer.stride, padding, bias=False)
    else:
        count = channels
        convolution = DepthwiseConvolution(
            count, count, layer.kernel, layer.stride, padding, groups=count, bias=False
        )
    after: list[nn.Module] = [nn.ReLU6()] if layer.is_clamped else []
    return nn.Sequential(convolution, nn.BatchNorm2d(count), *after)
