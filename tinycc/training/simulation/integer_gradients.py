"""Gradients as the device computes them in whole numbers: a walk back through the operators of its own.

An operator's result is the rounded sum of rescaled whole numbers (`Rounded`). Going back, the gradient is
rescaled by the factors, which is all that rounds; from there to the operands torch's autograd in float64 is
exact, as no sum of the device leaves int32, and none over pixels 2**53.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch

from tinycc.errors import TrainingError
from tinycc.graph import Node, Value
from tinycc.ops.max_pool2d.view import MaxPool2D
from tinycc.ops.max_pool_gradient import overlap_bits
from tinycc.ops.softmax.view import Softmax
from tinycc.training.simulation.loss import Loss, losses_of
from tinycc.training.simulation.loss_gradient import loss_gradient
from tinycc.training.simulation.network import IntegerNetwork, Parameters, Values
from tinycc.training.simulation.scaled import Scaled
from tinycc.training.simulation.straight_through import Rounded, is_inside

# A value of the graph, or a parameter by name.
Source = Value | str


@dataclass(frozen=True, eq=False)
class _Step:
    """An operator that has been gone through. leaves: what gradients are wanted of, in order."""

    node: Node
    leaves: list[tuple[Source, torch.Tensor]]
    made: Rounded | torch.Tensor


def integer_gradients(
    network: IntegerNetwork,
    parameters: Parameters,
    values: Values,
    targets: torch.Tensor,
    trained: Collection[str] | None = None,
    *,
    loss: Loss = "cross_entropy",
) -> tuple[torch.Tensor, dict[str, Scaled]]:
    """As `gradients`, but for each case by itself: values [runs, cases, ...], exponents [runs, cases]."""
    names = [name for name in parameters if trained is None or name in trained]
    runs = max(item.shape[0] for item in (targets, *values.values(), *(parameters[name] for name in names)))
    cases = targets.shape[1]
    # Cases have exponents of their own, like runs: each is gone through as one.
    apart = {value: _expanded(tensor, runs).flatten(0, 1)[:, None] for value, tensor in values.items()}
    labels = _expanded(targets, runs).flatten(0, 1)[:, None]
    carriers = {name: tensor.double() for name, tensor in parameters.items()}
    for name in names:
        repeated = _expanded(carriers[name], runs).repeat_interleave(cases, 0)
        carriers[name] = repeated.requires_grad_()
    steps: list[_Step] = []
    changing = network.changing(names)

    def output(node: Node, operands: list[torch.Tensor]) -> torch.Tensor:
        if changing.isdisjoint(node.results):
            return _result(network.made(carriers, node, operands))
        sources: list[tuple[Source, torch.Tensor]] = []
        for index, value in enumerate(node.operands):
            if value in changing:
                operands[index] = operands[index].detach().requires_grad_()
                sources.append((value, operands[index]))
        sources += [(name, carriers[name]) for name in network.parameters_of(node) if name in names]
        steps.append(_Step(node, sources, network.made(carriers, node, operands)))
        return _result(steps[-1].made)

    with torch.enable_grad():
        (integers,) = network.run(apart, torch.float64, [network.logits_value], output)
    start = loss_gradient(network.logits, integers, labels, loss)
    made = steps[-1].made if steps else integers
    if isinstance(made, Rounded):
        # Logits at a bound are wrong by much, and would leave few bits to those that pass gradients on.
        start = torch.where(is_inside(integers, made.bounds), start, 0.0)
    found = _walked(steps, {network.logits_value: Scaled.of(start)})
    means = losses_of(network.logits, integers, labels, loss).reshape(runs, cases).mean(1)
    return means, {name: _of_cases(found.get(name), carriers[name], runs) for name in names}


def _of_cases(found: Scaled | None, parameter: torch.Tensor, runs: int) -> Scaled:
    """With axes of runs and cases; 0 where nothing comes of the parameter."""
    whole = found or Scaled.of(torch.zeros_like(parameter))
    values = whole.values.reshape(runs, -1, *parameter.shape[1:])
    return Scaled(values, whole.exponent.reshape(runs, -1))


def _walked(steps: list[_Step], gradients: dict[Source, Scaled]) -> dict[Source, Scaled]:
    """Gradients of all that nothing was computed from, given those of results; [runs, elements].

    They are added in the order that the compiler has: readers from the last to the first, a reader's operands
    as they come.
    """
    for step in reversed(steps):
        gradient = gradients.pop(step.node.variable, None)
        if gradient is None:
            continue
        for source, part in _of_leaves(step, gradient):
            gradients[source] = gradients[source] + part if source in gradients else part
    return gradients


def _of_leaves(step: _Step, gradient: Scaled) -> Iterator[tuple[Source, Scaled]]:
    """The gradients of an operator's leaves by that of its result."""
    view, made = step.node.view, step.made
    if isinstance(view, Softmax):
        raise TrainingError(f"a softmax with the result {view.outputs[0]} has no gradient in integers")
    if isinstance(made, torch.Tensor):
        shared = overlap_bits(view.window) if isinstance(view, MaxPool2D) else 0
        yield from _taken_back(step, made, gradient.halved(shared))
        return
    passes = is_inside(made.result, made.bounds)
    whole = gradient.reshape(*passes.shape)
    for part in made.parts:
        if part.value.requires_grad:
            yield from _taken_back(step, part.value, whole.rescaled(part, passes))


def _taken_back(step: _Step, value: torch.Tensor, gradient: Scaled) -> Iterator[tuple[Source, Scaled]]:
    """By that of what they linearly make."""
    found = torch.autograd.grad(
        value,
        [leaf for _, leaf in step.leaves],
        gradient.values.double().reshape(value.shape),
        allow_unused=True,
    )
    for (source, _), part in zip(step.leaves, found, strict=True):
        if part is not None:
            yield source, Scaled(part.to(torch.int64).flatten(1), gradient.exponent)


def _expanded(tensor: torch.Tensor, runs: int) -> torch.Tensor:
    return tensor.expand(runs, *tensor.shape[1:])


def _result(made: Rounded | torch.Tensor) -> torch.Tensor:
    return made.result if isinstance(made, Rounded) else made.detach()
