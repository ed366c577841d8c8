"""What of training in int8 costs accuracy: networks learn what they did not know, in the integers of the C.

    python -m benchmarks.training_transfer [TASK ...] [--cache FOLDER] [--device cuda] [--markdown PAGE]
    python -m benchmarks.training_transfer --quick

Tasks are "images" (a network that knows five classes of CIFAR-10 learns the others) and "speech" (one of
spoken digits learns from a speaker whom it never heard). Each way of training is simulated in torch; its rate
is chosen on cases held out of training, with one seed, and the accuracy is that of the test cases: mean and
standard error over seeds. Memory is of the compiler's plan.

The networks that know the old are trained at first, and kept in the cache. Outcomes are kept in
benchmarks/results as they are found, and what is there is not measured again. `--markdown` writes them into
a page. `--quick` takes less than a minute with a small network, needs no corpus and keeps nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import torch

from benchmarks import transfer_images, transfer_quick, transfer_speech
from benchmarks.records import RESULTS, processor_name
from benchmarks.tables import number, percent, table, write_measured
from benchmarks.transfer_methods import Outcome, judged, methods
from benchmarks.transfer_task import Task
from tinycc.training.simulation import evaluate

CACHE = Path.home() / ".cache" / "tinycc-benchmarks"
TASKS: dict[str, Callable[[Path, str], Task]] = {
    "images": transfer_images.task,
    "speech": transfer_speech.task,
}

# What ought to hold: the accuracy of the first is that of the second and more than so many points.
CLAIMS = (
    ("all", "all, in float32", -1.0),
    ("all", "all, unscaled, at the head's rate", 5.0),
    ("all", "all, unscaled", 5.0),
    ("all", "all, float32 master", -1.0),
    ("all, gradients in integers", "all", -1.0),
    ("sparse, searched", "all", -1.0),
    ("sparse, searched", "all biases, and the head", 0.0),
    ("sparse, searched", "last layers", 0.0),
    ("sparse, searched", "sparse, by hand", 0.0),
)


def settings_of(task: Task) -> dict[str, Any]:
    """What outcomes depend on, beside the code; `before` is the accuracy without training."""
    return {
        "learning": len(task.learning.targets),
        "choosing": len(task.choosing.targets),
        "testing": len(task.testing.targets),
        "batch": task.batch,
        "epochs": task.epochs,
        "seeds": list(task.seeds),
        "before": evaluate(task.network, task.testing, device=task.device),
    }


def measured(task: Task, path: Path) -> str:
    """The tables of all methods. path: a file that keeps outcomes."""
    settings = settings_of(task)
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known = kept["outcomes"] if kept.get("settings") == settings else []
    outcomes = {item["method"]: Outcome(**item) for item in known}
    compared = methods(task, outcomes)
    for name, make in compared.items():
        if name in outcomes:
            continue
        item = outcomes[name] = judged(task, name, make())
        click.echo(f"{item.method}: {percent(item.accuracies)} at {item.rate:g}, {item.seconds} s", err=True)
        content = {
            "command": "python -m benchmarks.training_transfer",
            "hardware": f"{processor_name()}, one thread" if task.device == "cpu" else task.device,
            "torch": torch.__version__,
            "settings": settings,
            "outcomes": [asdict(each) for each in outcomes.values()],
        }
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return page(settings, {name: outcomes[name] for name in compared})


def differences(first: Outcome, second: Outcome) -> list[float]:
    """Of accuracies, seed by seed."""
    return [a - b for a, b in zip(first.accuracies, second.accuracies, strict=True)]


def page(settings: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> str:
    """The tables, and what they stand on."""
    rows = [
        [
            item.method,
            str(item.layers),
            number(item.arena_bytes),
            f"{item.rate:.3g}",
            percent(item.accuracies),
            percent(differences(item, outcomes["all"])),
        ]
        for item in outcomes.values()
    ]
    held = [
        [
            f"{first}, less {second}",
            f"more than {least:g}",
            percent(differences(outcomes[first], outcomes[second])),
            "yes" if 100 * np.mean(differences(outcomes[first], outcomes[second])) > least else "**no**",
        ]
        for first, second, least in CLAIMS
        if first in outcomes and second in outcomes
    ]
    headings = ["what trains", "layers", "arena, bytes", "rate", "accuracy, %", "less all"]
    return "\n".join(
        [
            "{learning} cases are learned from in {epochs} epochs, {batch} to a step; {choosing} choose the "
            "rate, {testing} are the test. Before, {before:.1%} are right.\n".format(**settings),
            table(headings, rows),
            table(["points", "aim", "found", "holds"], held),
        ]
    )


@click.command()
@click.argument("names", metavar="[TASK ...]", nargs=-1, type=click.Choice(list(TASKS)))
@click.option("--quick", is_flag=True, help="Less than a minute, without the corpus.")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, help="Of trained networks.")
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="Of torch.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the tables into a page.")
def main(names: tuple[str, ...], quick: bool, cache: Path, device: str, markdown: Path | None) -> None:
    """See the module."""
    torch.set_num_threads(1)
    if quick:
        with TemporaryDirectory() as folder:
            click.echo(measured(transfer_quick.task(device), Path(folder) / "outcomes.json"))
        return
    for name in names or TASKS:
        text = measured(TASKS[name](cache, device), RESULTS / f"training_transfer_{name}.json")
        if markdown is None:
            click.echo(text)
        else:
            write_measured(markdown, text, f"transfer of {name}")


if __name__ == "__main__":
    main()
