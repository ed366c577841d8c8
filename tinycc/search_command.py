"""`tinycc search`."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from tinycc.command import check_installed, with_torch
from tinycc.errors import InputDataError, OutputError
from tinycc.quantization_options import progress_bar
from tinycc.target import TARGETS

# What the extra installs, as modules.
LIBRARIES = ("torch", "torchao", "pymoo", "scipy", "matplotlib", "PIL", "yaml")
_MOST_SIDE = 2048


@click.command("search")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="An .npz with images x and labels y (and x_test, y_test), or a folder with one of images, or of "
    "wavs, for each class; train/ and test/ may be above those.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--target", default="cortex-m4", show_default=True, help=f"Core: {', '.join(TARGETS)}.")
@click.option("--sram", metavar="SIZE", help="SRAM that the arena may take, e.g. 8K; the stack comes on top.")
@click.option("--flash", metavar="SIZE", help="Flash that constants may take, e.g. 64K; code comes on top.")
@click.option("--instructions", metavar="N", help="Instructions of an inference, as predicted, e.g. 2M.")
@click.option(
    "--input-mode",
    type=click.Choice(["tensor", "rows"]),
    default="tensor",
    show_default=True,
    help="Whether the input lies in the arena whole, or is given row by row.",
)
@click.option(
    "--space", "space_path", type=click.Path(path_type=Path),
    help="A space of one's own, in YAML; else one is chosen of a family that suits the data.",
)  # fmt: skip
@click.option("--size", metavar="H[xW]", help="Height and width that images are resized to.")
@click.option(
    "--method",
    type=click.Choice(["evolution", "front", "random"]),
    default="evolution",
    show_default=True,
    help="Evolution within the limits, the front of accuracy and all costs (NSGA-II), or as many at random.",
)
@click.option(
    "--population", type=click.IntRange(2), default=50, show_default=True, help="Networks of a generation."
)
@click.option(
    "--generations", type=click.IntRange(0), default=20, show_default=True, help="After the first, drawn one."
)
@click.option(
    "--supernet-epochs", "supernet_epochs", type=(click.IntRange(0), click.IntRange(1)), default=(5, 25),
    show_default=True, metavar="LARGEST ALL", help="Epochs of the largest network, and then of all.",
)  # fmt: skip
@click.option(
    "--finalists", type=click.IntRange(1), default=4, show_default=True,
    help="Networks that are trained alone before one is chosen; with 1 the supernet alone decides.",
)  # fmt: skip
@click.option(
    "--epochs", type=click.IntRange(1), default=60, show_default=True,
    help="Of the network that is found, and of each finalist.",
)  # fmt: skip
@click.option(
    "--batch", type=click.IntRange(2), default=128, show_default=True, help="Cases of a training step."
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=0.1,
    show_default=True,
    help="The highest learning rate, of the supernet and of the network; in int8 it is lower.",
)
@click.option(
    "--augment",
    type=click.Choice(["auto", "none", "shift", "shift-flip", "shift-time"]),
    default="auto",
    show_default=True,
    help="What is done to training cases; auto is shift for images and shift-time for sound.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is random.")
@click.option(
    "--work", type=click.Path(path_type=Path),
    help="Where parts are kept while it goes on, and gone on with.  [default: OUTPUT.search]",
)  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="That trains, as torch names it, e.g. cuda.")
def search_command(
    data: Path,
    output: Path,
    target: str,
    sram: str | None,
    flash: str | None,
    instructions: str | None,
    input_mode: Any,
    space_path: Path | None,
    size: str | None,
    method: Any,
    population: int,
    generations: int,
    supernet_epochs: tuple[int, int],
    finalists: int,
    epochs: int,
    batch: int,
    rate: float,
    augment: str,
    seed: int,
    work: Path | None,
    device: str,
) -> None:
    """Find the most accurate network for the limits of a board, train it, and compile it.

    A run that was broken off goes on where it was, given the same options.
    """
    with_torch()
    check_installed("search", LIBRARIES)
    logging.disable(logging.WARNING)  # torch and torchao tell of themselves as they are imported
    from tinycc.output_folder import check_free
    from tinycc.search import augmentation
    from tinycc.search.constraints import Constraints
    from tinycc.search.cost import Device
    from tinycc.search.evolution import EvolutionOptions
    from tinycc.search.found_files import PAGE, write_found
    from tinycc.search.loading import load_data
    from tinycc.search.pipeline import Found, SearchOptions, search_network
    from tinycc.search.retraining import TrainingOptions
    from tinycc.search.space_file import load_space
    from tinycc.search.spaces import spaces_of
    from tinycc.search.supernet.training import SupernetOptions

    logging.disable(logging.NOTSET)
    check_free(output)
    if not output.resolve().parent.is_dir():
        raise OutputError(f"cannot write {output}: there is no folder {output.parent}")
    limits = Constraints(
        Device(target, input_mode, sram=sram), flash=flash, instructions=_count(instructions)
    )
    limits.judge()
    given = load_data(data, size=None if size is None else _size(size), progress=progress_bar)
    spaces = spaces_of(given) if space_path is None else {space_path.stem: load_space(space_path)}
    kinds = {
        "none": augmentation.unchanged,
        "shift": augmentation.shifted,
        "shift-flip": augmentation.shifted_and_flipped,
        "shift-time": augmentation.shifted_in_time,
    }
    usual = "shift" if given.spectrogram is None else "shift-time"
    training = TrainingOptions(
        epochs=epochs, batch=batch, rate=rate, augmentation=kinds[usual if augment == "auto" else augment]
    )
    options = SearchOptions(
        limits,
        method=method,
        supernet=SupernetOptions(*supernet_epochs, batch=batch, rate=rate),
        evolution=EvolutionOptions(population, generations),
        finalists=finalists,
        training=training,
        seed=seed,
        device=device,
    )
    options = replace(options, quantized=replace(options.quantized, batch=batch))

    def write(folder: Path, found: Found) -> None:
        title = f"The network for {data.name}"
        write_found(folder, found, spaces[found.space], limits, title, options.least_share)

    found = search_network(
        given, spaces, options, output, work or _beside(output),
        write=write, progress=progress_bar,
    )  # fmt: skip
    _print(found)
    click.echo(f"Wrote {output}; {output / PAGE} tells of the search")


def _print(found: Any) -> None:
    """Accuracies and costs, predicted and compiled."""
    hand_off, costs = found.hand_off, found.hand_off.costs
    click.echo(
        f"{hand_off.architecture.summary}: {hand_off.int8_accuracy:.1%} of cases to test with are right in "
        f"int8, {hand_off.float_accuracy:.1%} in float"
    )
    compiled = costs.compiled
    click.echo(
        f"Arena: {compiled.sram_bytes:,} bytes; constants: {compiled.flash_bytes:,}; {compiled.macs:,} MACs; "
        f"{compiled.instructions:,} instructions, as predicted"
    )
    for reason in costs.reasons:
        click.echo(f"Not as predicted: {reason}")


def _beside(output: Path) -> Path:
    """Where parts are kept if nothing is said."""
    return output.with_name(f"{output.name}.search") if output.name else Path(f"{output.resolve()}.search")


def _count(text: str | None) -> int | None:
    """A number of instructions, "2M" for two million."""
    if text is None:
        return None
    factors = {"k": 10**3, "m": 10**6}
    digits, factor = (text[:-1], factors[text[-1].lower()]) if text[-1:].lower() in factors else (text, 1)
    try:
        count = round(float(digits) * factor)
    except (ValueError, OverflowError):
        count = 0
    if count < 1:
        raise InputDataError(f"--instructions {text}: give a number, e.g. 2000000 or 2M")
    return count


def _size(text: str) -> tuple[int, int]:
    """Height and width of "32" or "32x24"."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and 0 < int(side) <= _MOST_SIDE for side in sides):
        raise InputDataError(
            f"--size {text}: give a height and a width, e.g. 32 or 32x24, {_MOST_SIDE} at most"
        )
    return int(sides[0]), int(sides[-1])
