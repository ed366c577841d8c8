"""A scheme that is searched for beside the one that MCUNetV3 shipped, at the same memory.

    python -m benchmarks.training_plan [--quick] [--markdown PAGE]

The network is mcunet-5fps of the corpus's graph at 128x128; its head of ten outputs begins with zeros, and
learns the classes 5 to 9 of CIFAR-10 by their own labels. Contributions are measured, schemes are proposed by
their sums, and what they learn together on held-out images decides between them; the rate of each scheme is
chosen on these, too. Then both schemes, biases and the head alone are trained from several seeds, and tested
with images that nothing else has seen: mean and standard error. They come from behind in the file of training
images, which the network has never seen either: most of the test file's were read by earlier forms of this
search. Measurements are kept in build/training_plan, and a run that was broken off goes on from there; all
figures are written to benchmarks/results. `--quick` does all of it with so few images that they say nothing.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

from benchmarks.records import RESULTS, processor_name
from benchmarks.tables import number, percent, table, write_measured
from benchmarks.training_step import scheme as shipped_scheme
from tests.tools.corpus import ROOT, corpus_folder
from tests.tools.tte_graph import TrainingGraph
from tinycc.quantization_options import progress_bar
from tinycc.training.scheme import Scheme, last_biases
from tinycc.training.scheme_search.contribution import Contributions
from tinycc.training.scheme_search.finalists import decided, finalists
from tinycc.training.scheme_search.measure import (
    SHARES,
    in_front,
    measure_contributions,
    measure_together,
    parts_of,
)
from tinycc.training.scheme_search.search import Found, StepPlanner, step_model
from tinycc.training.scheme_search.step_model import Budget
from tinycc.training.simulation import Data, IntegerNetwork, Run, Simulated, cosine, evaluate, simulate
from tinycc.training.simulation.cases import Cases

SIZE = 128
# So many of the last layers does the shipped scheme train something of.
DEEPEST = 21
FILE = "cifar10_jpeg_train50k.npz"
FOLDER = ROOT / "build" / "training_plan"
RESULT = RESULTS / "training_plan.json"


@dataclass(frozen=True)
class Setup:
    """How much is done.

    learned, held_out: images for contributions; in the end both are learned from. deciding: images that
    decide between schemes and rates. tested: of those after `unseen`. seeds, rates, epochs: for
    contributions; final ones are for schemes. finalists: how many schemes are compared to find one.
    """

    learned: int = 512
    held_out: int = 512
    deciding: int = 2048
    tested: int = 4000
    unseen: int = 20000
    finalists: int = 10
    depths: tuple[int, ...] = (6, 11, 16, 21)
    shares: tuple[float, ...] = SHARES
    seeds: tuple[int, ...] = (0, 1)
    rates: tuple[float, ...] = (0.03, 0.015)
    epochs: int = 1
    final_seeds: tuple[int, ...] = (0, 1, 2, 3)
    final_rates: tuple[float, ...] = (0.03, 0.015, 0.0075)
    final_epochs: int = 2
    batch: int = 8


QUICK = Setup(
    24, 24, 24, 24, finalists=2, depths=(5,), shares=(1.0,), rates=(0.02,), final_seeds=(0, 1),
    final_rates=(0.02,), final_epochs=1,
)  # fmt: skip


def images(name: str, count: int, skipped: int = 0) -> Data:
    """Images of the classes 5 to 9 of a file of the corpus, in a seed's order; int8, as the input."""
    with np.load(corpus_folder() / "data" / name) as kept:
        jpeg, offset, label = (kept[key] for key in ("jpeg", "offset", "y"))
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(label >= 5))[skipped : skipped + count]
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


def parts(known: Data, setup: Setup) -> tuple[Data, Data]:
    """Those that are learned from, and those that are held out, while the test has not come yet."""
    places = np.arange(len(known.targets))
    return parts_of(known, places[: setup.learned]), parts_of(known, places[setup.learned :])


def contributions_of(known: Data, model: IntegerNetwork, setup: Setup, path: Path) -> Contributions:
    """Of the layers that the shipped scheme trains something of."""
    return measure_contributions(
        model, *parts(known, setup), depths=setup.depths, shares=setup.shares, seeds=setup.seeds,
        rates=setup.rates, epochs=setup.epochs, batch=setup.batch, path=path, progress=progress_bar,
    )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Of a scheme. held_out: accuracy by rate. rate: the best. accuracies: of the test, for each seed."""

    name: str
    held_out: dict[float, float]
    rate: float
    accuracies: list[float]


def outcome_of(
    model: IntegerNetwork,
    name: str,
    scheme: Scheme,
    known: Data,
    deciding: Data,
    testing: Cases,
    setup: Setup,
) -> Outcome:
    """Choose the rate on images that are held out, and test what is learned at it."""

    def trained(learned: Data, held_out: Data | None, runs: list[Run]) -> list[Simulated]:
        return simulate(
            model, learned, held_out, runs=runs, epochs=setup.final_epochs, batch=setup.batch, schedule=cosine
        )

    def run(seed: int, rate: float) -> Run:
        return Run(seed, rate, scheme)

    choices = [run(seed, rate) for rate in setup.final_rates for seed in setup.seeds]
    found = trained(known, deciding, choices)
    means = np.reshape([item.accuracies[-1] for item in found], (len(setup.final_rates), -1)).mean(1)
    held_out = dict(zip(setup.final_rates, means.tolist(), strict=True))
    rate = max(held_out, key=held_out.__getitem__)
    final = trained(known, None, [run(seed, rate) for seed in setup.final_seeds])
    return Outcome(name, held_out, rate, [evaluate(model, testing, item.states) for item in final])


def compared(
    model: IntegerNetwork, found: Scheme, known: Data, deciding: Data, setup: Setup
) -> list[Outcome]:
    """The shipped scheme, the one that was found, and what both are more than."""
    schemes = {
        "shipped with MCUNetV3": shipped_scheme(model.layers),
        "found": found,
        f"biases of {DEEPEST} layers, and the head": last_biases(model.layers, DEEPEST),
        "the head alone": last_biases(model.layers, 1),
    }
    tested = images(FILE, setup.tested, setup.unseen)
    testing = in_front(model, tested, list(model.layers)[-DEEPEST:])
    return [
        outcome_of(model, name, scheme, known, deciding, testing, setup) for name, scheme in schemes.items()
    ]


def page(outcomes: list[Outcome], found: Found, budget_bytes: int, whole: Contributions, setup: Setup) -> str:
    """The schemes beside each other, and those that were proposed. whole: as they were measured."""
    shipped = outcomes[0].accuracies
    rows = [
        [
            item.name,
            f"{item.rate:g}",
            percent(item.accuracies),
            percent([own - other for own, other in zip(item.accuracies, shipped, strict=True)]),
        ]
        for item in outcomes
    ]
    text = (
        f"{setup.learned} images are learned from and {setup.held_out} held out for contributions, from "
        f"{len(setup.seeds)} seeds at rates of {' and '.join(map(str, setup.rates))}.\nSchemes learn from "
        f"{setup.learned + setup.held_out}, {setup.final_epochs} times; {setup.deciding} others decide "
        f"between them and between rates.\nIn the end there are {len(setup.final_seeds)} seeds and "
        f"{setup.tested} test images. The scheme found, {found.parts.name}, takes "
        f"{number(found.arena_bytes)} of {number(budget_bytes)} bytes.\n\n"
    )
    results = table(("scheme", "rate", "accuracy, %", "less shipped"), rows)
    proposed = sorted(whole.scores, key=lambda name: -best_scores(whole.scores[name]).mean())
    decided = [[name, percent(best_scores(whole.scores[name]).tolist())] for name in proposed]
    return f"{text}{results}\n{table(('schemes proposed, and biases', 'held-out accuracy, %'), decided)}"


def best_scores(scores: Sequence[Sequence[float]]) -> np.ndarray:
    """Those of each seed at the best rate."""
    return max(map(np.asarray, scores), key=np.mean)


@click.command()
@click.option("--quick", is_flag=True, help="A few images: the figures say nothing.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the tables into a page.")
def main(quick: bool, markdown: Path | None) -> None:
    """See the module."""
    setup = QUICK if quick else Setup()
    FOLDER.mkdir(parents=True, exist_ok=True)
    model = network()
    known = images(FILE, setup.learned + setup.held_out)
    contributions = contributions_of(known, model, setup, FOLDER / f"contributions{'_quick' * quick}.json")
    planner = StepPlanner(model.graph.module)
    smallest = replace(planner, optimize_for="memory")
    budget_bytes = smallest.arena_bytes(shipped_scheme(model.layers), None)
    budget = Budget(budget_bytes)
    deciding = images(FILE, setup.deciding, setup.learned + setup.held_out)
    kept = FOLDER / f"finalists{'_quick' * quick}.json"
    whole = measure_contributions(
        model, known, deciding, depths=setup.depths, shares=(), seeds=setup.seeds, rates=setup.final_rates,
        epochs=setup.final_epochs, batch=setup.batch, path=kept, progress=progress_bar,
    )  # fmt: skip
    proposed = finalists(
        planner, contributions, budget, sums=step_model(planner, contributions), most=setup.finalists
    )
    whole = measure_together(whole, proposed, model, known, deciding, path=kept, progress=progress_bar)
    found = decided(planner, whole, proposed, budget)
    outcomes = compared(model, found.scheme, known, deciding, setup)
    text = page(outcomes, found, budget_bytes, whole, setup)
    if not quick:
        content = {
            "command": "python -m benchmarks.training_plan",
            "hardware": f"{processor_name()}, one thread",
            "torch": torch.__version__,
            "setup": asdict(setup),
            "budget_bytes": budget_bytes,
            "arena_bytes": found.arena_bytes,
            "parts": asdict(found.parts),
            "outcomes": [asdict(item) for item in outcomes],
            "contributions": asdict(contributions),
            "finalists": asdict(whole),
        }
        RESULT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if markdown is None:
        click.echo(text)
    else:
        write_measured(markdown, text, "training plan")


if __name__ == "__main__":
    main()
