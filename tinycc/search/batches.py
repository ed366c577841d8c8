"""A dataset on the device that trains, and how many of its cases a network is right on."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import numpy as np
import torch

from tinycc.errors import TrainingError
from tinycc.search.data import Dataset
from tinycc.search.normalization import Normalization


class Batches:
    """Images as the integers of the network's input, int8; batches are what it reads, float32.

    A batch is [cases, channels, height, width], channels last in memory, and its labels [cases], int64.
    """

    def __init__(self, dataset: Dataset, normalization: Normalization, device: torch.device) -> None:
        """The whole dataset is moved to the device."""
        integers = np.ascontiguousarray(normalization.integers(dataset.images))
        self.images = torch.from_numpy(integers).permute(0, 3, 1, 2).to(device)
        self.labels = torch.from_numpy(dataset.labels).to(device)
        self._normalization = normalization

    @property
    def digest(self) -> str:
        """What tells images and labels from others."""
        total = hashlib.sha256(repr((self.images.shape, self._normalization)).encode())
        for tensor in (self.images, self.labels):
            total.update(tensor.cpu().contiguous().numpy().tobytes())
        return total.hexdigest()

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self.labels)

    def shuffled(self, size: int, generator: torch.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """All cases once in random order, but for what does not fill the last batch; one batch at least."""
        order = torch.randperm(len(self), generator=generator).to(self.labels.device)
        for count in range(self.steps(size)):
            yield self.batch(order[count * size : (count + 1) * size])

    def steps(self, size: int) -> int:
        """How many batches `shuffled` gives."""
        return max(1, len(self) // size)

    def in_order(self, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """All cases."""
        for first in range(0, len(self), size):
            yield self.batch(slice(first, first + size))

    def batch(self, cases: torch.Tensor | slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Those cases, by their indices."""
        integers = self.images[cases].to(torch.float32)
        images = (integers - self._normalization.zero_point) * self._normalization.scale
        return images.contiguous(memory_format=torch.channels_last), self.labels[cases]


def device_named(name: str) -> torch.device:
    """What trains: "cpu", "cuda", "cuda:1". Raises TrainingError where there is none of this name."""
    try:
        one = torch.ones(1, device=name)
        one.item()  # which "meta" has none of
        return one.device
    except (RuntimeError, AssertionError) as error:  # the latter from a torch that was built without CUDA
        reason = str(error).splitlines()[0]
        raise TrainingError(f"cannot train on the device {name!r}: {reason}; give cpu, or cuda") from error


def mixed_precision(device: torch.device, is_wanted: bool = True) -> AbstractContextManager[None]:
    """bfloat16 where it is quicker: on a GPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=is_wanted and device.type == "cuda")


@torch.no_grad()
def accuracy(network: Callable[[torch.Tensor], torch.Tensor], batches: Batches, size: int = 512) -> float:
    """The share of cases whose label has the largest score. A network with batch norm is in evaluation."""
    right = sum(int((network(images).argmax(1) == labels).sum()) for images, labels in batches.in_order(size))
    return right / len(batches)
