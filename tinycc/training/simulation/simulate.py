"""Train a network of int8 in torch, as the device would, many runs at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

import numpy as np
import torch

from tinycc.errors import TrainingError
from tinycc.training.add_spare_classes import with_spare_classes
from tinycc.training.gradients import GradientType
from tinycc.training.scheme import Scheme, full
from tinycc.training.simulation.cases import Cases, Data, score
from tinycc.training.simulation.integer_gradients import integer_gradients
from tinycc.training.simulation.loss import Loss
from tinycc.training.simulation.loss import gradients as float_gradients
from tinycc.training.simulation.network import IntegerNetwork, Parameters
from tinycc.training.simulation.update import GradientDescent, Updater

# Of the learning rate, by the share of training that is done: 0 to 1.
Schedule = Callable[[float], float]


@dataclass(frozen=True)
class Run:
    """One of the runs of a simulation.

    seed: of the order of cases, and of stochastic rounding. rate: the learning rate. scheme: what trains; all
    where nothing is said.
    """

    seed: int = 0
    rate: float = 0.01
    scheme: Scheme | None = None


@dataclass(frozen=True, eq=False)
class Simulated:
    """What became of a run.

    accuracies: before training and after each epoch, of the validation cases; [] where there are none. For
        "squared_error" it is the mean loss.
    losses: the mean over each epoch.
    states: weights, int8, and biases, int32, that were trained, by parameter: "conv2d_0_weights" ...
    """

    run: Run
    accuracies: list[float]
    losses: list[float]
    states: dict[str, np.ndarray]


def constant(_done: float) -> float:
    """The same rate all the time."""
    return 1.0


def cosine(done: float) -> float:
    """From the rate to nothing."""
    return 0.5 + 0.5 * float(np.cos(np.pi * done))


def simulate(
    model: Any,
    training: Data | Cases,
    validation: Data | Cases | None = None,
    *,
    runs: Sequence[Run] = (Run(),),
    epochs: int = 1,
    batch: int = 1,
    shuffled: bool = True,
    loss: Loss = "cross_entropy",
    gradients: GradientType = "float",
    spare_classes: int = 0,
    rule: GradientDescent | None = None,
    schedule: Schedule = constant,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    progress: Callable[[str], None] | None = None,
) -> list[Simulated]:
    """Train a model with the integers that the generated C has.

    model: of int8, as for `tinycc.compile`, or an IntegerNetwork.
    training, validation: cases; targets are labels, int [cases], or for "squared_error" real numbers. Of an
        IntegerNetwork also as `Cases.of` has run them through what comes before all that the runs train.
    runs: trained beside each other, each with weights of its own.
    batch: cases whose mean gradient makes a step; what is left over at the end of an epoch is left out.
    shuffled: whether each epoch takes the cases in another order; otherwise they come as they are.
    gradients: "float", real numbers, or "integer", whole ones with a power of two for each tensor and case,
        as the device has them without an FPU.
    spare_classes: outputs that the first result has beside those of the file, as for `training.compile`; then
        data cannot be `Cases`.
    rule: of updates, those of the device where nothing is said.
    schedule: what rates are multiplied by in the course of training.
    dtype: of gradients in real numbers, float32, or float64 for comparisons. The integers are the same.
    progress: is told of each epoch.

    Raises TinyccError: UnsupportedError for a network that cannot be simulated, TrainingError for a scheme of
    another one, InputDataError for data that do not fit.
    """
    if gradients not in get_args(GradientType):
        known = ", ".join(get_args(GradientType))
        raise TrainingError(f"no gradients are called {gradients!r}: there are {known}")
    network = model if isinstance(model, IntegerNetwork) else IntegerNetwork.load(model)
    schemes = [run.scheme or full(network.layers) for run in runs]
    if spare_classes:
        if isinstance(training, Cases) or isinstance(validation, Cases):
            raise TrainingError("cases were run through a network without spare classes: give data")
        module, schemes = with_spare_classes(network.graph.module, schemes, spare_classes)
        network = IntegerNetwork.of(module)
    for scheme in schemes:
        scheme.check(network.layers)
    rule = rule or GradientDescent()
    updater = Updater.of(network.layers, schemes, [run.seed for run in runs], rule, device)
    parameters = network.parameters(device)
    trained = list(updater.tensors)
    cases = _cases(network, parameters, training, trained, loss)
    checked = None if validation is None else _cases(network, parameters, validation, trained, loss)
    if not 1 <= batch <= len(cases):
        raise TrainingError(f"a batch of {batch} cannot be had of {len(cases)} cases")
    steps = len(cases) // batch
    rates = torch.tensor([run.rate for run in runs], dtype=torch.float32, device=device)
    generators = [np.random.default_rng(run.seed) for run in runs]
    # Before training all runs are the model.
    scores = [] if checked is None else [score(network, parameters, checked, loss).expand(len(runs))]
    parameters.update({name: tensor.values for name, tensor in updater.tensors.items()})
    losses: list[torch.Tensor] = []
    find = integer_gradients if gradients == "integer" else partial(float_gradients, dtype=dtype)
    for epoch in range(epochs):
        order = np.stack(
            [item.permutation(len(cases)) if shuffled else np.arange(len(cases)) for item in generators]
        )
        total = torch.zeros(len(runs), dtype=torch.float64, device=device)
        for step in range(steps):
            values, targets = cases.take(order[:, step * batch : (step + 1) * batch])
            means, found = find(network, parameters, values, targets, trained, loss=loss)
            done = (epoch * steps + step) / (epochs * steps)
            updater.update(found, rates * schedule(done))
            total += means
        losses.append(total / steps)
        if checked is not None:
            scores.append(score(network, parameters, checked, loss))
        if progress is not None:
            progress(_line(epoch, epochs, losses, scores))
    return [
        Simulated(
            run,
            [float(item[index]) for item in scores],
            [float(item[index]) for item in losses],
            updater.states(index),
        )
        for index, run in enumerate(runs)
    ]


def evaluate(
    network: IntegerNetwork,
    data: Data | Cases,
    states: Mapping[str, np.ndarray] | None = None,
    *,
    loss: Loss = "cross_entropy",
    spare_classes: int = 0,
    device: torch.device | str = "cpu",
) -> float:
    """The share of cases whose label has the greatest logit; for "squared_error" the mean loss.

    states: weights and biases in place of the model's own, as `Simulated.states` has them.
    spare_classes: with which they were trained.
    """
    if spare_classes:
        network = IntegerNetwork.of(with_spare_classes(network.graph.module, [], spare_classes)[0])
    parameters = network.parameters(device)
    given = {name: torch.tensor(value, device=device)[None] for name, value in (states or {}).items()}
    parameters.update(given)
    cases = _cases(network, parameters, data, list(given), loss)
    return float(score(network, parameters, cases, loss)[0])


def _cases(
    network: IntegerNetwork, parameters: Parameters, data: Data | Cases, trained: list[str], loss: Loss
) -> Cases:
    return Cases.of(network, parameters, data, trained, loss) if isinstance(data, Data) else data


def _line(epoch: int, epochs: int, losses: list[torch.Tensor], scores: list[torch.Tensor]) -> str:
    parts = [f"epoch {epoch + 1} of {epochs}", f"loss {float(losses[-1].mean()):.4f}"]
    return ", ".join([*parts, f"validation {float(scores[-1].mean()):.4f}"] if scores else parts)
