"""The supernet of a space: one network whose slices are all networks of the space.

Source: once-for-all networks (Cai et al., 2020), elastic width as in MCUNet (Lin et al., 2020).
"""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional

from tinycc.search.architecture import Convolution, Dense, Depthwise, Layer, Pair, Residual
from tinycc.search.network import Network
from tinycc.search.space import Block, Genome, Space, Stage, block_layers, expanded
from tinycc.search.supernet.elastic import ElasticConvolution, ElasticDepthwise


class ElasticBlock(nn.Module):
    """A block of the largest network.

    expand: None where all networks have as many channels inside as the block reads.
    is_expanding: whether the largest network has more.
    """

    def __init__(self, stage: Stage, sources: int, channels: int) -> None:
        """sources, channels: the most that it reads and makes."""
        super().__init__()
        wide = expanded(sources, max(stage.expansions)) if stage.expansions else sources
        self.is_expanding = wide != sources
        is_other = any(expansion != 1 for expansion in stage.expansions)
        self.expand = ElasticConvolution(sources, wide, (1, 1)) if is_other else None
        self.depthwise = ElasticDepthwise(wide, stage.kernels)
        self.project = ElasticConvolution(wide, channels, (1, 1))

    def parts(self, block: Block, channels: int, place: int) -> Iterator[tuple[Layer, nn.Module | None]]:
        """Layers of a block that reads so many channels, and what computes them."""
        before: nn.Module | None = self.expand
        for layer in block_layers(block, channels, place):
            match layer:
                case Depthwise():
                    yield layer, self.depthwise
                    before = self.project
                case Convolution():
                    yield layer, before
                case _:
                    yield layer, None


class Supernet(nn.Module):
    """All networks of a space; reads [cases, channels, height, width] and gives [cases, outputs]."""

    def __init__(self, space: Space) -> None:
        """Weights are random, from torch's generator."""
        super().__init__()
        self.space = space
        channels = space.channels(space.stem_channels)
        self.stem = ElasticConvolution(space.input_channels, channels, space.stem_kernel)
        self.stages = nn.ModuleList()
        for stage in space.stages:
            most = space.channels(stage.channels * max(stage.widths))
            sources = [channels, *[most] * (max(stage.depths) - 1)]
            self.stages.append(nn.ModuleList(ElasticBlock(stage, count, most) for count in sources))
            channels = most
        self.head = ElasticConvolution(channels, space.head_channels, (1, 1)) if space.head_channels else None
        self.dense = nn.Linear(space.head_channels or channels, space.outputs)

    def forward(self, images: torch.Tensor, genome: Genome) -> torch.Tensor:
        """What the network of a genome gives for images of its size."""
        made = [images]
        for layer, module in self.parts(genome):
            value = made[-1]
            if isinstance(layer, Residual):
                value = value + made[layer.of + 1]
            elif isinstance(layer, Dense):
                value = functional.linear(value, self.dense.weight[:, : value.shape[1]], self.dense.bias)
            else:
                value = value.mean((2, 3)) if module is None else module(value, layer)
            made.append(value)
        return made[-1]

    def parts(self, genome: Genome) -> Iterator[tuple[Layer, nn.Module | None]]:
        """The layers of the network, and what computes them, as `Space.architecture` has them."""
        space = self.space
        layers = space.architecture(genome).layers
        channels = space.channels(space.stem_channels)
        place = 1
        yield layers[0], self.stem
        for blocks, modules in zip(space.blocks(genome), self.stages, strict=True):
            assert isinstance(modules, nn.ModuleList)
            for block, module in zip(blocks, modules, strict=False):
                assert isinstance(module, ElasticBlock)
                for part in module.parts(block, channels, place):
                    yield part
                    place += 1
                channels = block.channels
        if self.head is not None:
            yield layers[place], self.head
            place += 1
        yield layers[place], None
        yield layers[place + 1], self.dense


@torch.no_grad()
def extracted(supernet: Supernet, genome: Genome) -> Network:
    """A network of its own, which computes what its part of the supernet does."""
    network = Network(supernet.space.architecture(genome)).to(supernet.dense.weight.device)
    network.train(supernet.training)
    sources = [network.architecture.source_shape(index)[-1] for index in range(len(network.layers))]
    parts = zip(supernet.parts(genome), network.layers, sources, strict=True)
    for (layer, elastic), module, channels in parts:
        if isinstance(module, nn.Linear):
            module.weight.copy_(supernet.dense.weight[:, :channels])
            module.bias.copy_(supernet.dense.bias)
        elif isinstance(elastic, ElasticConvolution | ElasticDepthwise):
            assert isinstance(module, nn.Sequential)
            convolution, norm = module[0], module[1]
            assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            convolution.weight.copy_(elastic.weight_of(layer, channels))  # type: ignore[arg-type]
            elastic.norm.copy_to(norm)
    return network


def resized(images: torch.Tensor, size: Pair) -> torch.Tensor:
    """[cases, channels, height, width] of another height and width, blurred where that is coarser."""
    if tuple(images.shape[2:]) == tuple(size):
        return images
    return functional.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
