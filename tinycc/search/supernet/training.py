"""Training a supernet: the largest network at first, and then all of them at once.

Each step of the second phase trains the largest network, the smallest and some that are drawn (the sandwich
rule). The largest learns from labels, and all others what it says of the same images (in-place distillation).
All that is random in a step follows from the seed and the number of the step, so that training which was
stopped goes on as if it had not been.

Source: once-for-all networks (Cai et al., 2020); the sandwich of slimmable networks (Yu and Huang, 2019) and
BigNAS (Yu et al., 2020).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.nn import functional
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from tinycc.errors import TrainingError
from tinycc.search.augmentation import Augmentation, name_of, unchanged
from tinycc.search.batches import Batches, mixed_precision
from tinycc.search.checkpoint import read_checkpoint, write_checkpoint
from tinycc.search.space import Genome
from tinycc.search.space_checks import check_choice
from tinycc.search.supernet.network import Supernet, resized
from tinycc.search.supernet.sort_channels import sort_channels
from tinycc.search.supernet.workers import Workers

Progress: TypeAlias = Callable[[Iterable[Any], str], Iterable[Any]]


@dataclass(frozen=True)
class SupernetOptions:
    """How a supernet is trained.

    largest_epochs: of the largest network alone. epochs: of all, after that.
    drawn: networks of a step beside the largest and the smallest.
    batch: images of a step. parts: in how many equal ones a batch is taken, each with statistics of its own;
        processes share them out.
    rate: the highest of the first phase, half of it of the second; it rises for the first `warmup` of a
        phase, and falls to 0 along a cosine.
    weight_decay: of weights, not of biases and of normalization. smoothing: of labels.
    """

    largest_epochs: int = 5
    epochs: int = 25
    drawn: int = 2
    batch: int = 128
    parts: int = 1
    rate: float = 0.1
    warmup: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 3e-5
    smoothing: float = 0.1


def train_supernet(
    supernet: Supernet,
    batches: Batches,
    options: SupernetOptions | None = None,
    *,
    seed: int = 0,
    augment: Augmentation = unchanged,
    path: Path | None = None,
    progress: Progress = lambda items, _: items,
) -> Supernet:
    """Train all networks of a supernet, in place; channels end sorted.

    batches: what is learned, on the device that trains; images are resized for each network.
    augment: what is done to a batch before that.
    path: where the state is kept after each epoch, and gone on from.

    Under torchrun processes share the parts of each batch, and end with the same weights.
    Raises TinyccError for a space of one network, and TrainingError for too few cases, weights that become no
    numbers, and a `path` that holds another training.
    """
    options = options or SupernetOptions()
    check_choice(supernet.space)
    training = _Training(supernet, batches, options, seed, augment, path)
    training.run(progress)
    return supernet.eval()


class _Training:
    """What is trained, step by step."""

    def __init__(
        self,
        supernet: Supernet,
        batches: Batches,
        options: SupernetOptions,
        seed: int,
        augment: Augmentation,
        path: Path | None,
    ) -> None:
        self._device = batches.images.device
        self._supernet, self._batches, self._path = supernet.to(self._device), batches, path
        self._options, self._seed, self._augment = options, seed, augment
        self._workers = Workers.started()
        self._workers.check(options.parts)
        self._steps = len(batches) // options.batch
        if self._steps == 0 or options.batch % options.parts:
            raise TrainingError(
                f"a batch of {options.batch} in {options.parts} parts cannot be had of {len(batches)} cases"
            )
        self._optimizer = self._new_optimizer()
        self._epoch = 0
        self._identity = {
            "space": repr(supernet.space),
            "options": repr(options),
            "seed": str(seed),
            "augmentation": name_of(augment),
            "data": batches.digest,
        }

    def run(self, progress: Progress) -> None:
        """All epochs that are left."""
        self._resume()
        options = self._options
        for epoch in progress(range(self._epoch, options.largest_epochs + options.epochs), "Supernet"):
            if epoch == options.largest_epochs:
                sort_channels(self._supernet)
                self._optimizer = self._new_optimizer()
            self._train(epoch)
            if not torch.isfinite(parameters_to_vector(self._supernet.parameters())).all():
                raise TrainingError(
                    f"the weights are no numbers any more: train at a lower rate than {options.rate:g}"
                )
            self._epoch = epoch + 1
            self._save()

    def _train(self, epoch: int) -> None:
        options, first = self._options, self._options.largest_epochs
        begin, epochs = (0, first) if epoch < first else (first, options.epochs)
        rate = options.rate if epoch < first else options.rate / 2
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._batches))
        self._supernet.train()
        for step in range(self._steps):
            done = ((epoch - begin) * self._steps + step) / (epochs * self._steps)
            for group in self._optimizer.param_groups:
                group["lr"] = rate * _share_of_rate(done, options.warmup)
            number = epoch * self._steps + step
            chosen = order[step * options.batch : (step + 1) * options.batch]
            self._step(number, np.split(chosen, options.parts), self._genomes(epoch, number))

    def _genomes(self, epoch: int, number: int) -> list[Genome]:
        """The networks of a step, the largest first."""
        space = self._supernet.space
        if epoch < self._options.largest_epochs:
            return [space.largest()]
        random = np.random.default_rng([self._seed, number, 1])
        drawn = [space.sampled(random) for _ in range(self._options.drawn)]
        return [space.largest(), space.smallest(), *drawn]

    def _step(self, number: int, parts: list[np.ndarray], genomes: list[Genome]) -> None:
        """Each part has its gradients, which are added in one order, whoever has computed them."""
        total = torch.zeros((), device=self._device)
        for index, chosen in self._workers.own(list(enumerate(parts))):
            self._optimizer.zero_grad()
            generator = torch.Generator().manual_seed(hash_of(self._seed, number, index))
            images, labels = self._batches.batch(torch.from_numpy(chosen).to(self._device))
            self._add_gradients(self._augment(images, generator), labels, genomes)
            total = total + parameters_to_vector(self._gradients())
        self._workers.add_up(total)
        vector_to_parameters(total / (len(parts) * len(genomes)), self._gradients())
        self._optimizer.step()

    def _gradients(self) -> list[torch.Tensor]:
        """Of all parameters; 0 where no network has used them."""
        for parameter in self._supernet.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [item.grad for item in self._supernet.parameters() if item.grad is not None]

    def _add_gradients(self, images: torch.Tensor, labels: torch.Tensor, genomes: list[Genome]) -> None:
        """Of all networks; the first teaches the others."""
        wanted: torch.Tensor | None = None
        for genome in genomes:
            with mixed_precision(self._device):
                scores = self._supernet(resized(images, self._supernet.space.input_size(genome)), genome)
            smoothing = self._options.smoothing if wanted is None else 0.0
            loss = functional.cross_entropy(
                scores.float(), labels if wanted is None else wanted, label_smoothing=smoothing
            )
            loss.backward()  # type: ignore[no-untyped-call]
            wanted = scores.detach().float().softmax(1) if wanted is None else wanted

    def _new_optimizer(self) -> torch.optim.SGD:
        options = self._options
        parameters = list(self._supernet.parameters())
        groups = [
            {"params": [item for item in parameters if item.dim() > 1], "weight_decay": options.weight_decay},
            {"params": [item for item in parameters if item.dim() == 1], "weight_decay": 0.0},
        ]
        return torch.optim.SGD(groups, options.rate, options.momentum, nesterov=True)

    def _save(self) -> None:
        if self._path is not None and self._workers.rank == 0:
            state = {
                "supernet": self._supernet.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "epoch": self._epoch,
            }
            write_checkpoint(self._path, self._identity, state)
        self._workers.wait()

    def _resume(self) -> None:
        state = None if self._path is None else read_checkpoint(self._path, self._identity)
        if state is not None:
            self._epoch = state["epoch"]
            self._supernet.load_state_dict(state["supernet"])
            self._optimizer.load_state_dict(state["optimizer"])


def hash_of(*numbers: int) -> int:
    """A seed of 63 bits for torch that follows from others."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _share_of_rate(done: float, warmup: float) -> float:
    """Of the highest rate, when a share of a phase is done."""
    if done < warmup:
        return done / warmup
    return 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))
