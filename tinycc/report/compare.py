"""Two reports beside each other: what differs, and what lives at the peak of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinycc.report import figures
from tinycc.report.figures import Entry, Report

FIGURES = (
    ("arena", "arena_bytes", "B"),
    ("lower bound", "lower_bound_bytes", "B"),
    ("constants", "weight_bytes", "B"),
    ("MACs", "macs", ""),
    ("extra MACs", "extra_macs", ""),
)
LETTERS = ("A", "B")
# What tells two operators apart, with its heading.
TRAITS = (
    ("output_shape", "output"),
    ("variant", "kernel"),
    ("stage", "stage"),
    ("live_bytes", "live bytes"),
    ("macs", "MACs"),
    ("weight_bytes", "constants"),
    ("in_place", "in place over"),
)


@dataclass(frozen=True)
class Difference:
    """An operator that is not the same in both; None where one of them does not have it."""

    name: str
    one: Entry | None
    other: Entry | None

    @property
    def traits(self) -> list[tuple[str, str, str]]:
        """Heading and both values of each trait that differs; [] where only one report has it."""
        if self.one is None or self.other is None:
            return []
        return [
            (heading, _text(self.one[key]), _text(self.other[key]))
            for key, heading in TRAITS
            if self.one[key] != self.other[key]
        ]


def differing_operators(one: Report, other: Report) -> list[Difference]:
    """Operators that differ, by name, in order of execution."""
    ours = {operator["name"]: operator for operator in one["operators"]}
    theirs = {operator["name"]: operator for operator in other["operators"]}
    found = [Difference(name, ours.get(name), theirs.get(name)) for name in dict.fromkeys([*ours, *theirs])]
    return [item for item in found if item.traits or item.one is None or item.other is None]


def print_comparison(reports: Sequence[Report], labels: Sequence[str], console: Console) -> None:
    """Two reports: costs, what is live at the peak of each, operators that differ.

    labels: where each comes from; the tables call them A and B.
    """
    for letter, label, report in zip(LETTERS, labels, reports, strict=True):
        console.print(
            Text(f"{letter}  {label}: {report['model']} on {report['target']}, {_schedule(report)}")
        )
    console.print()
    console.print(_figure_table(reports))
    console.print(_peak_table(reports))
    differences = differing_operators(*reports)
    if differences:
        console.print(_operator_table(differences))
    names = {operator["name"] for report in reports for operator in report["operators"]}
    console.print(Text(f"The same in both: {len(names) - len(differences)} of {len(names)} operators", "dim"))


def _schedule(report: Report) -> str:
    return figures.describe_stages(*figures.stage_sizes(report))


def _table(title: str, headings: Sequence[str], numbers: Sequence[int]) -> Table:
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index in numbers else "left", overflow="fold")
    return table


def _figure_table(reports: Sequence[Report]) -> Table:
    table = _table("Costs", ["", *LETTERS, "difference", ""], (1, 2, 3, 4))
    for heading, key, unit in FIGURES:
        one, other = (int(report[key]) for report in reports)
        if one or other:
            table.add_row(heading, *(f"{value:,} {unit}" for value in (one, other)), *_change(one, other))
    predicted = [figures.predicted_instructions(report) or 0 for report in reports]
    if all(predicted):
        table.add_row("instructions", *(f"{count:,}" for count in predicted), *_change(*predicted))
    table.add_row("peak", *(Text(report["peak_operator"]) for report in reports), "", "")
    table.add_row("operators", *(str(len(report["operators"])) for report in reports), "", "")
    return table


def _change(one: int, other: int) -> tuple[str, str]:
    if one == other:
        return "", ""
    return f"{other - one:+,}", f"{100 * (other - one) / one:+.1f}%" if one else ""


def _peak_table(reports: Sequence[Report]) -> Table:
    table = _table("At the peak", ["A", "bytes", "B", "bytes"], (1, 3))
    peaks = [figures.peak_moment(report) for report in reports]
    live = [sorted(peak.tensors, key=lambda tensor: -int(tensor["bytes"])) for peak in peaks]
    table.add_row(Text(peaks[0].moment, style="dim"), "", Text(peaks[1].moment, style="dim"), "")
    for pair in zip_longest(*live):
        cells = [[Text(tensor["name"]), f"{tensor['bytes']:,}"] if tensor else ["", ""] for tensor in pair]
        table.add_row(*cells[0], *cells[1])
    if any(peak.shared_bytes for peak in peaks):
        shared = [f"-{peak.shared_bytes:,}" if peak.shared_bytes else "" for peak in peaks]
        table.add_row("shared in place", shared[0], "shared in place", shared[1], style="dim")
    table.add_row("", f"{peaks[0].covered_bytes:,}", "", f"{peaks[1].covered_bytes:,}", style="bold")
    return table


def _operator_table(differences: Sequence[Difference]) -> Table:
    table = _table("Operators that differ", ["operator", "", *LETTERS], ())
    for difference in differences:
        if not difference.traits:
            table.add_row(Text(difference.name), "", *_presence(difference))
        for index, (heading, one, other) in enumerate(difference.traits):
            table.add_row(Text("" if index else difference.name), heading, Text(one), Text(other))
    return table


def _presence(difference: Difference) -> tuple[Text, Text]:
    """The kind of an operator that only one of the two has."""
    kinds = [
        Text("-" if entry is None else figures.operator_kind(entry))
        for entry in (difference.one, difference.other)
    ]
    return kinds[0], kinds[1]


def _text(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    return "-" if value is None else str(value)
