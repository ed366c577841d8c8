"""Other cases of the same class out of one, on batches of images [cases, channels, height, width].

Draws come from a generator on the CPU, so that they are the same on every device. What comes in from outside
is 0, the mean of the data.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch.nn import functional as F

Augmentation: TypeAlias = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

# How far images move, as a share of their sides.
_SHARE = 1 / 8


def name_of(augmentation: Augmentation) -> str:
    """What tells it from others; of a callable that is no function, its type."""
    name: str = getattr(augmentation, "__qualname__", type(augmentation).__qualname__)
    return name


def unchanged(images: torch.Tensor, _generator: torch.Generator) -> torch.Tensor:
    """No augmentation."""
    return images


def shifted(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image moved, by up to an eighth of its height and of its width."""
    return _moved(images, round(images.shape[2] * _SHARE), round(images.shape[3] * _SHARE), generator)


def shifted_and_flipped(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The same, and half of them left for right: for photographs, not for what is written."""
    moved = shifted(images, generator)
    is_flipped = torch.rand(len(images), generator=generator).to(images.device) < 0.5
    return torch.where(is_flipped[:, None, None, None], moved.flip(3), moved)


def shifted_in_time(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each spectrogram moved along its frames, the rows."""
    return _moved(images, round(images.shape[2] * _SHARE), 0, generator)


def _moved(images: torch.Tensor, down: int, right: int, generator: torch.Generator) -> torch.Tensor:
    """Each image moved by up to so many pixels, either way."""
    padded = F.pad(images, (right, right, down, down))
    cases, channels, *sides = images.shape
    places = [torch.arange(count, device=images.device) for count in (cases, channels, *sides)]
    rows, columns = (
        torch.randint(0, 2 * most + 1, (cases, 1), generator=generator).to(images.device) + place
        for most, place in zip((down, right), places[2:], strict=True)
    )
    moved = padded[
        places[0][:, None, None, None],
        places[1][None, :, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]
    return moved.contiguous(memory_format=torch.channels_last)
