"""A front as a table and as a picture."""

import csv
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

from matplotlib.figure import Figure

from tinycc.output_file import new_file
from tinycc.search.architecture import Pair
from tinycc.search.cost import Cost
from tinycc.search.figures import save_figure
from tinycc.search.front import Candidate, front_of
from tinycc.search.space import Block, Genome, Space

_COLUMNS = ("accuracy", *(item.name for item in fields(Cost)), "genome", "network")
# What is drawn from left to right: a field of a cost, its name, and of how many of it a unit is.
_PANELS = (
    ("sram_bytes", "SRAM, KiB", 1024),
    ("flash_bytes", "constants, KiB", 1024),
    ("instructions", "instructions, millions", 1e6),
)


def write_candidates(path: Path, space: Space, candidates: Sequence[Candidate]) -> None:
    """A CSV file with a row for each network; a genome is indices with spaces between. Raises OutputError."""
    with new_file(path) as place, place.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for item in candidates:
            genome = " ".join(map(str, item.genome))
            writer.writerow([item.accuracy, *astuple(item.cost), genome, described(space, item.genome)])


def described(space: Space, genome: Genome) -> str:
    """A network in short: "32x32, 16: k3e1, 24: k5e4 k3e2" has two stages, of 16 and 24 channels.

    k is the kernel of a block, e its expansion.
    """
    height, width = space.input_size(genome)
    stages = [
        f"{blocks[0].channels}: {' '.join(map(_block, blocks))}" for blocks in space.blocks(genome) if blocks
    ]
    return ", ".join([f"{height}x{width}", *stages])


def plot_front(path: Path, candidates: Sequence[Candidate]) -> None:
    """Accuracy against each cost, the front marked: a picture of the kind that the name's ending says.

    Raises OutputError.
    """
    front = front_of(candidates)
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    for axes, (name, label, unit) in zip(panels, _PANELS, strict=True):
        for items, marker, color, legend in (
            (candidates, ".", "0.7", "looked at"),
            (front, "o", "tab:blue", "front"),
        ):
            costs = [getattr(item.cost, name) / unit for item in items]
            axes.plot(costs, [100 * item.accuracy for item in items], marker, color=color, label=legend)
        axes.set_xlabel(label)
    panels[0].set_ylabel("accuracy, %")
    panels[0].legend(frameon=False)
    save_figure(figure, path)


def _block(block: Block) -> str:
    expansion = "" if block.expansion is None else f"e{block.expansion:g}"
    return f"k{_side(block.kernel)}{expansion}"


def _side(kernel: Pair) -> str:
    return str(kernel[0]) if kernel[0] == kernel[1] else f"{kernel[0]}x{kernel[1]}"
