"""A search space: the networks that a search may choose from.

A network is a chain of blocks in stages. What may differ is told by genes, each a choice of one of a few
options, so that a network is a tuple of small integers that can be drawn, mutated and crossed; two tuples
that differ only in blocks that a smaller depth leaves out are the same network.

Source: the space of MCUNet (Lin et al., 2020), which is that of ProxylessNAS (Cai et al., 2019), with widths
of stages as in MCUNetV2 (Lin et al., 2021); for spectrograms DS-CNN (Zhang et al., "Hello edge", 2017).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from tinycc.search.architecture import (
    Architecture,
    Convolution,
    Dense,
    Depthwise,
    Layer,
    Mean,
    Pair,
    Residual,
)

# For each gene of a space the index of the option that was chosen.
Genome: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Gene:
    """A choice. name: e.g. "stage 2 block 1 kernel"."""

    name: str
    options: tuple[Any, ...]


@dataclass(frozen=True)
class Stage:
    """Blocks one after the other, of which the first has the stride.

    channels: of each block's result, before they are multiplied with a width.
    depths: how many blocks there may be. kernels: of depthwise convolutions.
    expansions: how many times as many channels a depthwise convolution has as the block reads; each block is
        an inverted residual then. With none, a block is a depthwise convolution and one of 1x1.
    widths: by which channels may be multiplied.
    """

    channels: int
    stride: Pair
    depths: tuple[int, ...]
    kernels: tuple[Pair, ...]
    expansions: tuple[float, ...] = ()
    widths: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Block:
    """A block of a network: what its genes say. expansion: None where it is a separable convolution."""

    channels: int
    stride: Pair
    kernel: Pair
    expansion: float | None


@dataclass(frozen=True)
class Space:
    """All networks that the genes tell apart.

    input_sizes: heights and widths that the input may be given in. input_channels: of it.
    stem_channels, stem_kernel, stem_stride: of the convolution before all blocks.
    head_channels: of one of 1x1 behind them; 0 for none. outputs: of the dense layer at the end.
    width: by which all channels of stem and stages are multiplied.
    divisor: channels are multiples of it.
    """

    input_sizes: tuple[Pair, ...]
    input_channels: int
    stem_channels: int
    stem_kernel: Pair
    stem_stride: Pair
    stages: tuple[Stage, ...]
    head_channels: int
    outputs: int
    width: float = 1.0
    divisor: int = 8

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """All choices, those of one option left out of none: a genome has an index for each."""
        genes = [Gene("input size", self.input_sizes)]
        for number, stage in enumerate(self.stages):
            genes += [
                Gene(f"stage {number} width", stage.widths),
                Gene(f"stage {number} depth", stage.depths),
            ]
            for block in range(max(stage.depths)):
                genes.append(Gene(f"stage {number} block {block} kernel", stage.kernels))
                if stage.expansions:
                    genes.append(Gene(f"stage {number} block {block} expansion", stage.expansions))
        return tuple(genes)

    def sampled(self, random: np.random.Generator) -> Genome:
        """A genome, each gene drawn by itself."""
        return tuple(int(random.integers(len(gene.options))) for gene in self.genes)

    def largest(self) -> Genome:
        """The genome of the most of everything."""
        return tuple(gene.options.index(max(gene.options)) for gene in self.genes)

    def smallest(self) -> Genome:
        """The genome of the least of everything."""
        return tuple(gene.options.index(min(gene.options)) for gene in self.genes)

    def blocks(self, genome: Genome) -> list[list[Block]]:
        """For each stage the blocks that are there."""
        chosen = self._chosen(genome)
        next(chosen)
        stages = []
        for stage in self.stages:
            width, depth = next(chosen), next(chosen)
            blocks = []
            for index in range(max(stage.depths)):
                kernel, expansion = next(chosen), next(chosen) if stage.expansions else None
                stride = (1, 1) if index else stage.stride
                blocks.append(Block(self.channels(stage.channels * width), stride, kernel, expansion))
            stages.append(blocks[:depth])
        return stages

    def active_genes(self, genome: Genome) -> list[int]:
        """Indices of the genes that make a difference, those of blocks that are left out being none."""
        active, index = [0], 1
        for stage in self.stages:
            depth = stage.depths[genome[index + 1]]
            genes_of_block = 2 if stage.expansions else 1
            active += range(index, index + 2 + depth * genes_of_block)
            index += 2 + max(stage.depths) * genes_of_block
        return active

    def input_size(self, genome: Genome) -> Pair:
        """Height and width of the input."""
        size: Pair = next(self._chosen(genome))
        return size

    def channels(self, count: float) -> int:
        """So many channels, multiplied with the width and rounded to the divisor, by no more than a tenth."""
        wanted = count * self.width
        rounded = max(self.divisor, int(wanted + self.divisor / 2) // self.divisor * self.divisor)
        return rounded if rounded >= 0.9 * wanted else rounded + self.divisor

    def architecture(self, genome: Genome) -> Architecture:
        """The network of a genome."""
        layers: list[Layer] = [
            Convolution(self.stem_kernel, self.channels(self.stem_channels), self.stem_stride)
        ]
        channels = self.channels(self.stem_channels)
        for block in (block for stage in self.blocks(genome) for block in stage):
            layers += block_layers(block, channels, len(layers))
            channels = block.channels
        if self.head_channels:
            layers.append(Convolution((1, 1), self.head_channels))
        layers += [Mean(), Dense(self.outputs)]
        return Architecture((*self.input_size(genome), self.input_channels), tuple(layers))

    def scaled(self, width: float, input_sizes: Sequence[Pair]) -> "Space":
        """The space with all channels multiplied, and other sizes of the input."""
        return replace(self, width=width, input_sizes=tuple(input_sizes))

    def _chosen(self, genome: Genome) -> Iterator[Any]:
        """The option of each gene."""
        return (gene.options[index] for gene, index in zip(self.genes, genome, strict=True))


def block_layers(block: Block, channels: int, place: int) -> list[Layer]:
    """The layers of a block that reads so many channels. place: the index of the first of them."""
    if block.expansion is None:
        return [Depthwise(block.kernel, block.stride), Convolution((1, 1), block.channels)]
    layers: list[Layer] = [
        Depthwise(block.kernel, block.stride),
        Convolution((1, 1), block.channels, is_clamped=False),
    ]
    wide = expanded(channels, block.expansion)
    if wide != channels:
        layers.insert(0, Convolution((1, 1), wide))
    if block.stride == (1, 1) and block.channels == channels:
        layers.append(Residual(place - 1))
    return layers


def expanded(channels: int, expansion: float) -> int:
    """The channels of a depthwise convolution in a block that reads `channels`."""
    return max(1, round(channels * expansion))
