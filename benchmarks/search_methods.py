"""Evolution and NSGA-II beside networks drawn at random, in one trained supernet, as many looked at by each.

    python -m benchmarks.search_methods TASK [--seeds 5] [--work FOLDER] [--markdown PAGE]

Tasks are those of `benchmarks.network_search`, whose supernet is taken from the working folder, or trained.
What is compared is the best accuracy on held-out cases, and, of those that seek a front, its hypervolume:
accuracy above chance times what is left of SRAM, constants and instructions, as shares of what the dearest
network of all takes. Seeds are those of searches; the test is Mann and Whitney's, exact, of whether a
method is better than drawing.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from pymoo.indicators.hv import HV
from scipy.stats import PermutationMethod, mannwhitneyu

from benchmarks.network_search import FOLDER, TASKS
from benchmarks.records import RESULTS, processor_name
from benchmarks.tables import percent, table, write_measured
from tinycc.quantization_options import progress_bar
from tinycc.search.front import Candidate
from tinycc.search.pipeline import Method, chosen_space, searched, supernet_accuracy

# Networks drawn at random are the first generation of a front that has no other.
METHODS: dict[str, Method] = {"random": "front", "evolution": "evolution", "NSGA-II": "front"}


def found_by(name: str, seeds: Sequence[int], work: Path, device: str) -> dict[str, list[list[Candidate]]]:
    """For each method and seed the networks that were looked at."""
    task = TASKS[name]()
    options = replace(task.options, device=device)
    folder = work / name
    space_name, _ = chosen_space(task.spaces, options, folder / "space.json", progress_bar)
    space = task.spaces[space_name]
    accuracy = supernet_accuracy(
        space, task.learned, task.held_out, options, folder / "supernet.pt", progress_bar
    )
    evolution = options.evolution
    count = evolution.population * (evolution.generations + 1)
    drawing = replace(evolution, population=count, generations=0)
    return {
        label: [
            searched(
                space, accuracy,
                replace(
                    options, method=method, seed=seed, evolution=drawing if label == "random" else evolution
                ),
                folder / f"{label} {seed}.json", progress_bar,
            )
            for seed in seeds
        ]
        for label, method in METHODS.items()
    }  # fmt: skip


def hypervolumes(found: dict[str, list[list[Candidate]]], chance: float) -> dict[str, list[float]]:
    """Of each front, from 0 to 1, by one reference. chance: the accuracy that is worth 0."""
    objectives = {
        label: [np.array([item.objectives for item in candidates]) for candidates in runs]
        for label, runs in found.items()
        if METHODS[label] == "front"
    }
    most = np.max([values.max(0) for runs in objectives.values() for values in runs], axis=0)

    def scaled(values: np.ndarray) -> np.ndarray:
        costs = values[:, 1:] / most[1:]
        return np.column_stack([(values[:, 0] + chance) / (1 - chance), costs])

    measure: Callable[[np.ndarray], float] = HV(ref_point=np.array([0.0, 1.0, 1.0, 1.0]))
    return {label: [float(measure(scaled(values))) for values in runs] for label, runs in objectives.items()}


def page(bests: dict[str, list[float]], volumes: dict[str, list[float]], looked_at: int) -> str:
    """Both measures of all methods, and how likely as much of a difference is by chance."""

    def better(values: dict[str, list[float]], label: str) -> list[str]:
        """Mean and error, and the probability."""
        if label not in values:
            return ["", ""]
        if label == "random":
            return [percent(values[label]), ""]
        # All ways to part ten or so results in two, as some are equal.
        test = mannwhitneyu(
            values[label],
            values["random"],
            alternative="greater",
            method=PermutationMethod(n_resamples=100_000),
        )
        return [percent(values[label]), f"{test.pvalue:.3f}"]

    columns = ("method", "best, %", "p", "hypervolume, %", "p")
    return f"{looked_at} networks are looked at by each search.\n\n" + table(
        columns, [[label, *better(bests, label), *better(volumes, label)] for label in bests]
    )


@click.command()
@click.argument("name", metavar="TASK", type=click.Choice(list(TASKS)))
@click.option("--seeds", type=click.IntRange(2), default=5, show_default=True)
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="Of torch.")
@click.option("--work", type=click.Path(path_type=Path), default=FOLDER, help="Where parts are kept.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table into a page.")
def main(name: str, seeds: int, device: str, work: Path, markdown: Path | None) -> None:
    """See the module."""
    found = found_by(name, range(seeds), work, device)
    bests = {
        label: [max(item.accuracy for item in candidates) for candidates in runs]
        for label, runs in found.items()
    }
    volumes = hypervolumes(found, 1 / 10)
    text = page(bests, volumes, len(found["random"][0]))
    content = {
        "command": f"python -m benchmarks.search_methods {name}",
        "hardware": processor_name() if device == "cpu" else torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "best": bests,
        "hypervolume": volumes,
    }
    (RESULTS / f"search_methods_{name}.json").write_text(
        json.dumps(content, indent=1) + "\n", encoding="utf-8"
    )
    if markdown is None:
        click.echo(text)
    else:
        write_measured(markdown, text, f"methods on {name}")


if __name__ == "__main__":
    main()
