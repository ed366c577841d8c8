"""Adapt a network of spoken digits to a speaker whom it never heard: what of training in int8 costs accuracy.

    python -m benchmarks.training_transfer [--corpus PATH] [--quick] [--device cuda] [--markdown PAGE]

The network of models/spoken_digits is trained without one speaker and quantized; then it learns from half
of that speaker's recordings in the integers of the generated C, simulated in torch. For each way of training
the rate is chosen on a tenth of the recordings, and the accuracy is that of the rest: mean and standard error
over seeds. `--quick` needs no corpus and less than a minute: the kept network, which knows all speakers,
learns to name each digit by the next one, from one seed, with two rates and in two epochs.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from benchmarks.tables import table, write_measured
from tests.tools.corpus import ROOT, corpus_folder
from tinycc.training.layers import Layer
from tinycc.training.scheme import LayerScheme, Scheme, fingerprint, full, last_biases, last_layers
from tinycc.training.simulation import (
    Data,
    GradientDescent,
    IntegerNetwork,
    Run,
    Simulated,
    cosine,
    evaluate,
    simulate,
)

SPEAKER = "george"
RATES = (0.003, 0.01, 0.03, 0.1)
# Without scaling, gradients of integers are some 10,000 times too small.
UNSCALED = 1e4
SEEDS = (0, 1, 2)
BATCH = 4
EPOCHS, PRETRAINING_EPOCHS = 8, 20


@dataclass(frozen=True)
class Method:
    """A way of training. scale: of its rates."""

    name: str
    scheme: Scheme
    rule: GradientDescent = field(default_factory=GradientDescent)
    scale: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """accuracies: of the test recordings, one for each seed."""

    method: str
    rate: float
    accuracies: list[float]

    @property
    def mean(self) -> float:
        """Of all seeds."""
        return float(np.mean(self.accuracies))

    @property
    def error(self) -> str:
        """Standard error of the mean, in percent; "" of a single seed."""
        count = len(self.accuracies)
        return f"{100 * np.std(self.accuracies, ddof=1) / np.sqrt(count):.1f}" if count > 1 else ""


def methods(layers: Mapping[str, Layer]) -> list[Method]:
    """All weights with several roundings, and parts of them with the device's."""
    everything, head = full(layers), last_layers(layers, 1)
    pointwise = [name for name, layer in layers.items() if layer.weights.shape[1:3] == (1, 1)]
    half = {
        name: LayerScheme(True, 1.0 if name == pointwise[-1] else 0.5 if name in pointwise else 0.0)
        for name in list(layers)[-6:]
    }
    return [
        Method("head only", head),
        Method("all biases, and the head", last_biases(layers, len(layers))),
        Method("last 4 layers", last_layers(layers, 4)),
        Method("biases of 6 layers, half of pointwise weights", Scheme(half, fingerprint(layers))),
        Method("all", everything),
        Method("all, rounded to nearest", everything, GradientDescent("nearest")),
        Method("all, truncated as in C", everything, GradientDescent("truncate")),
        Method("all, float32 master", everything, GradientDescent("master")),
        Method("all, without scaling", everything, GradientDescent(is_scaled=False), UNSCALED),
    ]


def adapted(
    network: IntegerNetwork, parts: Sequence[Data], method: Method, quick: bool, device: str
) -> Outcome:
    """Train with each rate and seed. parts: to train on, to choose the rate by, to test."""
    seeds, rates = (SEEDS[:1], RATES[1:3]) if quick else (SEEDS, RATES)
    training, choosing, testing = parts
    results = simulate(
        network, training, choosing,
        runs=[Run(seed, rate * method.scale, method.scheme) for rate in rates for seed in seeds],
        epochs=2 if quick else EPOCHS, batch=BATCH, rule=method.rule, schedule=cosine, device=device,
    )  # fmt: skip
    found: dict[float, list[Simulated]] = {}
    for result in results:
        found.setdefault(result.run.rate, []).append(result)
    best = max(found, key=lambda rate: np.mean([result.accuracies[-1] for result in found[rate]]))
    accuracies = [evaluate(network, testing, result.states, device=device) for result in found[best]]
    return Outcome(method.name, best, accuracies)


def other_names() -> tuple[IntegerNetwork, list[Data]]:
    """The kept network, and recordings whose digits are called by the next one, in three parts."""
    folder = ROOT / "models" / "spoken_digits"
    with np.load(folder / "held_out.npz") as kept:
        clips, labels = kept["in0"], (kept["label"].astype(np.int64) + 1) % 10
    parts = [Data([clips[part]], labels[part]) for part in (slice(200), slice(200, 240), slice(240, 300))]
    return IntegerNetwork.load(folder / "spoken_digits.onnx"), parts


def other_speaker(corpus: Path) -> tuple[IntegerNetwork, list[Data]]:
    """The network that never heard the speaker, and that speaker's recordings in three parts."""
    sys.path.insert(0, str(ROOT / "models" / "spoken_digits"))
    import torch
    import train

    torch.set_num_threads(1)
    recordings = train.Recordings(corpus / "data" / "fsdd_8k_int16.npz")
    others, own = recordings.split(SPEAKER)
    with TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        path = Path(folder) / "digits.onnx"
        known = train.train(recordings, others, PRETRAINING_EPOCHS)
        chosen = np.random.default_rng(train.SEED).choice(others, 300, replace=False)
        train.quantise(known, recordings.features(chosen), path)
        network = IntegerNetwork.load(path)
    # Takes are said one after the other: whole takes are in one part.
    take = recordings.index[own]
    places = [own[take % 2 == 0], own[take % 10 == 1], own[(take % 2 == 1) & (take % 10 != 1)]]
    return network, [Data([recordings.features(part)], recordings.label[part]) for part in places]


def page(before: float, outcomes: Sequence[Outcome], counts: Sequence[int]) -> str:
    """The table, and what it stands on."""
    rows = [("before", "", f"{before:.1%}", "")]
    rows += [(item.method, f"{item.rate:g}", f"{item.mean:.1%}", item.error) for item in outcomes]
    headings = ("what trains", "rate", "accuracy", "standard error")
    learned, chosen, tested = counts
    text = f"{learned} recordings are learned from, {chosen} choose the rate, {tested} are the test.\n\n"
    return text + table(headings, rows)


@click.command()
@click.option("--corpus", type=click.Path(path_type=Path), default=corpus_folder)
@click.option("--quick", is_flag=True, help="Less than a minute, without the corpus.")
@click.option("--device", default="cpu", help="Of torch, e.g. cuda.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table into a page.")
def main(corpus: Path, quick: bool, device: str, markdown: Path | None) -> None:
    """See the module."""
    network, parts = other_names() if quick else other_speaker(corpus)
    before = evaluate(network, parts[2], device=device)
    outcomes = []
    for method in methods(network.layers):
        outcomes.append(adapted(network, parts, method, quick, device))
        item = outcomes[-1]
        click.echo(f"{item.method}: {item.mean:.1%} at {item.rate:g}", err=True)
    text = page(before, outcomes, [len(part.targets) for part in parts])
    if markdown is None:
        click.echo(text)
    else:
        write_measured(markdown, text)


if __name__ == "__main__":
    main()
