"""Networks that are searched for beside those that are scaled by hand, within the same limits of a board.

    python -m benchmarks.network_search TASK [--way NAME ...] [--seeds 3] [--device cuda] [--markdown PAGE]

Tasks are "speech", spoken digits of speakers whom nobody has heard, "images-sram" and "images-flash". All
networks are chosen by cases held out of training, trained anew from several seeds with all of them, as long,
quantized and compiled; the accuracy is that of the compiled network with cases that nothing else has seen:
mean and standard error.

Ways to find a network: evolution in the supernet; the best of as many networks drawn at random; evolution
whose SRAM is that of whole tensors, and of an interpreter; and the best of a grid of networks by hand, each
as wide as the limits allow. Finalists of a search are trained as networks of a grid are. What is found out is
kept in the working folder and in benchmarks/results, and is not found out again. Several processes may take
different ways, those that search once there is a supernet.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import torch

from benchmarks import network_search_images, network_search_speech
from benchmarks.kept_results import KeptResults
from benchmarks.network_search_task import SearchTask
from benchmarks.records import RESULTS, processor_name
from benchmarks.tables import number, percent, table, write_measured
from tests.tools.corpus import ROOT
from tinycc.errors import BudgetError
from tinycc.quantization_options import progress_bar
from tinycc.search.architecture import Architecture
from tinycc.search.batches import Batches, accuracy
from tinycc.search.data import Data
from tinycc.search.front_files import described
from tinycc.search.hand_off import HandOff, handed_off
from tinycc.search.memory_models import Memory
from tinycc.search.normalization import normalization_of
from tinycc.search.pipeline import (
    Method,
    SearchOptions,
    chosen_space,
    ranking,
    searched,
    supernet_accuracy,
)
from tinycc.search.retraining import trained

TASKS: dict[str, Callable[[], SearchTask]] = {
    "speech": network_search_speech.task,
    **{name: partial(network_search_images.task, name) for name in network_search_images.LIMITS},
}
FOLDER = ROOT / "build" / "network_search"

# Ways to search in the supernet: the method, and whose SRAM is meant.
SEARCHES: dict[str, tuple[Method, Memory]] = {
    "searched": ("evolution", "compiler"),
    "best of as many drawn": ("random", "compiler"),
    "searched, whole tensors": ("evolution", "whole tensors"),
    "searched, an interpreter": ("evolution", "interpreter"),
}


@dataclass(frozen=True)
class Entry:
    """A network that is compared. held_out: accuracy where it was chosen, trained alone."""

    name: str
    network: str
    held_out: float
    architecture: Architecture


@dataclass(frozen=True)
class Outcome:
    """Of a network: costs as compiled from the first seed, accuracies in float and as compiled by seed.

    hardware, torch: that it was trained with.
    """

    name: str
    network: str
    architecture: str
    held_out: float
    sram_bytes: int
    flash_bytes: int
    macs: int
    instructions: int
    reasons: list[str]
    float_accuracies: list[float]
    int8_accuracies: list[float]
    hardware: str
    torch: str


class Bench:
    """A task, and all that is known of it."""

    def __init__(self, name: str, device: str, work: Path) -> None:
        self._task, self._device = TASKS[name](), device
        self._work = work / name
        self._work.mkdir(parents=True, exist_ok=True)
        self._options = replace(self._task.options, device=device)
        about = {"spaces": list(self._task.spaces)} | described_options(self._task.options)
        path = RESULTS / f"network_search_{name}.json"
        self._kept = KeptResults(path, {**self._task.setting, **about})

    def run(self, names: Sequence[str], seeds: int) -> None:
        """Find and compare those ways that are not known yet; all where there is no name."""
        for name in names or self._task.ways:
            if name not in self._task.ways:
                raise click.UsageError(f"{name} is none of: {', '.join(self._task.ways)}")
            begun = time.monotonic()
            self._compare(name, self._best_of_grid if name in self._task.by_hand else self._searched, seeds)
            # What was known already takes no time, and says nothing of what it took.
            if spent := round(time.monotonic() - begun):
                self._kept.add(self.wall_seconds().get(name, 0) + spent, "wall_seconds", name)

    def wall_seconds(self) -> dict[str, int]:
        """What ways took, by name, of all runs together; the first search has trained the supernet, too."""
        return dict(self._kept.part("wall_seconds"))

    def nothing(self) -> dict[str, str]:
        """Why searches found nothing, by name."""
        return dict(self._kept.part("nothing"))

    def outcomes(self) -> list[Outcome]:
        """Of all that was compared, the first being what others are less."""
        kept = self._kept.part("outcomes")
        return [Outcome(name, **kept[name]) for name in self._task.ways if name in kept]

    def _compare(self, name: str, find: Callable[[str], Entry | None], seeds: int) -> None:
        outcome = self._kept.part("outcomes", name)
        done = len(outcome.get("int8_accuracies", []))
        if done >= seeds or name in self._kept.part("nothing"):
            return
        entry = find(name)
        if entry is None:
            return
        for other in self._kept.part("outcomes").values():
            # The same network, of the same seeds, need not be trained again.
            if not outcome and other["architecture"] == repr(entry.architecture):
                outcome = {**other, "held_out": entry.held_out}
                done = len(outcome["int8_accuracies"])
                self._kept.add(outcome, "outcomes", name)
        for seed in range(done, seeds):
            result = self._handed_off(entry, seed)
            first = {
                "network": entry.network,
                "architecture": repr(entry.architecture),
                "held_out": entry.held_out,
                **asdict(result.costs.compiled),
                "reasons": list(result.costs.reasons),
                "float_accuracies": [],
                "int8_accuracies": [],
                "hardware": processor_name() if self._device == "cpu" else torch.cuda.get_device_name(),
                "torch": torch.__version__,
            }
            outcome = outcome or first
            outcome["float_accuracies"].append(result.float_accuracy)
            outcome["int8_accuracies"].append(result.int8_accuracy)
            self._kept.add(outcome, "outcomes", name)

    def _searched(self, name: str) -> Entry | None:
        method, memory = SEARCHES[name]
        task = self._task
        constraints = replace(task.options.constraints, memory=memory)
        options = replace(self._options, method=method, constraints=constraints)
        space_name, drawn = chosen_space(
            task.spaces, replace(options, constraints=task.options.constraints), self._work / "space.json",
            progress_bar,
        )  # fmt: skip
        space = task.spaces[space_name]
        self._kept.add(space_name, "space")
        known = {
            key: {"acceptance": item.acceptance, "mean_macs": item.mean_macs} for key, item in drawn.items()
        }
        self._kept.add(known, "spaces")
        rate = supernet_accuracy(
            space, task.learned, task.held_out, self._options, self._work / "supernet.pt", progress_bar
        )
        try:
            found = searched(space, rate, options, self._work / f"{name}.json", progress_bar)
        except BudgetError as error:
            self._kept.add(str(error), "nothing", name)
            return None
        alone, _ = ranking(
            space, found, task.learned, task.held_out, options, self._work / f"{name} finalists.json",
            progress_bar,
        )  # fmt: skip
        known_alone = [
            {
                "network": described(space, item.candidate.genome),
                "supernet": item.candidate.accuracy,
                "alone": item.accuracy,
            }
            for item in alone
        ]
        self._kept.add(known_alone, "finalists", name)
        best = alone[0].candidate
        return Entry(name, described(space, best.genome), alone[0].accuracy, space.architecture(best.genome))

    def _best_of_grid(self, name: str) -> Entry | None:
        """The network by hand that is most accurate on held-out cases, trained alone on the others."""
        task = self._task
        judge = task.options.constraints.judge()
        known = dict(self._kept.part("grids", name))
        best: tuple[float, str, Architecture] | None = None
        for label, widths in progress_bar(list(task.by_hand[name].items()), name):
            fitting = [item for item in widths if judge.allowed(item) is not None]
            if not fitting:
                continue
            architecture = max(fitting, key=lambda item: item.weight_bytes)
            network = f"{label}, {architecture.shapes[0][-1]} channels first"
            if network not in known:
                known[network] = self._alone(architecture)
                self._kept.add(known[network], "grids", name, network)
            if best is None or known[network] > best[0]:
                best = known[network], network, architecture
        return None if best is None else Entry(name, best[1], best[0], best[2])

    def _alone(self, architecture: Architecture) -> float:
        task, size = self._task, architecture.input_shape[:2]
        learned, held_out = task.learned.resized(size), task.held_out.resized(size)
        normalization = normalization_of(learned)
        training = task.options.finalist_training or task.options.training
        network = trained(architecture, learned, normalization, training, device=self._device)
        return accuracy(network, Batches(held_out, normalization, torch.device("cpu")))

    def _handed_off(self, entry: Entry, seed: int) -> HandOff:
        """Trained with all cases but those of the test, within the limits."""
        task = self._task
        with TemporaryDirectory() as folder:
            return handed_off(
                entry.architecture, Data(task.train, task.test), task.options.constraints,
                Path(folder) / "out", training=task.options.training,
                quantized_training=task.options.quantized, seed=seed, device=self._device,
                checkpoint=self._work / f"{entry.name} {seed}.pt", progress=progress_bar,
            )  # fmt: skip


def described_options(options: SearchOptions) -> dict[str, Any]:
    """As JSON."""
    content = asdict(options)
    for name in ("training", "finalist_training", "quantized"):
        if content[name] is not None:
            content[name]["augmentation"] = options.training.augmentation.__name__
    return content


def page(outcomes: list[Outcome], nothing: Mapping[str, str], wall_seconds: Mapping[str, int]) -> str:
    """The networks beside each other. nothing: why there is none, by name. wall_seconds: spent, by name."""
    searched_ones = next((item for item in outcomes if item.name == "searched"), None)

    def row(item: Outcome) -> list[str]:
        less = ""
        if searched_ones is not None and item is not searched_ones:
            pairs = zip(searched_ones.int8_accuracies, item.int8_accuracies, strict=False)
            less = percent([own - other for own, other in pairs])
        return [
            item.name, number(item.sram_bytes), number(item.flash_bytes), number(item.macs),
            number(item.instructions), f"{100 * item.held_out:.1f}", percent(item.float_accuracies),
            percent(item.int8_accuracies), less,
        ]  # fmt: skip

    columns = (
        "network", "SRAM", "constants", "MACs", "instructions", "held out, %", "test in float, %",
        "test as compiled, %", "searched is better by",
    )  # fmt: skip
    names = "".join(f"- {item.name}: {item.network}\n" for item in outcomes)
    names += "".join(f"- {name}: {reason}\n" for name, reason in nothing.items())
    minutes = "; ".join(
        f"{name} {seconds / 60:.0f}" for name, seconds in wall_seconds.items() if name not in nothing
    )
    hardware = " and ".join(dict.fromkeys(item.hardware for item in outcomes))
    took = f"\nMinutes, one thread of {hardware} with others beside it: {minutes}.\n"
    return table(columns, [row(item) for item in outcomes]) + "\n" + names + took


@click.command()
@click.argument("name", metavar="TASK", type=click.Choice(list(TASKS)))
@click.option("--way", "ways", multiple=True, help="One of them, or more; all if nothing is said.")
@click.option("--seeds", type=click.IntRange(2), default=3, show_default=True, help="Of the last training.")
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="Of torch.")
@click.option("--work", type=click.Path(path_type=Path), default=FOLDER, help="Where parts are kept.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table into a page.")
def main(
    name: str, ways: tuple[str, ...], seeds: int, device: str, work: Path, markdown: Path | None
) -> None:
    """See the module."""
    bench = Bench(name, device, work)
    bench.run(ways, seeds)
    text = page(bench.outcomes(), bench.nothing(), bench.wall_seconds())
    if markdown is None:
        click.echo(text)
    else:
        write_measured(markdown, text, f"search of {name}")


if __name__ == "__main__":
    main()
