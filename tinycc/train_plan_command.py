"""`tinycc train-plan`."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console

from tinycc.arrays import read_examples
from tinycc.command import with_torch
from tinycc.errors import OutputError, TrainingError
from tinycc.output_file import new_file
from tinycc.quantization_options import progress_bar
from tinycc.report.terminal import empty_table
from tinycc.target import TARGETS, parse_size, target_named

if TYPE_CHECKING:
    from tinycc.training.scheme_search.contribution import Contributions, Gain, Parts
    from tinycc.training.scheme_search.search import Found, StepPlanner
    from tinycc.training.scheme_search.step_model import Budget, StepModel

# Budgets of a plot, from the least that anything needs to what all that gains needs.
_BUDGETS = 8


@click.command("train-plan")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Arrays in0, in1, ... and the labels, in an .npz.",
)
@click.option(
    "--test", type=click.Path(path_type=Path), help="The same of held-out cases; else a quarter of --data."
)
@click.option("--labels", metavar="ARRAY", default="label", show_default=True, help="The name of the labels.")
@click.option(
    "--memory", required=True, metavar="SIZE", help="SRAM for inference and step together, e.g. 256K."
)
@click.option(
    "--latency",
    type=click.IntRange(1),
    metavar="N",
    help="Instructions that a training step may take, as they are predicted.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The scheme to write.")
@click.option(
    "--contributions",
    "kept",
    type=click.Path(path_type=Path),
    help="Where measurements are kept, and gone on with.  [default: beside the scheme]",
)
@click.option("--last", type=click.IntRange(1), metavar="N", help="Look at the last N layers alone.")
@click.option(
    "--rate", "rates", type=click.FloatRange(0, min_open=True), multiple=True, default=(0.01,),
    show_default=True, help="Learning rate; of several the best counts. May be repeated.",
)  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Runs of each part.")
@click.option("--epochs", type=click.IntRange(1), default=4, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=4, show_default=True, help="Cases of a step.")
@click.option(
    "--accumulate",
    is_flag=True,
    help="Plan for such steps on the device as well, case by case, with what they are summed up in.",
)
@click.option(
    "--search", "method", type=click.Choice(["exact", "evolutionary"]), default="exact", show_default=True
)
@click.option(
    "--finalists",
    "most",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Schemes that are trained as they are, of which the best is written; with 1 sums alone decide.",
)
@click.option(
    "--gradients",
    type=click.Choice(["integer", "float"]),
    help="What gradients are computed in; integers where the target has no FPU, unless said.",
)
@click.option("--target", default="cortex-m4", show_default=True, help=f"Core: {', '.join(TARGETS)}.")
@click.option(
    "--plot", type=click.Path(path_type=Path), help="Gain against memory as a picture (.png, .svg)."
)
@click.option("--device", default="cpu", show_default=True, help="Of torch, e.g. cuda.")
def train_plan_command(
    model: Path,
    data: Path,
    test: Path | None,
    labels: str,
    memory: str,
    latency: int | None,
    output: Path,
    kept: Path | None,
    last: int | None,
    rates: tuple[float, ...],
    seeds: int,
    epochs: int,
    batch: int,
    accumulate: bool,
    method: Any,
    most: int,
    gradients: Any,
    target: str,
    plot: Path | None,
    device: str,
) -> None:
    """Find what of MODEL (.tflite or .onnx, int8) to train on the device within a budget.

    What each part gains is measured in simulation first, with data that are not learned from.
    """
    with_torch()
    from tinycc.quantization.extra import library
    from tinycc.training.gradients import gradient_type
    from tinycc.training.scheme_search.finalists import decided, finalists
    from tinycc.training.scheme_search.measure import measure_contributions, measure_together, split
    from tinycc.training.scheme_search.search import StepPlanner, search, step_model
    from tinycc.training.scheme_search.step_model import Budget
    from tinycc.training.simulation import Data, IntegerNetwork
    from tinycc.training.update_rule import UpdateRule

    budget = Budget(parse_size(memory), latency)
    kind = gradient_type(gradients, target_named(target).features)
    if plot is not None:
        library("matplotlib.figure")
    if not output.resolve().parent.is_dir():
        raise OutputError(f"cannot write {output}: there is no folder {output.parent}")
    network = IntegerNetwork.load(model)
    known = Data(*read_examples(data, labels))
    learned, held_out = split(known, 0.25) if test is None else (known, Data(*read_examples(test, labels)))
    path = kept or output.with_suffix(".contributions.json")
    contributions = measure_contributions(
        network, learned, held_out,
        deepest=last, seeds=range(seeds), rates=rates, epochs=epochs, batch=batch, gradients=kind,
        path=path, device=device, progress=progress_bar,
    )  # fmt: skip
    rule = UpdateRule(batch=batch if accumulate else 1)
    planner = StepPlanner(network.graph.module, target=target, gradients=kind, rule=rule)
    sums = step_model(planner, contributions)
    console = Console()
    if most == 1:
        found = search(planner, contributions, budget, method=method, sums=sums)
    else:
        proposed = finalists(planner, contributions, budget, sums=sums, most=most, method=method)
        contributions = measure_together(
            contributions, proposed, network, learned, held_out,
            path=path, device=device, progress=progress_bar,
        )  # fmt: skip
        found = decided(planner, contributions, proposed, budget)
        _print_finalists(proposed, planner, budget, contributions, console)
    found.scheme.save(output)
    _print(found, planner, contributions, console)
    batches = f" --batch {rule.batch}" if rule.has_velocities else ""
    click.echo(f"Wrote {output}; compile with --train {output} --sram {budget.bytes}{batches}")
    if plot is not None:
        _plot(planner, contributions, sums, latency, plot)
        click.echo(f"Wrote {plot}")


def _print_finalists(
    proposed: Sequence["Parts"],
    planner: "StepPlanner",
    budget: "Budget",
    contributions: "Contributions",
    console: Console,
) -> None:
    """What each scheme needs, and what it gained as it was trained."""
    table = empty_table("Schemes that fit", ["Trained with the head", ">arena", ">gain"])
    for parts in proposed:
        needs = planner.needs(parts.scheme(planner.layers), budget)
        table.add_row(parts.name, f"{needs.bytes:,}", _points(contributions.together(parts)))
    console.print(table)


def _print(found: "Found", planner: "StepPlanner", contributions: "Contributions", console: Console) -> None:
    """What trains, layer by layer, what is live because of it, and what it gains."""
    table = empty_table("What trains", ["Layer", ">weights", ">their bytes", ">kept bytes", ">gain alone"])
    for name, layer in found.scheme.layers.items():
        share = found.parts.shares.get(name)
        if share is None:
            table.add_row(name, f"{layer.weights:.0%}" if layer.weights else "bias", "", "", "")
            continue
        part = planner.part_bytes(name, share)
        is_known = share in contributions.shares[name]
        gain = _points(contributions.weights(name, share)) if is_known else ""
        table.add_row(name, f"{share:.1%}", f"{part.weights:,}", f"{part.kept:,}", gain)
    console.print(table)
    how = "trained together" if contributions.has(found.parts) else "if gains add up"
    console.print(
        f"The head alone: {contributions.head.mean:.1%} of held-out cases are right; all that trains, {how}: "
        f"{_points(found.gain)} points",
        soft_wrap=True,
    )
    if found.gain.sure <= 0:
        console.print(
            f"Nothing more surely gains on {contributions.cases} held-out cases: give more of them",
            soft_wrap=True,
        )
    best = "none that surely gains more was found to fit" if found.is_best else "others may gain more"
    console.print(
        f"Arena: {found.arena_bytes:,} bytes for inference and training step; a step takes "
        f"{found.instructions:,} instructions, as predicted; {best}",
        soft_wrap=True,
    )


def _points(gain: "Gain") -> str:
    """In percentage points, with the standard error."""
    return f"{100 * gain.mean:+.1f} ± {100 * gain.error:.1f}"


def _plot(
    planner: "StepPlanner",
    contributions: "Contributions",
    sums: "StepModel",
    latency: int | None,
    path: Path,
) -> None:
    """Gain with its error against memory, in a picture of the kind that the name's ending says."""
    from tinycc.quantization.extra import library
    from tinycc.training.scheme_search.search import search
    from tinycc.training.scheme_search.step_model import Budget

    least, most = sums.memory.range_bytes
    found = []
    for memory in progress_bar(np.linspace(least, most, _BUDGETS).astype(int).tolist(), "Budgets"):
        # With less memory a step may take more instructions than it may.
        with suppress(TrainingError):
            found.append(search(planner, contributions, Budget(memory, latency), sums=sums))
    figure = library("matplotlib.figure").Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.errorbar(
        [item.arena_bytes / 1024 for item in found],
        [100 * item.gain.mean for item in found],
        [100 * item.gain.error for item in found],
        marker="o", capsize=3,
    )  # fmt: skip
    axes.set_xlabel("arena of inference and training step, KiB")
    axes.set_ylabel("sum of gains over the head alone, points")
    try:
        with new_file(path) as place:
            figure.savefig(place)
    except ValueError as error:  # of the ending
        raise OutputError(f"cannot draw {path}: {error}") from error
