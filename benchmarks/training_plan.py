"""A scheme that is searched for beside the one that MCUNetV3 shipped, at the same memory.

    python -m benchmarks.training_plan [--quick] [--markdown PAGE]

The network is mcunet-5fps of the corpus's graph at 128x128; its head of ten outputs begins with zeros, and
learns the classes 5 to 9 of CIFAR-10 by their own labels. Contributions are measured, and the scheme is
searched for, with training images alone. Then both schemes, and the head alone, are trained from three seeds,
and tested with images that nothing else has seen: mean and standard error. What is measured is kept in
build/training_plan, and a run that was broken off goes on from there. `--quick` does all of it with so few
images that the figures say nothing.
"""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from PIL import Image

from benchmarks.tables import number, table, write_measured
from benchmarks.training_step import scheme as shipped_scheme
from tests.tools.corpus import ROOT, corpus_folder
from tests.tools.tte_graph import TrainingGraph
from tinycc.quantization_options import progress_bar
from tinycc.training.scheme import Scheme, last_biases
from tinycc.training.scheme_search.contribution import Contributions
from tinycc.training.scheme_search.measure import SHARES, in_front, measure_contributions, parts_of
from tinycc.training.scheme_search.search import Found, StepPlanner, search
from tinycc.training.simulation import Data, IntegerNetwork, Run, Simulated, cosine, evaluate, simulate

SIZE = 128
# So many of the last layers does the shipped scheme train something of.
DEEPEST = 21
FOLDER = ROOT / "build" / "training_plan"


@dataclass(frozen=True)
class Setup:
    """How much is done.

    learned, held_out: training images for contributions; in the end both are learned from. tested: images.
    final_epochs: with which schemes are compared.
    """

    learned: int = 512
    held_out: int = 512
    tested: int = 2000
    depths: tuple[int, ...] = (6, 11, 16, 21)
    shares: tuple[float, ...] = SHARES
    seeds: tuple[int, ...] = (0, 1)
    rates: tuple[float, ...] = (0.03, 0.015)
    epochs: int = 1
    final_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    final_rates: tuple[float, ...] = (0.04, 0.02, 0.01, 0.005)
    final_epochs: int = 2
    batch: int = 8


QUICK = Setup(24, 24, 24, (5,), (1.0,), (0,), 1, (0,), 1)


def images(name: str, count: int) -> Data:
    """Images of the classes 5 to 9 of a file of the corpus, chosen by a seed; int8, as the input."""
    with np.load(corpus_folder() / "data" / name) as kept:
        jpeg, offset, label = (kept[key] for key in ("jpeg", "offset", "y"))
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(label >= 5))[:count]
    pictures = [
        Image.open(io.BytesIO(jpeg[offset[index] : offset[index + 1]].tobytes()))
        .convert("RGB")
        .resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        for index in chosen
    ]
    pixels = np.stack([np.asarray(picture).astype(int) for picture in pictures])
    return Data([(pixels[:, np.newaxis] - 128).astype(np.int8)], label[chosen].astype(np.int64))


def network() -> IntegerNetwork:
    """mcunet-5fps, whose head has learned nothing."""
    graph = TrainingGraph.load(corpus_folder())
    zeros = {name: np.zeros_like(graph.parameters[name]) for name in ("v15_weight", "v15_bias")}
    return IntegerNetwork.load(replace(graph, parameters=graph.parameters | zeros).module())


def contributions_of(known: Data, model: IntegerNetwork, setup: Setup, path: Path) -> Contributions:
    """Of the layers that the shipped scheme trains something of."""
    border = setup.learned
    parts = (parts_of(known, np.arange(border)), parts_of(known, np.arange(border, len(known.targets))))
    return measure_contributions(
        model, *parts, depths=setup.depths, shares=setup.shares, seeds=setup.seeds, rates=setup.rates,
        epochs=setup.epochs, batch=setup.batch, path=path, progress=progress_bar,
    )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Of a scheme. accuracies: of test images, for each seed."""

    name: str
    accuracies: list[float]

    @property
    def mean(self) -> float:
        """Of all seeds."""
        return float(np.mean(self.accuracies))

    @property
    def error(self) -> float:
        """The standard error of the mean; 0 of a single seed."""
        count = len(self.accuracies)
        return float(np.std(self.accuracies, ddof=1) / np.sqrt(count)) if count > 1 else 0.0


def trained(model: IntegerNetwork, scheme: Scheme, known: Data, setup: Setup) -> list[Simulated]:
    """From each seed, on all images that are no test images."""
    runs = [Run(seed, setup.rate, scheme) for seed in setup.final_seeds]
    return simulate(model, known, runs=runs, epochs=setup.final_epochs, batch=setup.batch, schedule=cosine)


def compared(model: IntegerNetwork, found: Scheme, known: Data, setup: Setup) -> list[Outcome]:
    """The shipped scheme, the one that was found, and the head alone."""
    schemes = {
        "shipped with MCUNetV3": shipped_scheme(model.layers),
        "found": found,
        "the head alone": last_biases(model.layers, 1),
    }
    results = {name: trained(model, scheme, known, setup) for name, scheme in schemes.items()}
    testing = in_front(model, images("cifar10_jpeg_test9k.npz", setup.tested), list(model.layers)[-DEEPEST:])
    return [
        Outcome(name, [evaluate(model, testing, run.states) for run in runs])
        for name, runs in results.items()
    ]


def page(outcomes: list[Outcome], found: Found, contributions: Contributions, setup: Setup) -> str:
    """Both schemes beside each other, and what the one that was found trains."""
    rows = [[item.name, f"{item.mean:.1%}", f"{100 * item.error:.1f}"] for item in outcomes]
    weights = [
        [layer, f"{share:g}", f"{100 * contributions.weights(layer, share).mean:+.1f}"]
        for layer, share in found.parts.shares.items()
    ]
    known = setup.learned + setup.held_out
    text = (
        f"{setup.learned} images are learned from and {setup.held_out} held out for contributions, from "
        f"{len(setup.seeds)} seeds; {known} are learned from in the end, {setup.final_epochs} times, and "
        f"{setup.tested} are the test.\nThe scheme found takes {number(found.arena_bytes)} bytes and "
        f"trains the biases of {found.parts.depth} layers, the head and {'these' if weights else 'no other'} "
        "weights.\n\n"
    )
    headings = ("scheme", "accuracy", "standard error")
    gains = "\n" + table(("weights of", "share", "gain measured"), weights) if weights else ""
    return text + table(headings, rows) + gains


@click.command()
@click.option("--quick", is_flag=True, help="A few images: the figures say nothing.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the tables into a page.")
def main(quick: bool, markdown: Path | None) -> None:
    """See the module."""
    setup = QUICK if quick else Setup()
    FOLDER.mkdir(parents=True, exist_ok=True)
    model = network()
    known = images("cifar10_jpeg_train50k.npz", setup.learned + setup.held_out)
    contributions = contributions_of(known, model, setup, FOLDER / f"contributions{'_quick' * quick}.json")
    planner = StepPlanner(model.graph.module)
    smallest = replace(planner, optimize_for="memory")
    found = search(planner, contributions, smallest.arena_bytes(shipped_scheme(model.layers), None))
    outcomes = compared(model, found.scheme, known, setup)
    text = page(outcomes, found, contributions, setup)
    if markdown is None:
        click.echo(text)
    else:
        write_measured(markdown, text, "training plan")


if __name__ == "__main__":
    main()
