"""A validation as tables in the terminal, and as a page of its own."""

from rich.console import Console
from rich.text import Text

from tinycc.report.figures import format_share
from tinycc.report.losses import decibels
from tinycc.report.page import PAGES
from tinycc.report.terminal import empty_table
from tinycc.validation import LayerComparison, StepHistogram, Validation
from tinycc.version import VERSION


def print_validation(validation: Validation, console: Console) -> None:
    """Lines, layers and the histogram of steps."""
    table = empty_table("Side by side", ["", ">cases", ">accuracy", ">same top-1", ">signal to noise, dB"])
    for line in validation.lines:
        table.add_row(
            Text(line.name),
            f"{line.cases:,}",
            _percent(line.accuracy),
            _percent(line.agreement),
            decibels(line.decibels),
        )
    console.print(table)
    if validation.layers:
        columns = ["layer", "in C", ">quantized", ">C", ">steps", ">alone"]
        table = empty_table("Layers, signal to noise in dB", columns)
        for layer in validation.layers:
            table.add_row(
                Text(layer.layer or "-", overflow="ellipsis", no_wrap=True),
                Text(layer.operator or "-"),
                decibels(layer.quantized),
                decibels(layer.c),
                _steps(layer.largest_step),
                _steps(layer.alone),
                style="yellow" if layer.layer is None else "",
            )
        console.print(table)
    if validation.steps is not None:
        console.print(Text(describe_steps(validation.steps)))


def render_validation(validation: Validation) -> str:
    """The page. Every text of the validation is escaped."""
    template = PAGES.get_template("validation.html.j2")
    return template.render(
        validation=validation,
        decibels=decibels,
        percent=_percent,
        largest=_steps,
        share=format_share,
        steps=None if validation.steps is None else describe_steps(validation.steps),
        labels=[] if validation.steps is None else step_labels(validation.steps),
        loudest=max((ratio for layer in validation.layers for ratio in _finite(layer)), default=1.0),
        version=VERSION,
    )


def describe_steps(steps: StepHistogram) -> str:
    """One sentence."""
    total = sum(steps.counts)
    return (
        f"Of {total:,} numbers the C has {steps.counts[0]:,} as the quantized model's own runtime; "
        f"the others differ by at most {steps.largest:,} steps"
    )


def step_labels(steps: StepHistogram) -> list[str]:
    """What is counted in each place of the histogram."""
    last = len(steps.counts) - 1
    return [*map(str, range(last)), f"{last} and more"]


def _steps(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _finite(layer: LayerComparison) -> list[float]:
    return [ratio for ratio in (layer.quantized, layer.c) if ratio is not None and abs(ratio) < float("inf")]
