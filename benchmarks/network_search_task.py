"""A task to search networks for, and networks that are scaled by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from tinycc.search.data import Dataset
from tinycc.search.pipeline import SearchOptions
from tinycc.search.space import Space, expanded

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class SearchTask:
    """Data, limits and how much is done.

    train: all that is trained with in the end: `learned`, and `held_out`, by which networks are chosen.
    test: what nothing else has seen.
    spaces: of which one is searched. ways: in what ways networks are found, by name, in order.
    by_hand: for each kind of network the grid, and for each of its points the network in all widths.
    setting: all else that results depend on, to be written beside them.
    """

    name: str
    train: Dataset
    learned: Dataset
    held_out: Dataset
    test: Dataset
    spaces: Mapping[str, Space]
    options: SearchOptions
    ways: Sequence[str]
    by_hand: Mapping[str, Mapping[str, Sequence[Architecture]]]
    setting: Mapping[str, Any]


def ds_cnn(
    shape: Shape, outputs: int, width: int, blocks: int, stem: Pair, stride: int = 1, growth: int = 1
) -> Architecture:
    """Separable convolutions of 3x3, as in "Hello edge" (Zhang et al., 2017), which has one width.

    stem: the kernel of the first convolution, whose stride is 2. stride: of the second block, from which on
    there are `growth` times as many channels.
    """
    layers: list[Layer] = [Convolution(stem, width, (2, 2))]
    for block in range(blocks):
        step, channels = (stride if block == 1 else 1), width * (growth if block else 1)
        layers += [Depthwise((3, 3), (step, step)), Convolution((1, 1), channels)]
    return Architecture(shape, (*layers, Mean(), Dense(outputs)))


def res_net(shape: Shape, outputs: int, width: int, stem_stride: Pair) -> Architecture:
    """As MLPerf Tiny's ResNet-8: three pairs of convolutions, of width, twice and four times as much.

    Where channels change a convolution with a stride stands before the pair in place of one beside it.
    """
    layers: list[Layer] = [Convolution((3, 3), width, stem_stride)]
    for factor in (1, 2, 4):
        if factor > 1:
            layers.append(Convolution((1, 1), factor * width, (2, 2)))
        layers += [
            Convolution((3, 3), factor * width),
            Convolution((3, 3), factor * width, is_clamped=False),
            Residual(len(layers) - 1),
        ]
    return Architecture(shape, (*layers, Mean(), Dense(outputs)))


def mobile_net(
    shape: Shape, outputs: int, width: float, expansion: int, depth: int, stem_stride: Pair
) -> Architecture:
    """MobileNetV2 (Sandler et al., 2018) for small images: all stages of one depth and expansion.

    width: of stem and stages; channels are multiples of 4.
    """
    channels = _rounded(16 * width)
    layers: list[Layer] = [Convolution((3, 3), channels, stem_stride)]
    stages = ((16, 1, 1, 1), (24, 1, expansion, depth), (40, 2, expansion, depth), (80, 2, expansion, depth),
              (96, 1, expansion, depth))  # fmt: skip
    for base, stride, factor, blocks in stages:
        made = _rounded(base * width)
        for block in range(blocks):
            first = len(layers) - 1
            wide = expanded(channels, factor)
            if wide != channels:
                layers.append(Convolution((1, 1), wide))
            step = stride if block == 0 else 1
            layers += [Depthwise((3, 3), (step, step)), Convolution((1, 1), made, is_clamped=False)]
            if step == 1 and made == channels:
                layers.append(Residual(first))
            channels = made
    return Architecture(shape, (*layers, Mean(), Dense(outputs)))


def _rounded(channels: float) -> int:
    return max(4, 4 * round(channels / 4))
