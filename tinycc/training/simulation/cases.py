"""What a network learns from, and what it is judged by."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tinycc.errors import InputDataError
from tinycc.training.simulation.loss import Loss, check_targets, losses_of
from tinycc.training.simulation.network import IntegerNetwork, Parameters, Values

# How many are run through the network at once.
_TOGETHER = 64


@dataclass(frozen=True)
class Data:
    """Cases, as a user has them.

    inputs: arrays in the model file's own form, one for each input, as for `CompiledModel.run`.
    targets: what is right for each case: labels, int [cases], or real numbers [cases, ...].
    """

    inputs: Sequence[np.ndarray]
    targets: np.ndarray


@dataclass(frozen=True, eq=False)
class Cases:
    """Cases, as far as they can be run through a network before training.

    values: int8 [1, cases, ...], of what does not change. targets: [1, cases, ...].
    """

    values: Values
    targets: torch.Tensor

    @classmethod
    def of(
        cls, network: IntegerNetwork, parameters: Parameters, data: Data, trained: Collection[str], loss: Loss
    ) -> "Cases":
        """Of data for a network whose `trained` parameters will change. Raises InputDataError."""
        device = next(iter(parameters.values())).device
        inputs = network.read_inputs(data.inputs, device)
        count, targets = next(iter(inputs.values())).shape[1], np.asarray(data.targets)
        if targets.shape[:1] != (count,):
            raise InputDataError(f"there are {count} cases, and targets of shape {list(targets.shape)}")
        check_targets(targets, network.logits.elements, loss)
        kind = torch.float32 if loss == "squared_error" else torch.int64
        whole = cls(inputs, torch.as_tensor(targets, dtype=kind, device=device)[None])
        parts = [network.before(parameters, values, trained) for values, _ in whole.parts()]
        values = {value: torch.cat([part[value] for part in parts], 1) for value in parts[0]}
        return cls(values, whole.targets)

    def __len__(self) -> int:
        """How many there are."""
        return next(iter(self.values.values())).shape[1]

    def take(self, places: np.ndarray) -> tuple[Values, torch.Tensor]:
        """Values and targets [runs or 1, n, ...] of the cases at `places`, [runs, n]."""
        if (places == places[0]).all():
            places = places[:1]
        chosen = torch.as_tensor(places, device=self.targets.device)
        return {value: tensor[0][chosen] for value, tensor in self.values.items()}, self.targets[0][chosen]

    def parts(self) -> Iterator[tuple[Values, torch.Tensor]]:
        """All of them, some at a time."""
        for first in range(0, len(self), _TOGETHER):
            part = slice(first, first + _TOGETHER)
            yield {value: item[:, part] for value, item in self.values.items()}, self.targets[:, part]


@torch.no_grad()
def score(network: IntegerNetwork, parameters: Parameters, cases: Cases, loss: Loss) -> torch.Tensor:
    """The share of cases whose label has the greatest logit, or the mean squared error; float64 [runs]."""
    total: torch.Tensor | float = 0.0
    for values, targets in cases.parts():
        integers = network.forward(parameters, values)
        if loss == "squared_error":
            found = losses_of(network.logits, integers, targets, loss)
        else:
            found = integers.flatten(2).argmax(2) == targets
        total = total + found.double().sum(1)
    assert isinstance(total, torch.Tensor)
    return total / len(cases)
