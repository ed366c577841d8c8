"""How accurate the networks of a supernet are on held-out cases, without training them."""

from collections.abc import Sequence

import torch
from torch import nn

from tinycc.search.architecture import Architecture
from tinycc.search.batches import Batches, accuracy
from tinycc.search.network import Network
from tinycc.search.space import Genome
from tinycc.search.supernet.network import Supernet, extracted, resized

_BATCH = 256


class SupernetAccuracy:
    """Answers for genomes, as `tinycc.search.evolution.Accuracy`; each architecture is measured once.

    What a batch of the supernet is normalized by is no network's own, so that each is taken out, and its
    statistics are those of some cases that were trained on.
    """

    def __init__(self, supernet: Supernet, calibration: Batches, held_out: Batches) -> None:
        """calibration: cases for statistics, some hundreds are enough. held_out: those to be right on."""
        self._supernet, self._calibration, self._held_out = supernet, calibration, held_out
        self._known: dict[Architecture, float] = {}

    def __call__(self, genomes: Sequence[Genome]) -> list[float]:
        """The share of held-out cases that each is right on."""
        return [self._accuracy(genome) for genome in genomes]

    def _accuracy(self, genome: Genome) -> float:
        architecture = self._supernet.space.architecture(genome)
        if architecture not in self._known:
            network = with_statistics(extracted(self._supernet, genome), self._calibration)
            size = architecture.input_shape[:2]
            self._known[architecture] = accuracy(
                lambda images: network(resized(images, size)), self._held_out, _BATCH
            )
        return self._known[architecture]


@torch.no_grad()
def with_statistics(network: Network, calibration: Batches) -> Network:
    """The network, normalized by the mean of batches' statistics of these cases, in evaluation."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean of all batches
    network.train()
    size = network.architecture.input_shape[:2]
    for images, _ in calibration.in_order(_BATCH):
        network(resized(images, size))
    return network.eval()
