"""`tinycc validate`."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from tinycc.output_file import new_file
from tinycc.quantization_options import preprocessing_options
from tinycc.target import TARGETS

if TYPE_CHECKING:
    from tinycc.quantization import Preprocessing


@click.command("validate")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Arrays in0, in1, ... in an .npz, as the float model takes them; or a folder of images or wavs.",
)
@click.option(
    "--labels",
    metavar="ARRAY",
    is_flag=False,
    flag_value="label",
    help="The right classes, in the .npz: label.",
)
@click.option("--reference", type=click.Path(path_type=Path), metavar="MODEL", help="The float model.")
@click.option(
    "--quantized", type=click.Path(path_type=Path), metavar="MODEL", help="The int8 model that was compiled."
)
@click.option("--on", help=f"Board: {', '.join(TARGETS)}.  [default: what FOLDER was compiled for]")
@click.option(
    "--board-cases",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    help="How many cases the emulated board runs.",
)
@click.option("--page", type=click.Path(path_type=Path), help="Also write a page (.html).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@preprocessing_options
def validate_command(
    folder: Path,
    data: Path,
    labels: str | None,
    reference: Path | None,
    quantized: Path | None,
    on: str | None,
    board_cases: int,
    page: Path | None,
    as_json: bool,
    preprocessing: "Preprocessing",
) -> None:
    """Compare a compiled FOLDER, on the host and an emulated board, with the models that it comes from."""
    from tinycc.report.validation import print_validation, render_validation
    from tinycc.validation import validate

    validation = validate(
        folder,
        data,
        labels=labels,
        reference=reference,
        quantized=quantized,
        preprocessing=preprocessing,
        on=on,
        board_cases=board_cases,
    )
    if page is not None:
        with new_file(page) as place:
            place.write_text(render_validation(validation), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(_finite(validation.to_json())))
        return
    print_validation(validation, Console())
    if page is not None:
        click.echo(f"Wrote {page}")


def _finite(value: Any) -> Any:
    """JSON knows no infinity: what is exact, or lost altogether, is a text."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value
