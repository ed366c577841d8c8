"""How integers of weights and biases change: as the device changes them, and what that is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch

from tinycc.errors import TrainingError
from tinycc.ops.bias_update import BOUND as BIAS_BOUND
from tinycc.ops.bias_update import HIGH, LOW
from tinycc.ops.update import RANDOM_BITS
from tinycc.ops.velocity import BIAS_BITS, DECAY_BITS, MOST, WEIGHT_BITS, decay_of
from tinycc.ops.weight_update.view import BOUND as WEIGHT_BOUND
from tinycc.training.channels import trained_elements
from tinycc.training.layers import Layer
from tinycc.training.scaling import banded
from tinycc.training.scheme import Scheme
from tinycc.training.simulation.network import bias_name, weights_name
from tinycc.training.simulation.random_bits import random_bits, uniform
from tinycc.training.simulation.scaled import Scaled
from tinycc.training.simulation.whole_changes import whole_changes

Rounding = Literal["stochastic", "nearest", "truncate", "master"]

# Of a change, before it is an integer.
_BOUNDS = {torch.int8: WEIGHT_BOUND, torch.int32: BIAS_BOUND}

# Behind the point of a velocity that is an integer.
_VELOCITY_BITS = {torch.int8: WEIGHT_BITS, torch.int32: BIAS_BITS}

# Real numbers that hold all of these integers.
_CARRIERS = {torch.int8: torch.float32, torch.int32: torch.float64}


@dataclass(frozen=True)
class GradientDescent:
    """How a gradient becomes a step.

    rounding: "stochastic" and "nearest" are the device's. For comparison, "truncate" drops fractions and
        wraps in eight bits, as TinyEngine's C does; "master" keeps float32 numbers that are rounded for each
        forward pass.
    is_scaled: whether gradients are divided by the square of scales (quantization-aware scaling).
    momentum: of stochastic gradient descent; as on the device the rate is part of what earlier steps leave.
    lowest_weight: -127 where weights are to stay symmetric.
    """

    rounding: Rounding = "stochastic"
    is_scaled: bool = True
    momentum: float = 0.0
    lowest_weight: int = -128

    def __post_init__(self) -> None:
        if self.rounding not in get_args(Rounding):
            raise TrainingError(
                f"no rounding is called {self.rounding!r}: there are {', '.join(get_args(Rounding))}"
            )


@dataclass(eq=False)
class TrainedTensor:
    """Weights or biases that train, in all runs.

    values: int8 or int32 [runs, outputs, ...].
    elements: for each its index in the device's tensor, -1 where it is frozen in a run; int64, broadcasts to
        values.
    number: of the device's tensor in each run, int64 [runs].
    scaling: float32 [outputs], what gradients are multiplied by, beside the rate.
    master: real numbers like `values`; only where the rule has them.
    velocity: what is left of steps before, once there are any and the rule has a momentum: real numbers, or
        int64 as the device has them.
    """

    values: torch.Tensor
    elements: torch.Tensor
    number: torch.Tensor
    scaling: torch.Tensor
    master: torch.Tensor | None = None
    velocity: torch.Tensor | None = None


@dataclass(eq=False)
class Updater:
    """Changes what schemes train, in place, one run beside the other.

    tensors: by parameter. seeds: int64 [runs]. step: how many updates there were.
    """

    rule: GradientDescent
    tensors: dict[str, TrainedTensor]
    seeds: torch.Tensor
    step: int = field(default=0, init=False)

    @classmethod
    def of(
        cls,
        layers: Mapping[str, Layer],
        schemes: Sequence[Scheme],
        seeds: Sequence[int],
        rule: GradientDescent,
        device: torch.device | str = "cpu",
    ) -> "Updater":
        """The state of training before the first step. schemes, seeds: of each run."""
        tensors: dict[str, TrainedTensor] = {}
        numbers = [_numbers(layers, scheme) for scheme in schemes]
        for layer_name, layer in layers.items():
            scales = banded(layer.weight_scales)
            for name, initial, unit in (
                (weights_name(layer_name), layer.weights, scales),
                (bias_name(layer_name), layer.bias, scales * np.float32(layer.source_scale)),
            ):
                if not any(name in places for places in numbers):
                    continue
                scaling = np.float32(1) / unit**2 if rule.is_scaled else np.ones_like(unit)
                elements = [_elements(layer, scheme, name) for scheme in schemes]
                values = torch.tensor(np.stack([initial] * len(schemes)), device=device)
                tensors[name] = TrainedTensor(
                    values,
                    torch.tensor(np.stack(elements), device=device),
                    torch.tensor([places.get(name, 0) for places in numbers], device=device),
                    torch.tensor(scaling.astype(np.float32), device=device),
                    values.to(_CARRIERS[values.dtype]) if rule.rounding == "master" else None,
                )
        return cls(rule, tensors, torch.tensor(list(seeds), device=device))

    @torch.no_grad()
    def update(self, gradients: Mapping[str, torch.Tensor | Scaled], rates: torch.Tensor) -> None:
        """Take a step. rates: float32 [runs].

        gradients: [runs, ...] of each tensor, real numbers; or whole ones of cases, [runs, cases, ...], whose
            mean is taken: where the rounding is the device's, of changes in fixed point, case by case.
        """
        for name, tensor in self.tensors.items():
            gradient = gradients[name]
            if isinstance(gradient, Scaled) and not self._is_of_device:
                gradient = gradient.real().mean(1)
            if isinstance(gradient, Scaled):
                changed = self._changed_by_whole(tensor, gradient, rates)
            else:
                changed = self._changed(tensor, self._delta(tensor, gradient, rates))
            tensor.values.copy_(changed)
        self.step += 1

    def states(self, run: int) -> dict[str, np.ndarray]:
        """What trains in a run, as it is, by parameter."""
        return {
            name: tensor.values[run].cpu().numpy()
            for name, tensor in self.tensors.items()
            if bool((tensor.elements[run] >= 0).any())
        }

    @property
    def _is_of_device(self) -> bool:
        """Whether the device has the rule, too."""
        return self.rule.rounding in ("stochastic", "nearest")

    def _speeds(self, tensor: TrainedTensor, rates: torch.Tensor) -> torch.Tensor:
        """What gradients are multiplied by, float32."""
        outputs = (-1, *(1,) * (tensor.values.ndim - 2))
        return _per_run(rates, tensor.values) * tensor.scaling.reshape(outputs)

    def _delta(self, tensor: TrainedTensor, gradient: torch.Tensor, rates: torch.Tensor) -> torch.Tensor:
        """What is to be taken off, real numbers."""
        bound = _BOUNDS[tensor.values.dtype]
        change = self._speeds(tensor, rates) * gradient.to(torch.float32)
        delta = change.nan_to_num_(0.0, 0.0, 0.0).clamp_(-bound, bound)
        if tensor.velocity is not None:
            delta = (self.rule.momentum * tensor.velocity + delta).clamp_(-bound, bound)
        if self.rule.momentum:
            tensor.velocity = delta
        return torch.where(tensor.elements >= 0, delta, 0.0)

    def _limits(self, tensor: TrainedTensor) -> tuple[int, int]:
        """Of integers."""
        return (self.rule.lowest_weight, 127) if tensor.values.dtype == torch.int8 else (LOW, HIGH)

    def _changed_by_whole(self, tensor: TrainedTensor, gradient: Scaled, rates: torch.Tensor) -> torch.Tensor:
        """The next integers, by the device's fixed point."""
        values, cases = tensor.values, gradient.values.shape[1]
        speeds = self._speeds(tensor, rates / cases)
        if self.rule.momentum or cases > 1:
            bits = _VELOCITY_BITS[values.dtype]
            changes = self._next_velocity(tensor, whole_changes(gradient, speeds, MOST, bits))
        else:
            bits = RANDOM_BITS
            changes = whole_changes(gradient, speeds, int(_BOUNDS[values.dtype]) << bits)[:, 0]
        changes = torch.where(tensor.elements >= 0, changes, 0)
        offset: int | torch.Tensor = 2 ** (RANDOM_BITS - 1)
        if self.rule.rounding == "stochastic":
            numbers = _per_run(tensor.number, values)
            offset = random_bits(_per_run(self.seeds, values), self.step, numbers, tensor.elements)
        return (values - ((changes + (offset >> RANDOM_BITS - bits)) >> bits)).clamp(*self._limits(tensor))

    def _next_velocity(self, tensor: TrainedTensor, changes: torch.Tensor) -> torch.Tensor:
        """What updates before left, and the changes of cases, [runs, cases, ...], one after the other."""
        velocity = torch.zeros_like(changes[:, 0])
        if tensor.velocity is not None:
            product = tensor.velocity * int(decay_of(self.rule.momentum, is_real=False)[0])
            velocity = torch.div(product, 2**DECAY_BITS, rounding_mode="trunc")
        for change in changes.unbind(1):
            velocity = (velocity + change).clamp_(-MOST, MOST)
        if self.rule.momentum:
            tensor.velocity = velocity
        return velocity

    def _changed(self, tensor: TrainedTensor, delta: torch.Tensor) -> torch.Tensor:
        """The next integers."""
        values, is_weights, limits = tensor.values, tensor.values.dtype == torch.int8, self._limits(tensor)
        if tensor.master is not None:
            tensor.master -= delta
            return tensor.master.round().clamp(*limits)
        whole = values.to(torch.int64)
        if self.rule.rounding == "truncate":
            if is_weights:
                return ((values - delta).trunc().to(torch.int64) + 128) % 256 - 128
            return whole - delta.trunc().to(torch.int64)
        offset: float | torch.Tensor = 0.5
        if self.rule.rounding == "stochastic":
            numbers = _per_run(tensor.number, values)
            offset = uniform(_per_run(self.seeds, values), self.step, numbers, tensor.elements)
            # Of frozen ones nothing is left over.
            offset = torch.where(tensor.elements >= 0, offset, 0.5)
        return (whole - (delta + offset).floor().to(torch.int64)).clamp(*limits)


def _per_run(numbers: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """[runs] as it broadcasts to `values`."""
    return numbers.reshape(-1, *(1,) * (values.ndim - 1))


def _numbers(layers: Mapping[str, Layer], scheme: Scheme) -> dict[str, int]:
    """The numbers of the device's tensors, by parameter: weights before the bias, in the scheme's order."""
    names = [
        name
        for layer in scheme.layers
        for name in (weights_name(layer), bias_name(layer))
        if (_elements(layers[layer], scheme, name) >= 0).any()
    ]
    return {name: number for number, name in enumerate(names)}


def _elements(layer: Layer, scheme: Scheme, name: str) -> np.ndarray:
    """See `TrainedTensor.elements`, of a run."""
    part = scheme.layers.get(layer.name)
    if name == bias_name(layer.name):
        count = len(layer.bias)
        return np.arange(count) if part is not None and part.bias else np.full(count, -1)
    return trained_elements(layer, part.weights if part is not None else 0.0)
