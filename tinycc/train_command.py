"""`tinycc train`."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from tinycc.arrays import read_examples, write_arrays
from tinycc.errors import UnsupportedError
from tinycc.target import TARGETS

_DATA = "Arrays in0, in1, ... and the labels, in an .npz."


@click.command("train")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=click.Path(path_type=Path), help=_DATA)
@click.option(
    "--test", type=click.Path(path_type=Path), help="The same of examples that are not learned from."
)
@click.option("--labels", metavar="ARRAY", default="label", show_default=True, help="The name of the labels.")
@click.option("--epochs", type=click.IntRange(1), default=1, show_default=True)
@click.option("--rate", type=click.FloatRange(0), default=0.01, show_default=True, help="Learning rate.")
@click.option(
    "--schedule",
    type=click.Choice(["constant", "cosine"]),
    default="constant",
    show_default=True,
    help="The rate as it is, or falling to 0.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of the examples.")
@click.option("--on", default="host", show_default=True, help=f"Where: {', '.join(TARGETS)}.")
@click.option("--output", type=click.Path(path_type=Path), help="Where to write what was trained (.npz).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train_command(
    folder: Path,
    data: Path,
    test: Path | None,
    labels: str,
    epochs: int,
    rate: float,
    schedule: Any,
    seed: int,
    on: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Train a FOLDER that was compiled with --train, on the host or an emulated board."""
    from tinycc.training.fit import fit

    curve = fit(
        folder,
        *read_examples(data, labels),
        on=on,
        epochs=epochs,
        rate=rate,
        schedule=schedule,
        seed=seed,
        test=None if test is None else read_examples(test, labels),
    )
    if output is not None:
        write_arrays(output, curve.states)
    if as_json:
        click.echo(json.dumps(curve.to_json()))
        return
    console = Console()
    table = Table("epoch", "loss", *(["accuracy"] if curve.accuracies else []))
    if curve.accuracies:
        table.add_row("0", "", f"{curve.accuracies[0]:.2%}")
    for epoch, loss in enumerate(curve.losses, 1):
        table.add_row(
            str(epoch), f"{loss:.4f}", *([f"{curve.accuracies[epoch]:.2%}"] if curve.accuracies else [])
        )
    console.print(table)
    steps = "" if curve.instructions is None else f"; {curve.instructions:,} instructions a case"
    click.echo(f"On {curve.board}{steps}")
    if curve.skipped:
        click.echo(f"{curve.skipped} steps overflowed and left weights as they were: try a lower rate")
    if output is not None:
        click.echo(f"Wrote {output}")


# Options of `tinycc compile` that a model with a training step does not have yet.
_WITHOUT_TRAIN = frozenset(
    (
        "io",
        "schedule",
        "max_extra_macs",
        "kernels",
        "input_mode",
        "pairs",
        "given_shapes",
        "allow_float",
    )
)


def refuse_with_train(context: click.Context) -> None:
    """UnsupportedError for options of `tinycc compile` that say nothing of a model with a training step."""
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name in _WITHOUT_TRAIN:
            raise UnsupportedError(
                f"{parameter.opts[0]} does not go together with --train: leave one of them out"
            )
