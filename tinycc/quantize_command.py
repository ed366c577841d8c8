"""`tinycc quantize`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from tinycc.errors import OutputError, UnsupportedError
from tinycc.quantization_options import Quantization, quantization_options

if TYPE_CHECKING:
    from tinycc.quantization import Preprocessing


@click.command("quantize")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write, of MODEL's format.")
@quantization_options
@click.option("--analyze", is_flag=True, help="Show what each layer loses, and what it costs alone.")
@click.option(
    "--plot", type=click.Path(path_type=Path), help="With --analyze: also as a picture (.png, .svg)."
)
def quantize_command(
    model: Path,
    output: Path | None,
    quantization: Quantization,
    preprocessing: "Preprocessing",
    analyze: bool,
    plot: Path | None,
) -> None:
    """Quantize MODEL (.onnx or .tflite, float) to int8, for tinycc and any other tool."""
    from tinycc.report.losses import plot_losses, print_losses

    if output is None and not analyze:
        raise UnsupportedError("say where the int8 model is to be written, with -o OUT, or ask for --analyze")
    if plot is not None and not analyze:
        raise UnsupportedError("--plot draws what --analyze measures: give both")
    if output is not None:
        _check_output(output, model)
    quantized = quantization.quantize(model, preprocessing, analysis=analyze)
    if output is not None:
        quantized.save(output)
    console = Console()
    for note in quantized.notes:
        console.print(note, markup=False, highlight=False)
    if analyze:
        print_losses(quantized.losses, console)
    if plot is not None:
        plot_losses(quantized.losses, plot)
    if output is not None:
        click.echo(f"Wrote {output}, {len(quantized.content):,} bytes")


def _check_output(output: Path, model: Path) -> None:
    """Refuse what cannot be written, before work that takes its time."""
    if output.suffix.lower() != model.suffix.lower():
        raise UnsupportedError(
            f"{output}: the model stays in its format: give a name that ends in {model.suffix}"
        )
    if output.exists() and output.samefile(model):
        raise UnsupportedError(f"{output} is the float model itself: give another name")
    if not output.resolve().parent.is_dir():
        raise OutputError(f"cannot write {output}: there is no folder {output.parent}")
