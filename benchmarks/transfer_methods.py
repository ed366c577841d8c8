"""Ways to train that benchmarks.training_transfer compares, and how one is judged."""

import copy
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from torch import nn

from benchmarks.transfer_task import Task
from tinycc import training
from tinycc.training.gradients import GradientType
from tinycc.training.layers import Layer
from tinycc.training.planned_step import forward_of
from tinycc.training.scaling import banded
from tinycc.training.scheme import LayerScheme, Scheme, fingerprint, full, last_biases, last_layers
from tinycc.training.scheme_search.finalists import decided, finalists
from tinycc.training.scheme_search.measure import measure_contributions, measure_together
from tinycc.training.scheme_search.search import StepPlanner, step_model
from tinycc.training.scheme_search.step_model import Budget
from tinycc.training.simulation import Data, GradientDescent, Run, cosine, evaluate, simulate
from tinycc.training.simulation.update import Rounding

# What became of a run: the share of cases that it gets right.
Judge = Callable[[Data], float]


@dataclass(frozen=True, eq=False)
class Method:
    """A way of training.

    train: with each seed and rate. rates: to choose from. scheme: what trains; None of the float network.
    gradients: of the generated C that trains so, whose memory the planner tells; None where there is none.
    """

    train: Callable[[Sequence[Run]], list[Judge]]
    rates: Sequence[float]
    scheme: Scheme | None = None
    gradients: GradientType | None = None


@dataclass(frozen=True)
class Outcome:
    """What a way of training leads to.

    layers: how many train. arena_bytes: of inference and step together, None where no C trains so.
    choosing: accuracy by rate with the first seed, of the cases to choose by; {} where there is no choice.
    rate: the best.
    accuracies: of the test cases, one for each seed. seconds: of a processor.
    """

    method: str
    layers: int
    arena_bytes: int | None
    choosing: dict[str, float]
    rate: float
    accuracies: list[float]
    seconds: float


def methods(task: Task, outcomes: Mapping[str, Outcome]) -> dict[str, Callable[[], Method]]:
    """All that are compared, by name, to be made one after the other. outcomes: of those that came before."""
    layers = task.network.layers
    everything = full(layers)

    def by_rule(rule: GradientDescent, rates: Sequence[float], gradients: GradientType | None) -> Method:
        return Method(partial(in_integers, task, everything, rule=rule), rates, everything, gradients)

    def at_one_rate(rounding: Rounding, gradients: GradientType | None) -> Method:
        return by_rule(GradientDescent(rounding), [outcomes["all"].rate], gradients)

    def unscaled(*factors: float) -> Method:
        rate = outcomes["all"].rate * head_scaling(list(layers.values())[-1])
        return by_rule(GradientDescent(is_scaled=False), [rate * factor for factor in factors], None)

    def in_whole_numbers() -> Method:
        train = partial(in_integers, task, everything, gradients="integer")
        return Method(train, [outcomes["all"].rate], everything, "integer")

    def part(scheme: Scheme) -> Method:
        return Method(partial(in_integers, task, scheme), task.rates_of_parts, scheme, "float")

    def quarter() -> int:
        return arena_bytes(task, everything) // 4

    return {
        "all, in float32": lambda: Method(partial(in_float, task), task.rates),
        "all": lambda: by_rule(GradientDescent(), task.rates, "float"),
        "all, unscaled, at the head's rate": lambda: unscaled(1.0),
        "head": lambda: part(last_layers(layers, 1)),
        "all biases, and the head": lambda: part(last_biases(layers, len(layers))),
        "last layers": lambda: part(largest(task, last_layers, quarter())),
        "sparse, by hand": lambda: part(largest(task, half_of_pointwise, quarter())),
        "sparse, searched": lambda: part(searched(task, quarter(), outcomes["sparse, by hand"].rate)),
        "all, float32 master": lambda: at_one_rate("master", None),
        "all, gradients in integers": in_whole_numbers,
        "all, truncated as in C": lambda: at_one_rate("truncate", None),
        "all, rounded to nearest": lambda: at_one_rate("nearest", "float"),
        # Nothing tells how far the rates that suit the layers lie apart.
        "all, unscaled": lambda: unscaled(0.01, 0.1, 1.0),
    }


def judged(task: Task, name: str, method: Method) -> Outcome:
    """Choose the rate with the first seed, where there is a choice, then test what it gives with each."""
    start = time.process_time()
    rate, choosing = method.rates[0], {}
    judges: list[Judge] = []
    if len(method.rates) > 1:
        found = method.train([Run(task.seeds[0], rate) for rate in method.rates])
        choosing = {rate: judge(task.choosing) for rate, judge in zip(method.rates, found, strict=True)}
        rate = max(choosing, key=choosing.__getitem__)
        judges.append(found[method.rates.index(rate)])
    judges += method.train([Run(seed, rate) for seed in task.seeds[len(judges) :]])
    accuracies = [judge(task.testing) for judge in judges]
    seconds = time.process_time() - start
    return Outcome(
        name,
        len(task.network.layers if method.scheme is None else method.scheme.layers),
        arena_bytes(task, method.scheme, method.gradients) if method.scheme and method.gradients else None,
        {f"{rate:g}": accuracy for rate, accuracy in choosing.items()},
        rate,
        accuracies,
        round(seconds, 1),
    )


def in_integers(
    task: Task,
    scheme: Scheme,
    runs: Sequence[Run],
    rule: GradientDescent | None = None,
    gradients: GradientType = "float",
) -> list[Judge]:
    """As the generated C trains; `rule` differs from it for comparison."""
    results = simulate(
        task.network, task.learning, runs=[Run(run.seed, run.rate, scheme) for run in runs],
        epochs=task.epochs, batch=task.batch, schedule=cosine, gradients=gradients, rule=rule,
        device=task.device,
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


def searched(task: Task, most_bytes: int, rate: float) -> Scheme:
    """What gains most on the cases to choose by, of the layers whose biases fit into the memory."""
    contributions = measure_contributions(
        task.network, task.learning, task.choosing,
        deepest=len(largest(task, last_biases, most_bytes).layers),
        rates=[rate], batch=task.batch, device=task.device, **task.contributions,
    )  # fmt: skip
    planner = StepPlanner(forward_of(task.model), optimize_for="memory")
    budget = Budget(most_bytes)
    proposed = finalists(planner, contributions, budget, sums=step_model(planner, contributions))
    known = measure_together(
        contributions, proposed, task.network, task.learning, task.choosing, device=task.device
    )
    return decided(planner, known, proposed, budget).scheme


def arena_bytes(task: Task, scheme: Scheme, gradients: GradientType = "float") -> int:
    """Of inference and training step, by the compiler's planner."""
    parts = tuple((name, part.bias, part.weights) for name, part in scheme.layers.items())
    return _arena_bytes(task, parts, gradients)


@lru_cache(1000)
def _arena_bytes(task: Task, parts: tuple[tuple[str, bool, float], ...], gradients: GradientType) -> int:
    scheme = Scheme({name: LayerScheme(bias, weights) for name, bias, weights in parts})
    compiled = training.compile(task.model, scheme=scheme, gradients=gradients, optimize_for="memory")
    return int(compiled.report["arena_bytes"])


def head_scaling(head: Layer) -> float:
    """What scaling multiplies gradients of the head's weights by, in the median."""
    return float(np.median(1 / banded(head.weight_scales) ** 2))
