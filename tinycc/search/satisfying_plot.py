"""The distributions by which a space is chosen, as a picture."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from tinycc.search.figures import save_figure
from tinycc.search.satisfying import Satisfying

# So many can be told apart by their colours.
_MOST_NAMED = 8


def plot_satisfying(path: Path, drawn: Mapping[str, Satisfying], floor: float = 0.1) -> None:
    """Which share of the allowed networks of a space has at most so many multiply-accumulates.

    drawn: what `choose_space` has drawn of each space. floor: the least acceptance that it was told.
    The best spaces are named, with their acceptance, the best first; others are grey. Raises OutputError.
    """
    best = sorted(
        (name for name, item in drawn.items() if item.macs and item.acceptance >= floor),
        key=lambda name: -drawn[name].mean_macs,
    )
    named = best[:_MOST_NAMED]
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    for name in [*(name for name in drawn if name not in named), *named]:
        macs = np.sort(drawn[name].macs) / 1e6
        label = f"{name}: {drawn[name].acceptance:.0%}" if name in named else None
        style = {"linewidth": 1.5} if name in named else {"linewidth": 0.5, "color": "0.8"}
        axes.plot(macs, np.arange(1, len(macs) + 1) / max(1, len(macs)), label=label, **style)
    axes.set_xlabel("multiply-accumulates, millions")
    axes.set_ylabel("share of networks within the limits")
    if named:
        title = "space: share within the limits"
        figure.legend(title=title, loc="outside right upper", frameon=False, fontsize="small")
    save_figure(figure, path)
