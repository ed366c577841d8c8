"""A report as tables in the terminal. Without colours, and piped to a file, it reads the same."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinycc.report import figures

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
    console.print(_cost_table(report, console))
    for fallback in report["fallbacks"]:
        console.print(Text(f"fallback: {fallback['name']}: {fallback['reason']}", style="yellow"))


def _table(title: str, columns: Iterable[str]) -> Table:
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
    arena, bound, weights = report["arena_bytes"], report["lower_bound_bytes"], report["weight_bytes"]
    state = f"{report['state_bytes']:,} B of it state" if report["state_bytes"] else ""
    extra = f"{report['extra_macs']:,} of them recomputed" if report["extra_macs"] else ""
    rows = [
        ("arena", f"{arena:,} B", ", ".join(filter(None, (figures.format_bytes(arena), state)))),
        ("lower bound", f"{bound:,} B", figures.describe_optimality(report)),
        ("constants", f"{weights:,} B", figures.format_bytes(weights)),
        (
            "MACs",
            f"{report['macs']:,}",
            ", ".join(filter(None, (figures.format_count(report["macs"]), extra))),
        ),
    ]
    for name, value, note in rows:
        table.add_row(Text(name), Text(value, style="bold"), Text(note, style="dim"))
    return table


def _print_budgets(report: figures.Report, console: Console) -> None:
    """A line for each budget that was given, and why the arena does not fit."""
    console.print()
    for budget in figures.budgets(report):
        if budget.limit_bytes is None:
            console.print(Text(f"{budget.memory}: {budget.verdict}", style="dim"))
            continue
        used = f"{budget.memory}: {budget.content} {budget.used_bytes:,} B of {budget.limit_bytes:,} B: "
        console.print(Text(used).append(budget.verdict, style="bold green" if budget.fits else "bold red"))
    excess = figures.explain_excess(report)
    if excess:
        console.print(Text(excess))
    console.print()


def _peak_table(report: figures.Report, console: Console) -> Table:
    """What lives at the peak, the top of the arena first, and how it adds up."""
    peak = figures.peak_moment(report)
    roles = console.width >= ROOM_FOR_ROLES
    columns = ["tensor", "role", "type"] if roles else ["tensor"]
    table = _table(f"At the peak: operator {peak.step}, {peak.operator}", [*columns, ">offset", ">bytes"])
    for tensor in peak.tensors:
        row = [_cell(tensor["name"])]
        if roles:
            row += [_cell(tensor["kind"]), _cell(figures.format_type(tensor["dtype"], tensor["shape"]))]
        table.add_row(*row, f"{tensor['offset']:,}", f"{tensor['bytes']:,}")
    blank = [""] * len(columns)
    if peak.shared_bytes:
        table.add_row("shared in place", *blank, f"-{peak.shared_bytes:,}", style="dim")
    table.add_row("bytes covered", *blank, f"{peak.covered_bytes:,}", style="bold")
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
    table = _table("Operators", columns + (["computation"] if details else []))
    for step, operator in enumerate(report["operators"]):
        row: list[str | Text] = [str(step), _cell(operator["name"]), f"{operator['live_bytes']:,}"]
        if bars:
            row.append(Text(_bar(operator["live_bytes"], report["arena_bytes"]), justify="left"))
        row += [_number(operator[cost]) for cost in costs]
        if details:
            row.append(_cell(operator["description"], style="dim"))
        table.add_row(*row, style="bold" if step == report["peak_step"] else "")
    return table


def _number(count: int) -> str:
    """A number with separators; nothing for zero, so that what costs stands out."""
    return f"{count:,}" if count else ""


def _bar(part: int, whole: int) -> str:
    """A bar of `BAR_CELLS` cells, filled from the left by eighths of a cell; what is not zero shows."""
    eighths = max(round(8 * BAR_CELLS * part / whole), 1) if part and whole else 0
    return ("█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]).ljust(BAR_CELLS)
