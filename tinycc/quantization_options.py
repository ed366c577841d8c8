"""Options of the commands that quantize: data, preprocessing, ranges, layers to keep."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import track

from tinycc.errors import UnsupportedError

if TYPE_CHECKING:
    from tinycc.quantization import Preprocessing, QuantizedModel

RANGES = ("min-max", "moving-average", "percentile", "entropy", "mse", "auto")


def preprocessing_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command gets `preprocessing`, made of --size, --mean, --std, --layout and --sample-rate."""

    @click.option(
        "--size", metavar="HxW", help="Resize images to it and take the middle; else to the input's."
    )
    @click.option("--mean", metavar="NUMBERS", help="Of raw pixels or samples; one, or R,G,B.  [default: 0]")
    @click.option("--std", metavar="NUMBERS", help="The input is (raw - mean) / std.  [default: 1]")
    @click.option(
        "--layout", type=click.Choice(["NHWC", "NCHW"]), help="Of the input, if its shape does not tell."
    )
    @click.option("--sample-rate", type=click.IntRange(1), metavar="HZ", help="Resample wavs to it.")
    @wraps(command)
    def with_preprocessing(
        size: str | None,
        mean: str | None,
        std: str | None,
        layout: Any,
        sample_rate: int | None,
        **arguments: Any,
    ) -> None:
        from tinycc.quantization import Preprocessing

        means, stds = _numbers("--mean", mean or "0"), _numbers("--std", std or "1")
        count = max(len(means), len(stds))
        preprocessing = Preprocessing(
            means * count if len(means) == 1 else means,
            stds * count if len(stds) == 1 else stds,
            None if size is None else _size(size),
            layout,
            sample_rate,
        )
        command(preprocessing=preprocessing, **arguments)

    return with_preprocessing


@dataclass(frozen=True)
class Quantization:
    """What the options of `quantization_options` say; data is None where nothing is to be quantized."""

    data: Path | None
    range: str
    keep: "dict[str, Any] | str"
    at_least: float
    equalize: bool
    weights: Any

    def quantize(
        self, model: Path, preprocessing: "Preprocessing", *, analysis: bool = False
    ) -> "QuantizedModel":
        """The int8 model of a float file, with a progress bar on the way."""
        from tinycc.quantization import quantize

        if self.data is None:
            raise UnsupportedError("--calib is missing: quantization needs data to calibrate with")
        return quantize(
            model,
            self.data,
            preprocessing=preprocessing,
            range=self.range,
            keep=self.keep,  # type: ignore[arg-type]
            at_least=self.at_least,
            equalize=self.equalize,
            weights=self.weights,
            analysis=analysis,
            progress=progress_bar,
        )


def quantization_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command gets `quantization`, of --calib, --range, --weights, --keep ..., and `preprocessing`."""

    @click.option(
        "--calib",
        type=click.Path(path_type=Path),
        metavar="DATA",
        help="Quantize a float model with an .npz of arrays in0, in1, ..., or a folder of images or wavs.",
    )
    @click.option(
        "--range",
        "range_",
        type=click.Choice(RANGES),
        default="min-max",
        show_default=True,
        help="How ranges of activations are found; auto tries what the library has.",
    )
    @click.option(
        "--weights",
        type=click.Choice(["int8", "int4"]),
        default="int8",
        show_default=True,
        help="The type of weights; of layers to which the library cannot give int4 it is int8.",
    )
    @click.option(
        "--keep",
        "kept",
        metavar="LAYER=float|int16|int8",
        multiple=True,
        help="Do not make a layer int8, or its weights int4. May be repeated; auto keeps the fewest in float "
        "(in int8, with --weights int4) for --at-least.",
    )
    @click.option(
        "--at-least",
        metavar="SHARE",
        default="99%",
        show_default=True,
        help="Of the calibration data on which the largest output stays where it is, for --keep auto.",
    )
    @click.option("--equalize", is_flag=True, help="Bring channels between convolutions to one range first.")
    @preprocessing_options
    @wraps(command)
    def with_quantization(
        calib: Path | None,
        range_: str,
        kept: tuple[str, ...],
        at_least: str,
        equalize: bool,
        weights: str,
        **arguments: Any,
    ) -> None:
        if calib is None:
            _refuse_without_data(click.get_current_context())
        quantization = Quantization(calib, range_, _keep(kept), _share(at_least), equalize, weights)
        command(quantization=quantization, **arguments)

    return with_quantization


def _refuse_without_data(context: click.Context) -> None:
    """UnsupportedError for an option that would go unread."""
    flags = {parameter.name: parameter.opts[-1] for parameter in context.command.params}
    options = ("range_", "weights", "kept", "at_least", "equalize")
    for name in (*options, "size", "mean", "std", "layout", "sample_rate"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UnsupportedError(f"{flags[name]} says how to quantize: give the data with --calib")


def _keep(kept: tuple[str, ...]) -> dict[str, str] | str:
    if kept == ("auto",):
        return "auto"
    layers = {}
    for item in kept:
        layer, _, precision = item.rpartition("=")
        if not layer or precision not in ("float", "int16", "int8"):
            raise UnsupportedError(
                f"--keep {item}: give LAYER=float, LAYER=int16, LAYER=int8 with --weights int4, or auto alone"
            )
        layers[layer] = precision
    return layers


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as error:
        raise UnsupportedError(f"--at-least {text}: give a share, e.g. 99%") from error
    if not 0 <= share <= 1:
        raise UnsupportedError(f"--at-least {text}: give a share of at most 100%")
    return share


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UnsupportedError(f"{option} {text}: give a number, or several with commas between") from error


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise UnsupportedError(f"--size {text}: give height and width, e.g. 96x96")
    return int(height), int(width)


def progress_bar(items: Sequence[Any], description: str) -> Iterable[Any]:
    """A bar that is there while items are worked on, where there is a terminal."""
    console = Console()
    return track(items, description, console=console, transient=True) if console.is_terminal else items
