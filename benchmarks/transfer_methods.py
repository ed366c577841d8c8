"""Ways to train that benchmarks.training_transfer compares, and how one is judged."""

import copy
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from torch import nn

from benchmarks.transfer_task import Task
from tinycc import training
from tinycc.training.layers import Layer
from tinycc.training.scaling import banded
from tinycc.training.scheme import LayerScheme, Scheme, fingerprint, full, last_biases, last_layers
from tinycc.training.simulation import Data, GradientDescent, Run, cosine, evaluate, simulate

# What became of a run: the share of cases that it gets right.
Judge = Callable[[Data], float]
# Without scaling nothing tells how far the rates that suit the layers lie apart.
DECADES = (0.1, 1.0, 10.0)
DEVICE_RULES = (GradientDescent("stochastic"), GradientDescent("nearest"))


@dataclass(frozen=True, eq=False)
class Method:
    """A way of training.

    train: with each seed and rate. rates: to choose from. scheme: what trains; None of the float network.
    is_on_device: whether the generated C trains so, with memory that the planner tells.
    """

    name: str
    train: Callable[[Sequence[Run]], list[Judge]]
    rates: Sequence[float]
    scheme: Scheme | None = None
    is_on_device: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a way of training leads to.

    layers: how many train. arena_bytes: of inference and step together, None where no C trains so.
    choosing: accuracy by rate with the first seed, of the cases to choose by. rate: the best.
    accuracies: of the test cases, one for each seed. seconds: of a processor.
    """

    method: str
    layers: int
    arena_bytes: int | None
    choosing: dict[str, float]
    rate: float
    accuracies: list[float]
    seconds: float


def methods(task: Task, outcomes: Mapping[str, Outcome]) -> Iterator[Method]:
    """All that are compared, one after the other. outcomes: of those that were taken before, by name."""
    layers = task.network.layers
    everything = full(layers)

    def of_scheme(name: str, scheme: Scheme) -> Method:
        return Method(
            name, partial(in_integers, task, scheme), task.rates_of_parts, scheme, is_on_device=True
        )

    def of_rule(name: str, rule: GradientDescent, rates: Sequence[float] = task.rates) -> Method:
        train = partial(in_integers, task, everything, rule=rule)
        return Method(name, train, rates, everything, is_on_device=rule in DEVICE_RULES)

    yield Method("all, in float32", partial(in_float, task), task.rates)
    yield of_rule("all", GradientDescent())
    unscaled, scaling = GradientDescent(is_scaled=False), head_scaling(list(layers.values())[-1])
    rate = outcomes["all"].rate * scaling
    yield of_rule("all, unscaled, at the head's rate", unscaled, [rate])
    yield of_rule("all, unscaled", unscaled, [rate * factor for factor in DECADES])
    yield of_scheme("head", last_layers(layers, 1))
    yield of_scheme("all biases, and the head", last_biases(layers, len(layers)))
    sparse = largest(task, half_of_pointwise, arena_bytes(task, everything) // 4)
    yield of_scheme("sparse, by hand", sparse)
    yield of_scheme("last layers", largest(task, last_layers, arena_bytes(task, sparse)))
    yield of_rule("all, float32 master", GradientDescent("master"))
    yield of_rule("all, rounded to nearest", GradientDescent("nearest"))
    yield of_rule("all, truncated as in C", GradientDescent("truncate"))


def judged(task: Task, method: Method) -> Outcome:
    """Choose the rate with the first seed, then test what it gives with each."""
    start = time.process_time()
    first, *others = task.seeds
    found = method.train([Run(first, rate) for rate in method.rates])
    choosing = [judge(task.choosing) for judge in found]
    best = int(np.argmax(choosing))
    rate = method.rates[best]
    judges = [found[best], *(method.train([Run(seed, rate) for seed in others]) if others else [])]
    accuracies = [judge(task.testing) for judge in judges]
    seconds = time.process_time() - start
    return Outcome(
        method.name,
        len(task.network.layers if method.scheme is None else method.scheme.layers),
        arena_bytes(task, method.scheme) if method.scheme is not None and method.is_on_device else None,
        {f"{rate:g}": accuracy for rate, accuracy in zip(method.rates, choosing, strict=True)},
        rate,
        accuracies,
        round(seconds, 1),
    )


def in_integers(
    task: Task, scheme: Scheme, runs: Sequence[Run], rule: GradientDescent | None = None
) -> list[Judge]:
    """As the generated C trains; `rule` differs from it for comparison."""
    results = simulate(
        task.network, task.learning, runs=[Run(run.seed, run.rate, scheme) for run in runs],
        epochs=task.epochs, batch=task.batch, rule=rule, schedule=cosine, device=task.device,
    )  # fmt: skip
    return [partial(evaluate, task.network, states=result.states, device=task.device) for result in results]


def in_float(task: Task, runs: Sequence[Run]) -> list[Judge]:
    """Plain gradient descent of the float network, over the same cases in the same order."""
    return [partial(_share_right, _trained(task, run)) for run in runs]


def _trained(task: Task, run: Run) -> nn.Module:
    network = copy.deepcopy(task.floating).to(task.device)
    inputs, labels = _tensors(network, task.learning)
    steps = len(labels) // task.batch
    optimizer = torch.optim.SGD(network.parameters(), run.rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: cosine(done / (task.epochs * steps)))
    generator = np.random.default_rng(run.seed)
    for _ in range(task.epochs):
        order = generator.permutation(len(labels))
        for chosen in order[: steps * task.batch].reshape(steps, task.batch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    return network


@torch.no_grad()
def _share_right(network: nn.Module, data: Data) -> float:
    inputs, labels = _tensors(network, data)
    scores = torch.cat([network(part) for part in inputs.split(250)])
    return float((scores.argmax(1) == labels).double().mean())


def _tensors(network: nn.Module, data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and labels where the network is."""
    device = next(network.parameters()).device
    return torch.tensor(data.inputs[0], device=device), torch.tensor(data.targets, device=device)


def half_of_pointwise(layers: Mapping[str, Layer], count: int) -> Scheme:
    """Of the last `count` layers the biases and half of the pointwise weights, and the last one."""
    *others, head = list(layers)[-count:]
    shares = {name: 0.5 if layers[name].weights.shape[1:3] == (1, 1) else 0.0 for name in others}
    parts = {name: LayerScheme(True, share) for name, share in {**shares, head: 1.0}.items()}
    return Scheme(parts, fingerprint(layers))


def largest(task: Task, make: Callable[[Mapping[str, Layer], int], Scheme], most_bytes: int) -> Scheme:
    """Of so many last layers as fit into the memory."""
    layers = task.network.layers
    count = bisect_right(
        range(1, len(layers) + 1), most_bytes, key=lambda count: arena_bytes(task, make(layers, count))
    )
    return make(layers, count)


def arena_bytes(task: Task, scheme: Scheme) -> int:
    """Of inference and training step, by the compiler's planner."""
    parts = tuple((name, part.bias, part.weights) for name, part in scheme.layers.items())
    return _arena_bytes(task, parts)


@lru_cache(1000)
def _arena_bytes(task: Task, parts: tuple[tuple[str, bool, float], ...]) -> int:
    scheme = Scheme({name: LayerScheme(bias, weights) for name, bias, weights in parts})
    return int(training.compile(task.model, scheme=scheme, optimize_for="memory").report["arena_bytes"])


def head_scaling(head: Layer) -> float:
    """What scaling multiplies gradients of the head's weights by, in the median."""
    return float(np.median(1 / banded(head.weight_scales) ** 2))
