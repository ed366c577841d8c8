"""A network that was chosen is trained, from the start or from weights that it brings along.

Stochastic gradient descent with Nesterov's momentum; the rate rises for a quarter of the steps and falls like
a cosine, once ("super-convergence", Smith and Topin, 2018).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn import functional as F

from tinycc.errors import TrainingError
from tinycc.search.architecture import Architecture
from tinycc.search.augmentation import Augmentation, name_of, unchanged
from tinycc.search.batches import Batches, device_named, mixed_precision
from tinycc.search.checkpoint import read_checkpoint, weights_digest, write_checkpoint
from tinycc.search.data import Dataset
from tinycc.search.network import Network
from tinycc.search.normalization import Normalization

Progress: TypeAlias = Callable[[Sequence[Any], str], Iterable[Any]]

_MOMENTUM = 0.9
_RISING = 0.25


@dataclass(frozen=True)
class TrainingOptions:
    """How a network is trained.

    epochs: times that all cases are looked at. batch: cases of a step. rate: the greatest learning rate.
    weight_decay: of weights; batch norms and biases have none.
    label_smoothing: the share of a label that is spread over all classes.
    augmentation: makes other cases of those of a batch.
    """

    epochs: int = 60
    batch: int = 128
    rate: float = 0.1
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    augmentation: Augmentation = unchanged

    def __post_init__(self) -> None:
        """TrainingError for numbers that nothing can be trained with."""
        if self.epochs < 1 or self.batch < 2 or not 0 < self.rate < math.inf:
            raise TrainingError(
                f"{self.epochs} epochs of batches of {self.batch} at a rate of {self.rate:g} train nothing: "
                "give at least 1, 2, and more than 0"
            )

    def identity(self) -> str:
        """The same for the same training."""
        return repr(asdict(self) | {"augmentation": name_of(self.augmentation)})


def trained(
    architecture: Architecture,
    train: Dataset,
    normalization: Normalization,
    options: TrainingOptions,
    *,
    seed: int = 0,
    device: str = "cpu",
    weights: Network | None = None,
    path: Path | None = None,
    progress: Progress = lambda items, _: items,
) -> Network:
    """A network with trained weights, on the CPU, in evaluation.

    train: images of the size that the architecture reads.
    weights: what to begin with, e.g. a network extracted from a supernet; else random ones from the seed.
    path: of a checkpoint, written after each epoch, from which an interrupted training goes on. What comes
        out is that of an undisturbed one: to the bit on a CPU with as many threads.

    On a GPU in bfloat16 where that is safe. Raises TrainingError where images do not fit, for a loss that is
    not finite, and for a checkpoint that is damaged or of another training.
    """
    _check_fit(architecture, train)
    network = _network(architecture, weights, seed)
    place = device_named(device)
    batches = Batches(train, normalization, place)
    identity = {
        "architecture": repr(architecture),
        "options": options.identity(),
        "data": batches.digest,
        "first weights": weights_digest(network),
        "seed": str(seed),
    }
    network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer, schedule = descent(network, options, batches.steps(options.batch))
    done = 0
    if path is not None and (state := read_checkpoint(path, identity)) is not None:
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        done = state["epochs"]
    for epoch in progress(range(done, options.epochs), "training"):
        run_epoch(network.train(), batches, options, optimizer, schedule, epoch_generator(seed, epoch))
        if path is not None:
            state = {
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "epochs": epoch + 1,
            }
            write_checkpoint(path, identity, state)
    return network.to("cpu").eval()


def descent(
    network: nn.Module, options: TrainingOptions, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """The optimizer and its learning rates. steps: of an epoch."""
    parameters = list(network.parameters())
    groups = [
        {"params": [item for item in parameters if item.dim() > 1], "weight_decay": options.weight_decay},
        {"params": [item for item in parameters if item.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, options.rate, momentum=_MOMENTUM, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        options.rate,
        total_steps=max(2, steps * options.epochs),
        pct_start=_RISING,
        cycle_momentum=False,
    )
    return optimizer, schedule


def run_epoch(
    network: nn.Module,
    batches: Batches,
    options: TrainingOptions,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    generator: torch.Generator,
    is_mixed: bool = True,
) -> None:
    """Steps with all cases, in an order from the generator; is_mixed: whether a GPU may use bfloat16.

    TrainingError for a loss that is not finite.
    """
    total = torch.zeros((), device=batches.labels.device)
    for images, labels in batches.shuffled(options.batch, generator):
        with mixed_precision(labels.device, is_mixed):
            scores = network(options.augmentation(images, generator))
            loss = F.cross_entropy(scores, labels, label_smoothing=options.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.detach()
    if not torch.isfinite(total):
        raise TrainingError(f"the loss is no number any more: train at a lower rate than {options.rate:g}")


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Of the draws of one epoch, so that they are the same whenever it is run."""
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)


def _network(architecture: Architecture, weights: Network | None, seed: int) -> Network:
    if weights is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Network(architecture)
    if weights.architecture != architecture:
        raise TrainingError(f"the weights are of another network, {weights.architecture.summary}")
    return deepcopy(weights).to("cpu")


def _check_fit(architecture: Architecture, train: Dataset) -> None:
    """TrainingError for images or classes that are not those of the network."""
    given = (*train.size, train.channels)
    if given != architecture.input_shape:
        raise TrainingError(
            f"the network reads images of {architecture.input_shape}, the data have {given}: resize them"
        )
    if architecture.shapes[-1] != (len(train.classes),):
        raise TrainingError(
            f"the network gives {list(architecture.shapes[-1])} scores, the data have {len(train.classes)} "
            "classes"
        )
