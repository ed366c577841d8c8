"""Processes that train together, as torchrun starts them; one alone where it did not."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed

from tinycc.errors import TrainingError

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Workers:
    """rank: of this process. count: of all."""

    rank: int = 0
    count: int = 1

    @classmethod
    def started(cls) -> "Workers":
        """Those that torchrun has started; they are joined where they are not yet."""
        if not distributed.is_available() or "WORLD_SIZE" not in os.environ:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    def check(self, parts: int) -> None:
        """TrainingError where parts of a batch cannot be shared out equally."""
        if parts % self.count:
            raise TrainingError(
                f"{self.count} processes cannot share a batch of {parts} parts: "
                f"take a multiple of {self.count} for parts"
            )

    def own(self, items: Sequence[_Item]) -> Sequence[_Item]:
        """Those that are for this process."""
        return items[self.rank :: self.count]

    def add_up(self, values: torch.Tensor) -> None:
        """Have the sum over all processes in place of values."""
        if self.count > 1:
            distributed.all_reduce(values)

    def wait(self) -> None:
        """For all others."""
        if self.count > 1:
            distributed.barrier()
