"""What quantization costs layer by layer, as a table and as a picture."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tinycc.errors import OutputError
from tinycc.output_file import new_file
from tinycc.quantization.extra import library
from tinycc.quantization.sensitivity import LayerLoss
from tinycc.report.terminal import empty_table

MOST_LETTERS = 40


def decibels(value: float | None) -> str:
    """As text; nothing lost is "exact"."""
    if value is None:
        return "-"
    return f"{value:.1f}" if math.isfinite(value) else "exact" if value > 0 else "lost"


def print_losses(losses: Sequence[LayerLoss], console: Console) -> None:
    """A row for each layer, in order; the one that costs most alone stands out."""
    table = empty_table("Signal to noise, dB", ["Layer", ">in the model", ">outputs, alone"])
    worst = min((loss.alone for loss in losses), default=0.0)
    for loss in losses:
        style = "bold" if loss.alone == worst else ""
        table.add_row(
            Text(loss.layer, style=style, overflow="fold"), decibels(loss.decibels), decibels(loss.alone)
        )
    console.print(table)


def plot_losses(losses: Sequence[LayerLoss], path: Path) -> None:
    """Bars for each layer, in a picture of the kind that the name's ending says."""
    figure = library("matplotlib.figure").Figure(figsize=(8, 1 + 0.3 * len(losses)), layout="constrained")
    axes = figure.subplots()
    names = [loss.layer[-MOST_LETTERS:] for loss in losses]
    places = range(len(losses))
    shown, alone = [loss.decibels or 0.0 for loss in losses], [loss.alone for loss in losses]
    axes.barh([place - 0.2 for place in places], _finite(shown), 0.4, label="layer, in the model")
    axes.barh([place + 0.2 for place in places], _finite(alone), 0.4, label="outputs, this layer alone")
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.set_xlabel("signal to noise, dB")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    try:
        with new_file(path) as place:
            figure.savefig(place)
    except ValueError as error:  # of the ending
        raise OutputError(f"cannot draw {path}: {error}") from error


def _finite(values: Sequence[float]) -> list[float]:
    """Nothing is drawn of what is lost or exact."""
    return [value if math.isfinite(value) else 0.0 for value in values]
