"""Measuring what it gains to train parts of a network, in simulation; it needs the extra tinycc[torch]."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from tinycc.errors import InputDataError, TrainingError
from tinycc.training.channels import is_depthwise, trained_channels
from tinycc.training.gradients import GradientType
from tinycc.training.layers import Layer
from tinycc.training.scheme import fingerprint
from tinycc.training.scheme_search.contribution import Contributions, Parts
from tinycc.training.simulation import Data, IntegerNetwork, Run, cosine, simulate
from tinycc.training.simulation.cases import Cases
from tinycc.training.simulation.network import bias_name, weights_name

# What work is shown by while it is done: the items of a list, and what they are called.
Progress: TypeAlias = Callable[[Sequence[Any], str], Iterable[Any]]

SHARES = (0.125, 0.25, 0.5, 1.0)
# For how many depths the gain of biases is measured, where nothing is said.
_DEPTHS = 8


def measure_contributions(
    model: Any,
    training: Data,
    held_out: Data,
    *,
    deepest: int | None = None,
    depths: Sequence[int] | None = None,
    shares: Sequence[float] = SHARES,
    seeds: Sequence[int] = (0, 1, 2),
    rates: Sequence[float] = (0.01,),
    epochs: int = 4,
    batch: int = 4,
    gradients: GradientType = "float",
    path: Path | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Contributions:
    """What parts of a network gain on held-out cases.

    model: of int8, as for `tinycc.compile`, or an IntegerNetwork. training, held_out: cases with labels.
    deepest: how many of the last layers are looked at; all by default. depths: of how many of the last layers
        biases are measured; by default eight that are spread evenly.
    shares: of input channels, for the weights of each of these layers.
    seeds: a run for each. rates: with each of these, of which the best on average counts for each part.
    epochs, batch: of each run; rates fall to 0 along a cosine. gradients: what they are computed in.
    path: a file that is written after each layer; what it holds already is not measured again.
    progress: shows how far the work is.

    Raises TinyccError: what `simulate` does, and TrainingError where the file holds another measurement.
    """
    network = _loaded(model)
    layers = network.layers
    count = len(layers) if deepest is None else deepest
    if not 1 <= count <= len(layers):
        raise TrainingError(f"{count} layers cannot be looked at: the model has {len(layers)} that train")
    chosen = {1, *(depths or np.linspace(1, count, _DEPTHS + 1).round().astype(int).tolist())}
    if not all(1 <= depth <= count for depth in chosen):
        raise TrainingError(f"biases can be measured of 1 to {count} layers, not of {sorted(chosen)}")
    looked_at = list(layers)[-max(chosen) :]
    setup = _measured_with(network, training, held_out) | {
        "seeds": list(seeds),
        "rates": list(rates),
        "epochs": epochs,
        "batch": batch,
        "gradients": gradients,
    }
    measurable = {name: _measurable(layers[name], shares) for name in looked_at[:-1]}
    found = Contributions(setup, sorted(chosen), measurable, _known(setup, path), len(held_out.targets))
    return _measured(found, found.missing, network, (training, held_out), path, device, progress)


def measure_together(
    contributions: Contributions,
    proposed: Sequence[Parts],
    model: Any,
    training: Data,
    held_out: Data,
    *,
    path: Path | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Contributions:
    """The same with more scores: of schemes as they are, measured as contributions were.

    proposed: what trains together. Others are as for `measure_contributions`, and what it was given.
    Raises TrainingError where contributions are of another model or of other data.
    """
    network = _loaded(model)
    others = _other(contributions, _measured_with(network, training, held_out))
    if others:
        raise TrainingError(f"the contributions were measured with other {' and '.join(others)}")
    groups = contributions.unmeasured([[parts] for parts in proposed])
    return _measured(contributions, groups, network, (training, held_out), path, device, progress)


def _measured(
    found: Contributions,
    groups: Sequence[Sequence[Parts]],
    network: IntegerNetwork,
    data: tuple[Data, Data],
    path: Path | None,
    device: torch.device | str,
    progress: Progress | None,
) -> Contributions:
    """With scores of these parts, those of a group trained beside each other."""
    layers, setup = network.layers, found.setup
    looked_at = list(layers)[-max(parts.depth for group in groups for parts in group) :] if groups else []
    cases = [in_front(network, part, looked_at, device) for part in data if groups]
    for group in groups if progress is None else progress(groups, "Contributions"):
        runs = [
            Run(seed, rate, parts.scheme(layers))
            for parts in group
            for rate in setup["rates"]
            for seed in setup["seeds"]
        ]
        results = simulate(
            network, *cases, runs=runs, epochs=setup["epochs"], batch=setup["batch"],
            gradients=setup["gradients"], schedule=cosine, device=device,
        )  # fmt: skip
        accuracies = [result.accuracies[-1] for result in results]
        scores = np.reshape(accuracies, (len(group), len(setup["rates"]), -1)).tolist()
        measured = {parts.name: told for parts, told in zip(group, scores, strict=True)}
        found = replace(found, scores={**found.scores, **measured})
        if path is not None:
            found.save(path)
    return found


def split(data: Data, share: float) -> tuple[Data, Data]:
    """Cases to train on, and a share that is held out, the same ones each time.

    Raises InputDataError where one of both would have none.
    """
    count = len(data.targets)
    if any(len(array) != count for array in data.inputs):
        raise InputDataError(f"there are {count} labels for {len(data.inputs[0])} cases")
    order = np.random.default_rng(0).permutation(count)
    border = count - int(share * count)
    if not 0 < border < count:
        raise InputDataError(f"of {count} cases none can be held out: give more, or others with --test")
    parts = np.sort(order[:border]), np.sort(order[border:])
    return parts_of(data, parts[0]), parts_of(data, parts[1])


def parts_of(data: Data, places: np.ndarray) -> Data:
    """Some of the cases."""
    return Data([array[places] for array in data.inputs], data.targets[places])


def in_front(
    network: IntegerNetwork, data: Data, looked_at: Sequence[str], device: torch.device | str = "cpu"
) -> Cases:
    """Cases, run through all that comes before the layers that are looked at."""
    trained = [name(layer) for layer in looked_at for name in (weights_name, bias_name)]
    return Cases.of(network, network.parameters(device), data, trained, "cross_entropy")


def _measurable(layer: Layer, shares: Sequence[float]) -> list[float]:
    """Those by which different weights train, some at least."""
    if layer.groups > 1 and not is_depthwise(layer):
        return [share for share in shares if share == 1.0]
    counts = {len(trained_channels(layer, share)): share for share in sorted(shares, reverse=True)}
    return sorted(share for channels, share in counts.items() if channels)


def _known(setup: Mapping[str, Any], path: Path | None) -> Mapping[str, Sequence[Sequence[float]]]:
    """The scores that a file holds already."""
    if path is None or not path.exists():
        return {}
    found = Contributions.load(path)
    others = _other(found, setup)
    if others:
        raise TrainingError(
            f"{path} holds contributions of another measurement ({', '.join(others)} differ): "
            "name another file, or delete it"
        )
    return found.scores


def _measured_with(network: IntegerNetwork, training: Data, held_out: Data) -> dict[str, Any]:
    """What tells network and data from others."""
    layers = network.layers
    return {
        "layers": fingerprint(layers),
        "weights": _digest(
            array
            for layer in layers.values()
            for array in (layer.weights, layer.bias, layer.view.requantized.multipliers)
        ),
        "data": _digest([*training.inputs, training.targets]),
        "held out": _digest([*held_out.inputs, held_out.targets]),
    }


def _other(found: Contributions, setup: Mapping[str, Any]) -> list[str]:
    """What of a setup differs from that of measurements."""
    return [name for name, value in setup.items() if found.setup.get(name) != value]


def _loaded(model: Any) -> IntegerNetwork:
    return model if isinstance(model, IntegerNetwork) else IntegerNetwork.load(model)


def _digest(arrays: Iterable[np.ndarray]) -> str:
    """What tells arrays from others."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape};".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
