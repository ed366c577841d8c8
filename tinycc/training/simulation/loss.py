"""What training makes small, of the logits' real numbers."""

from collections.abc import Collection
from typing import Literal, get_args

import numpy as np
import torch
from torch.nn import functional

from tinycc.errors import InputDataError, TrainingError
from tinycc.ops.tensor import Tensor
from tinycc.training.simulation.network import IntegerNetwork, Parameters, Values

Loss = Literal["cross_entropy", "squared_error"]


def check_targets(targets: np.ndarray, classes: int, loss: Loss) -> None:
    """InputDataError unless these are targets [cases, ...] for so many logits."""
    if loss not in get_args(Loss):
        raise TrainingError(f"no loss is called {loss!r}: there are {', '.join(get_args(Loss))}")
    if loss == "squared_error":
        if targets[0].size != classes or not np.isfinite(targets).all():
            raise InputDataError(f"a target must be {classes} real numbers")
    elif targets.ndim != 1 or targets.dtype.kind not in "iu" or targets.min() < 0 or targets.max() >= classes:
        raise InputDataError(f"labels must be one number from 0 to {classes - 1} for each case")


def losses_of(tensor: Tensor, integers: torch.Tensor, targets: torch.Tensor, loss: Loss) -> torch.Tensor:
    """The loss of each case, [runs, cases].

    tensor: the logits, with their scale. integers: theirs, [runs, cases, *shape]. targets: the label of each
    case for "cross_entropy", int64 [runs or 1, cases]; real numbers [runs or 1, cases, *shape] for
    "squared_error", the mean over the elements.
    """
    real = ((integers - tensor.zero_point) * tensor.real_scale).flatten(2)
    if loss == "squared_error":
        return (real - targets.flatten(2)).square().mean(2)
    labels = targets.expand(real.shape[:2])
    return functional.cross_entropy(real.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)


def gradients(
    network: IntegerNetwork,
    parameters: Parameters,
    values: Values,
    targets: torch.Tensor,
    trained: Collection[str] | None = None,
    *,
    loss: Loss = "cross_entropy",
    dtype: torch.dtype = torch.float32,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The loss of each run, its mean over cases [runs], and its gradients by parameter, [runs, ...].

    Gradients are those of integers: of the loss by the stored number of a weight or bias.
    values: see `IntegerNetwork.forward`.
    trained: which parameters, by name; all by default. dtype: of activations and gradients.
    """
    carriers = {
        name: value.to(torch.float64 if value.dtype == torch.int32 else dtype)
        for name, value in parameters.items()
    }
    chosen = {name: value for name, value in carriers.items() if trained is None or name in trained}
    for value in chosen.values():
        value.requires_grad_()
    integers = network.forward(carriers, values, dtype)
    means = losses_of(network.logits, integers, targets, loss).mean(1)
    found = torch.autograd.grad(means.sum(), list(chosen.values()), materialize_grads=True)
    return means.detach(), dict(zip(chosen, found, strict=True))
