"""The command line."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from tinycc.arrays import read_inputs, write_arrays
from tinycc.command import Command
from tinycc.errors import UnsupportedError
from tinycc.quantization_options import Quantization, quantization_options
from tinycc.quantize_command import quantize_command
from tinycc.search_command import search_command
from tinycc.target import TARGETS
from tinycc.train_command import refuse_with_train, train_command
from tinycc.train_plan_command import train_plan_command
from tinycc.validate_command import validate_command
from tinycc.version import VERSION

if TYPE_CHECKING:
    from tinycc.compiler import CompiledModel
    from tinycc.quantization import Preprocessing


@click.group(cls=Command)
@click.version_option(VERSION, prog_name="tinycc")
def main() -> None:
    """Compile neural networks to C for microcontrollers."""


main.add_command(quantize_command)
main.add_command(search_command)
main.add_command(train_command)
main.add_command(train_plan_command)
main.add_command(validate_command)


@main.command("compile")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--target", default="cortex-m4", show_default=True, help=f"Core: {', '.join(TARGETS)}.")
@click.option(
    "--sram", metavar="SIZE", help="SRAM that the arena may take, e.g. 320K; the stack comes on top."
)
@click.option(
    "--flash",
    metavar="SIZE",
    help="Flash budget, e.g. 1M. What constants and 24K for code leave of it is spent on weights that lie "
    "wide (dsp_wide), for fewer instructions.",
)
@click.option(
    "--io",
    type=click.Choice(["integer", "int8", "float"]),
    default="integer",
    show_default=True,
    help="Element types of inputs and outputs. integer: uint8, int8 and int16 as in the file, float as the "
    "integers it is quantized to; int8: the same, uint8 less 128; float: all as in the file.",
)
@click.option(
    "--optimize-for",
    type=click.Choice(["latency", "memory"]),
    default="latency",
    show_default=True,
    help="Least work that fits --sram, or least SRAM.",
)
@click.option(
    "--schedule",
    default="auto",
    show_default=True,
    help="auto, or one to force: whole (tensors), stream (row by row wherever possible), "
    "patch:PxP[@OPERATORS] (MCUNetV2's patches).",
)
@click.option(
    "--max-extra-macs",
    metavar="SHARE",
    help="How much may be computed twice to save memory, e.g. 10%; for memory nothing unless said.",
)
@click.option(
    "--kernels",
    type=click.Choice(["auto", "portable"]),
    default="auto",
    show_default=True,
    help="Use what the core offers, or plain C only.",
)
@click.option(
    "--input-mode",
    type=click.Choice(["tensor", "rows"]),
    default="tensor",
    show_default=True,
    help="Have the input in memory whole, or take it row by row.",
)
@click.option(
    "--state",
    "pairs",
    metavar="IN=OUT",
    multiple=True,
    help="Keep input IN on the device: the output OUT is its next value, 0 its first. May be repeated.",
)
@click.option(
    "--shape",
    "given_shapes",
    metavar="INPUT=SIZES",
    multiple=True,
    help="The shape of an input that an ONNX file leaves open, e.g. audio=1x16000. May be repeated.",
)
@click.option("--float", "allow_float", is_flag=True, help="Compile what is not quantized in float32.")
@click.option("--name", default="model", show_default=True, help="Prefix of the C symbols.")
@click.option(
    "--train",
    metavar="SCHEME",
    help="Add a training step: of all layers (full), last:N or biases:N of them, or as a scheme's file says.",
)
@click.option(
    "--gradients",
    type=click.Choice(["integer", "float"]),
    help="With --train: what gradients are computed in; integers where the target has no FPU, unless said.",
)
@click.option(
    "--spare-classes",
    type=click.IntRange(0),
    default=0,
    help="With --train: outputs beside those of the model, for classes to be learned.",
)
@click.option(
    "--momentum",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="With --train: of stochastic gradient descent; four more bytes for each weight that trains.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=1,
    help="With --train: of how many examples weights change by the mean gradient; as many bytes.",
)
@quantization_options
def compile_command(
    model: Path,
    output: Path,
    target: str,
    sram: str | None,
    flash: str | None,
    io: Any,
    optimize_for: Any,
    schedule: str,
    max_extra_macs: str | None,
    kernels: Any,
    input_mode: Any,
    pairs: tuple[str, ...],
    given_shapes: tuple[str, ...],
    allow_float: bool,
    name: str,
    train: str | None,
    gradients: Any,
    spare_classes: int,
    momentum: float,
    batch: int,
    quantization: Quantization,
    preprocessing: "Preprocessing",
) -> None:
    """Compile MODEL (.tflite or .onnx) into a folder of C."""
    from tinycc.compiler import compile as compile_model
    from tinycc.output_folder import check_free

    check_free(output)
    source = quantization.quantize(model, preprocessing) if quantization.data else model
    if train is not None:
        from tinycc import training

        refuse_with_train(click.get_current_context())
        compiled = training.compile(
            source,
            scheme=training.named_scheme(train),
            gradients=gradients,
            spare_classes=spare_classes,
            rule=training.UpdateRule(momentum=momentum, batch=batch),
            target=target,
            sram=sram,
            flash=flash,
            optimize_for=optimize_for,
            name=name,
        )
        _write(compiled, output)
        return
    if gradients is not None:
        raise UnsupportedError("--gradients says how a training step computes: give --train as well")
    if spare_classes:
        raise UnsupportedError("--spare-classes are learned by a training step: give --train, too")
    if momentum or batch > 1:
        raise UnsupportedError("--momentum and --batch say how a training step learns: give --train as well")
    compiled = compile_model(
        source,
        target=target,
        sram=sram,
        flash=flash,
        io=io,
        optimize_for=optimize_for,
        schedule=schedule,
        max_extra_macs=max_extra_macs,
        kernels=kernels,
        input_mode=input_mode,
        states=_states(pairs),
        shapes=_shapes(given_shapes),
        allow_float=allow_float,
        name=name,
    )
    _write(compiled, output)


def _write(compiled: "CompiledModel", output: Path) -> None:
    from tinycc.report.terminal import print_report

    compiled.export(output)
    print_report(compiled.report, Console())
    click.echo(f"Wrote {output}; its pictures are in {output / 'report.html'}")


def _states(pairs: tuple[str, ...]) -> dict[str, str]:
    """The outputs of "IN=OUT" by their inputs; names may hold "=" themselves, the last one divides."""
    states: dict[str, str] = {}
    for pair in pairs:
        source, _, target = pair.rpartition("=")
        if not source or not target:
            raise UnsupportedError(f"--state {pair}: give the name of an input and of an output, IN=OUT")
        if source in states:
            raise UnsupportedError(f"--state {pair}: the input {source} is paired already")
        states[source] = target
    return states


def _shapes(texts: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes of "INPUT=1x16000" by their inputs; names may hold "=" themselves, the last one divides."""
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        source, _, sizes = text.rpartition("=")
        if not source or not re.fullmatch(r"[1-9]\d{0,8}(x[1-9]\d{0,8})*", sizes):
            raise UnsupportedError(
                f"--shape {text}: give the name of an input and its sizes, as audio=1x16000"
            )
        if source in shapes:
            raise UnsupportedError(f"--shape {text}: the input {source} has a shape already")
        shapes[source] = tuple(map(int, sizes.split("x")))
    return shapes


@main.command("run")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--on", "on", default="host", show_default=True, help=f"Where: {', '.join(TARGETS)}.")
@click.option(
    "--input", "input_file", type=click.Path(path_type=Path), help="Arrays in0, in1, ... of N cases."
)
@click.option(
    "--output", "output_file", type=click.Path(path_type=Path), help="Where to write out0, out1, ..."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--sanitize", is_flag=True, help="Host only: address and undefined-behaviour sanitizers.")
@click.option("--profile", is_flag=True, help="Boards only: instructions of each operator.")
@click.option(
    "--keep-state",
    is_flag=True,
    help="The cases are successive steps from a reset; otherwise each begins with one.",
)
def run_command(
    folder: Path,
    on: str,
    input_file: Path | None,
    output_file: Path | None,
    as_json: bool,
    sanitize: bool,
    profile: bool,
    keep_state: bool,
) -> None:
    """Build and run a compiled FOLDER on the host or an emulated board."""
    from tinycc.run import run

    if sanitize and on != "host":
        raise UnsupportedError("--sanitize works with --on host only")
    if profile and on == "host":
        raise UnsupportedError("--profile counts instructions of an emulated board: choose one with --on")
    inputs = read_inputs(input_file) if input_file else None
    result = run(folder, on, inputs, sanitize=sanitize, profile=profile, keep_state=keep_state)
    if output_file:
        arrays = {f"out{index}": array for index, array in enumerate(result.outputs)}
        write_arrays(output_file, arrays)
    if as_json:
        click.echo(json.dumps(result.to_json()))
    else:
        from tinycc.report.listing import print_run
        from tinycc.run.folder import read_report

        with _printing(folder) as console:
            print_run(result, read_report(folder), console)


@main.command("link")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--name", default="firmware", show_default=True, help="Prefix of the C symbols.")
@click.option("--sram", metavar="SIZE", help="SRAM that all models together may take, e.g. 16K.")
def link_command(folders: tuple[Path, ...], output: Path, name: str, sram: str | None) -> None:
    """Link compiled FOLDERS into one folder: models that take turns share the memory of an inference."""
    from tinycc.linker import link
    from tinycc.report.listing import print_link

    print_link(link(folders, output, name=name, sram=sram), Console())
    click.echo(f"Wrote {output}")


@main.command("report")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--compare", metavar="OTHER", type=click.Path(path_type=Path), help="A folder to compare FOLDER with."
)
def report_command(folder: Path, compare: Path | None) -> None:
    """Show the memory and cost tables of a compiled FOLDER, or what differs from another."""
    from tinycc.report.compare import print_comparison
    from tinycc.report.terminal import print_report
    from tinycc.run.folder import read_report

    folders = [folder] if compare is None else [compare, folder]
    reports = [read_report(item) for item in folders]
    with _printing(*folders) as console:
        if compare is None:
            print_report(reports[0], console)
        else:
            print_comparison(reports, [str(item) for item in folders], console)


@main.command("inspect")
@click.argument("model", type=click.Path(path_type=Path))
def inspect_command(model: Path) -> None:
    """Show what MODEL holds, and what of it is not supported."""
    from tinycc.frontend.load import describe_model
    from tinycc.report.listing import print_description

    print_description(describe_model(model), Console())


@contextmanager
def _printing(*folders: Path) -> Iterator[Console]:
    """A console for the reports of folders: what is printed is shown at its end, unless one is damaged."""
    from tinycc.run.folder import damaged_report

    console = Console()
    with damaged_report(*folders), console.capture() as shown:
        yield console
    click.echo(shown.get(), nl=False)


if __name__ == "__main__":
    sys.exit(main())
