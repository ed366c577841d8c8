"""What a network of benchmarks.training_transfer is to learn, of what, and how it is judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import tvm
from torch import nn

from tinycc.training.simulation import Data, IntegerNetwork


@dataclass(frozen=True, eq=False)
class Task:
    """A network that knows something else, and cases to learn from.

    floating: in float32, batch norms folded; [N, channels, height, width] to [N, classes].
    model: the same quantized.
    learning, choosing, testing: cases to train on, to choose rates by, and to judge by. Their inputs are in
        the form that `floating` reads.
    rates: learning rates to choose from where all trains. rates_of_parts: where less does, which stands more.
    batch: cases to a step. contributions: how they are measured, options of `measure_contributions`.
    """

    floating: nn.Module
    model: tvm.IRModule
    learning: Data
    choosing: Data
    testing: Data
    rates: Sequence[float]
    rates_of_parts: Sequence[float]
    batch: int
    epochs: int
    contributions: Mapping[str, Any]
    seeds: Sequence[int] = (0, 1, 2)
    device: str = "cpu"

    @cached_property
    def network(self) -> IntegerNetwork:
        """The quantized network as it is simulated."""
        return IntegerNetwork.load(self.model)


def pretrained(network: nn.Module, path: Path, train: Callable[[nn.Module], None]) -> None:
    """Give a network the weights of a file, which `train` makes once."""
    if not path.exists():
        train(network)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict(), path)
    network.load_state_dict(torch.load(path, weights_only=True))
