"""A report as tables in the terminal. Without colours, and piped to a file, it reads the same."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinycc.report import explain, figures

BAR_CELLS = 12
ROOM_FOR_ROLES = 72
ROOM_FOR_BARS = 84
ROOM_FOR_DETAILS = 110


def print_report(report: figures.Report, console: Console) -> None:
    """Memory, budgets, peak moment and operators of a report."""
    console.print(Text(f"{report['model']} on {report['target']}", style="bold"))
    console.print(_memory_table(report))
    _print_budgets(report, console)
    console.print(_peak_table(report, console))
    if len(report["bottlenecks"]) > 1:
        console.print(_bottleneck_table(report))
    if report["schedules"]:
        console.print(_schedule_table(report))
    console.print(_cost_table(report, console))
    step = figures.training_report(report)
    if step is not None:
        _print_step(report, step, console)
    for fallback in report["fallbacks"]:
        console.print(Text(f"fallback: {fallback['name']}: {fallback['reason']}", style="yellow"))
    for note in report.get("notes", ()):
        console.print(Text(f"note: {note}", style="yellow"))


def _print_step(report: figures.Report, step: figures.Report, console: Console) -> None:
    """What a training step needs, beside an inference: live bytes and work, its peak and its operators."""
    table = empty_table("A training step", ["", ">live bytes", ">MACs", ">operators"])
    for name, shown in (("an inference", report), ("a training step", step)):
        counts = (shown["lower_bound_bytes"], shown["macs"], len(shown["operators"]))
        table.add_row(name, *(f"{count:,}" for count in counts))
    console.print(table)
    console.print(_peak_table(step, console))
    console.print(_cost_table(step, console))


def empty_table(title: str, columns: Iterable[str]) -> Table:
    """An empty table; a column whose heading begins with `>` holds numbers, which are never cut."""
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in columns:
        if heading.startswith(">"):
            table.add_column(heading[1:], justify="right", no_wrap=True)
        else:
            table.add_column(heading)
    return table


def _cell(text: str, style: str = "") -> Text:
    """A text from the report, on one line; where the terminal is narrow it ends in an ellipsis."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _memory_table(report: figures.Report) -> Table:
    """Arena, bound, constants and work of one inference."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    fullest = figures.fullest_report(report)
    arena, bound, weights = report["arena_bytes"], fullest["lower_bound_bytes"], report["weight_bytes"]
    state = f"{report['state_bytes']:,} B of it state" if report["state_bytes"] else ""
    extra = f"{report['extra_macs']:,} more computed again" if report["extra_macs"] else ""
    dead = f"{report['dead_macs']:,} without influence left out" if report["dead_macs"] else ""
    whole = report["whole_schedule"]
    rows = [
        ("arena", f"{arena:,} B", ", ".join(filter(None, (figures.format_bytes(arena), state)))),
        ("lower bound", f"{bound:,} B", figures.describe_optimality(fullest)),
        ("constants", f"{weights:,} B", figures.format_bytes(weights)),
        (
            "MACs",
            f"{report['macs']:,}",
            ", ".join(filter(None, (figures.format_count(report["macs"]), extra, dead))),
        ),
    ]
    if whole:
        share = figures.format_share(arena, whole["arena_bytes"])
        rows.insert(1, ("whole tensors", f"{whole['arena_bytes']:,} B", f"the arena is {share} of it"))
    predicted = figures.predicted_instructions(report)
    if predicted:
        rows.append(("instructions", f"{predicted:,}", _against_whole(predicted, whole)))
    rows.append(("operators", f"{len(report['operators']):,}", figures.describe_variants(report)))
    for name, value, note in rows:
        table.add_row(Text(name), Text(value, style="bold"), Text(note, style="dim"))
    return table


def _against_whole(predicted: int, whole: figures.Report | None) -> str:
    """How the predicted instructions stand to those of whole tensors."""
    other = figures.predicted_instructions(whole) if whole else None
    return f"predicted, {predicted / other - 1:+.2%} against whole tensors" if other else "predicted"


def _print_budgets(report: figures.Report, console: Console) -> None:
    """A line for each budget that was given, and why the arena does not fit."""
    console.print()
    for budget in figures.budgets(report):
        if budget.limit_bytes is None:
            console.print(Text(f"{budget.memory}: {budget.verdict}", style="dim"))
            continue
        used = f"{budget.memory}: {budget.content} {budget.used_bytes:,} B of {budget.limit_bytes:,} B: "
        console.print(Text(used).append(budget.verdict, style="bold green" if budget.fits else "bold red"))
    for sentence in explain.explain_excess(report):
        console.print(Text(sentence))
    console.print()


def _peak_table(report: figures.Report, console: Console) -> Table:
    """What is live at the peak, the top of the arena first, how it adds up and what would be saved."""
    peak = figures.peak_moment(report)
    roles = console.width >= ROOM_FOR_ROLES
    columns = ["tensor", "role", "type"] if roles else ["tensor"]
    numbers = [">offset", ">bytes", ">saved without"]
    table = empty_table(f"At the peak: {peak.moment}", [*columns, *numbers])
    for tensor in peak.tensors:
        row = [_cell(tensor["name"])]
        if roles:
            row += [_cell(tensor["kind"]), _cell(figures.tensor_type(tensor))]
        sizes = (f"{tensor['offset']:,}", f"{tensor['bytes']:,}", _number(tensor["cost_bytes"]))
        table.add_row(*row, *sizes)
    blank = [""] * len(columns)
    if peak.shared_bytes:
        table.add_row(_cell("shared in place"), *blank, f"-{peak.shared_bytes:,}", style="dim")
    table.add_row(_cell("bytes covered"), *blank, f"{peak.covered_bytes:,}", style="bold")
    return table


def _bottleneck_table(report: figures.Report) -> Table:
    """The steps that need most, each with what would do if those above it were gone."""
    table = empty_table(
        "Bottlenecks: what comes next if the steps above were gone", ["step", ">live bytes", "with"]
    )
    for index, bottleneck in enumerate(report["bottlenecks"]):
        name = Text(explain.bottleneck_name(bottleneck))
        live = _cell(", ".join(bottleneck["tensors"]), style="dim")
        table.add_row(name, f"{bottleneck['live_bytes']:,}", live, style="" if index else "bold")
    return table


def _schedule_table(report: figures.Report) -> Table:
    """What budget each schedule that was considered needs, and what it costs."""
    lines = figures.schedule_lines(report)
    again = any(line.extra_macs for line in lines)
    columns = ["schedule", ">SRAM", ">row calls", *([">extra MACs"] if again else []), ">instructions", ""]
    table = empty_table("Schedules considered, least memory first", columns)
    for line in lines:
        needs = f"{line.needs_bytes:,}" if line.is_exact else f">={line.needs_bytes:,}"
        costs = [_number(line.row_calls), *([_number(line.extra_macs)] if again else [])]
        costs.append(f"{line.instructions:,}")
        note = ", ".join(filter(None, ("chosen" if line.is_chosen else "", line.verdict)))
        table.add_row(_cell(line.name), needs, *costs, note, style="bold" if line.is_chosen else "")
    return table


def _cost_table(report: figures.Report, console: Console) -> Table:
    """The operators in order of execution; a wide terminal shows bars of live bytes and details too."""
    bars = console.width >= ROOM_FOR_BARS and not console.options.ascii_only
    details = console.width >= ROOM_FOR_DETAILS
    costs = ["macs", "weight_bytes"]
    columns = [">#", "operator", ">live bytes", *([">"] if bars else []), ">MACs", ">constants"]
    if any(operator["scratch_bytes"] for operator in report["operators"]) and console.width >= ROOM_FOR_ROLES:
        costs.append("scratch_bytes")
        columns.append(">scratch")
    table = empty_table("Operators", columns + (["kernel", "computation"] if details else []))
    for step, operator in enumerate(report["operators"]):
        row: list[str | Text] = [str(step), _cell(operator["name"]), f"{operator['live_bytes']:,}"]
        if bars:
            row.append(Text(_bar(operator["live_bytes"], report["arena_bytes"]), justify="left"))
        row += [_number(operator[cost]) for cost in costs]
        if details:
            row += [_cell(operator["variant"]), _cell(operator["description"], style="dim")]
        table.add_row(*row, style="bold" if step == report["peak_step"] else "")
    return table


def _number(count: int) -> str:
    """A number with separators; nothing for zero, so that what costs stands out."""
    return f"{count:,}" if count else ""


def _bar(part: int, whole: int) -> str:
    """A bar of `BAR_CELLS` cells, filled from the left by eighths of a cell; what is not zero shows."""
    eighths = max(round(8 * BAR_CELLS * part / whole), 1) if part and whole else 0
    return ("█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]).ljust(BAR_CELLS)
