"""Model files and runs as tables in the terminal."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinycc.frontend.description import ModelDescription, TensorDescription
from tinycc.run import RunResult

_RUN_ROWS = (
    ("instructions", "per inference"),
    ("stack_bytes", "deepest use below the call"),
    ("ram_bytes", ".data + .bss of the model"),
    ("flash_bytes", "code and constants of the model"),
    ("code_bytes", ""),
    ("const_bytes", ""),
)


def print_run(result: RunResult, report: dict[str, Any], console: Console) -> None:
    """What a run cost, and the instructions of each operator where they were counted."""
    figures = result.to_json()
    cases = "1 case" if result.cases == 1 else f"{result.cases} cases"
    note = f" ({result.inputs_text})" if result.inputs_text else ""
    console.print(Text(f"{report['model']} on {result.board}: {cases}{note}", style="bold"))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for key, meaning in _RUN_ROWS:
        if key in figures:
            table.add_row(key.replace("_bytes", ""), _count(figures[key], key), Text(meaning, style="dim"))
    console.print(table)
    if result.operator_instructions:
        console.print(_profile(result, report))


def print_link(report: dict[str, Any], console: Console) -> None:
    """The memory of linked models, beside what they would take without sharing."""
    console.print(Text(f"{report['name']} for {report['target']}", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", overflow="ellipsis", no_wrap=True)
    for heading in ("an inference", "states", "constants in flash"):
        table.add_column(heading, justify="right", no_wrap=True)
    for model in report["models"]:
        sizes = (model["work_bytes"], model["state_bytes"], model["weight_bytes"])
        table.add_row(model["name"], *(f"{size:,} B" for size in sizes))
    console.print(table)
    console.print(
        f"memory {report['memory_bytes']:,} B: {report['shared_bytes']:,} B shared, "
        f"{report['state_bytes']:,} B of states; apart the models would take {report['separate_bytes']:,} B"
    )


def _count(value: int, key: str) -> Text:
    return Text(f"{value:,} B" if key.endswith("_bytes") else f"{value:,}", style="bold", justify="right")


def _profile(result: RunResult, report: dict[str, Any]) -> Table:
    table = Table(title="Instructions", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("operator", overflow="ellipsis", no_wrap=True)
    for heading in ("instructions", "predicted", "share", "MACs", "per MAC"):
        table.add_column(heading, justify="right", no_wrap=True)
    counts = result.operator_instructions or []
    total = max(sum(counts), 1)
    for operator, count in zip(report["operators"], counts, strict=True):
        macs, predicted = operator["macs"], operator.get("predicted_instructions")
        table.add_row(
            operator["name"],
            f"{count:,}",
            f"{predicted / max(count, 1) - 1:+.0%}" if predicted is not None else "",
            f"{count / total:.1%}",
            f"{macs:,}" if macs else "",
            f"{count / macs:.2f}" if macs else "",
        )
    return table


def print_description(description: ModelDescription, console: Console) -> None:
    """Inputs, operators and outputs of a model file; what is not supported, and why."""
    console.print(Text(f"{description.path.name} ({description.format})", style="bold"))
    for role, tensors in (("input", description.inputs), ("output", description.outputs)):
        for tensor in tensors:
            console.print(Text(f"  {role} {_edge_text(tensor)}"), soft_wrap=True)
    console.print(f"  {description.weight_bytes:,} bytes of constants, {description.macs:,} MACs")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right")
    for heading in ("operator", "inputs", "output", "quantization"):
        table.add_column(heading, overflow="fold")
    table.add_column("MACs", justify="right")
    table.add_column("supported", overflow="fold")
    for operator in description.operators:
        verdict = Text("yes") if operator.supported else Text(f"no: {operator.reason}", style="red")
        table.add_row(
            str(operator.index),
            Text(operator.kind),
            " ".join(map(_shape, operator.inputs)),
            f"{operator.dtype}{_shape(operator.output)}",
            Text(operator.quantization),
            f"{operator.macs:,}" if operator.macs else "",
            verdict,
        )
    # A terminal folds what does not fit; a file or a pipe has no width.
    if not console.is_terminal:
        natural = console.measure(table, options=console.options.update(width=10_000))
        console.width = max(console.width, natural.maximum)
    console.print(table)


def _edge_text(tensor: TensorDescription) -> str:
    text = f"{tensor.name}: {tensor.dtype}{_shape(tensor.shape)}"
    return f"{text}, {tensor.quantization}" if tensor.quantization else text


def _shape(shape: tuple[int, ...]) -> str:
    return f"({','.join(map(str, shape))})"
