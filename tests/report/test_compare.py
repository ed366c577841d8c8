"""Two reports beside each other."""

import io
from typing import Any

from rich.console import Console

from tests.report.reports import operator, staged_report, two_step_report
from tinycc.report.compare import differing_operators, print_comparison


def compared(one: dict[str, Any], other: dict[str, Any], width: int = 100) -> str:
    stream = io.StringIO()
    print_comparison([one, other], ["first", "second"], Console(file=stream, width=width))
    return stream.getvalue()


def test_a_report_is_the_same_as_itself() -> None:
    assert differing_operators(two_step_report(), two_step_report()) == []
    text = compared(two_step_report(), two_step_report())
    assert "Operators that differ" not in text
    assert "The same in both: 2 of 2 operators" in text


def test_costs_and_their_difference_are_told() -> None:
    rows = [line.split() for line in compared(two_step_report(), staged_report()).splitlines()]
    lines = {row[0]: row[1:] for row in rows if row}
    assert lines["arena"] == ["3,000", "B", "1,250", "B", "-1,750", "-58.3%"]
    assert lines["MACs"] == ["67,890", "67,890"]
    assert "extra" not in lines


def test_the_peaks_stand_beside_each_other() -> None:
    text = compared(two_step_report(), staged_report())
    assert "operator 1, add_1, in stage_0 (row call 4 of 8)" in " ".join(text.split())
    assert any("hidden" in line and "audio" in line for line in text.splitlines())
    assert any("3,000" in line and "1,250" in line for line in text.splitlines())


def test_operators_differ_in_what_is_told_of_them() -> None:
    one, other = two_step_report(), two_step_report()
    other["operators"][0]["variant"] = "dsp"
    [difference] = differing_operators(one, other)
    assert difference.name == "conv2d_0"
    assert difference.traits == [("kernel", "portable", "dsp")]


def test_an_operator_that_only_one_has_is_told() -> None:
    other = two_step_report()
    other["operators"].append(operator("softmax_0", kind="softmax"))
    [difference] = differing_operators(two_step_report(), other)
    assert difference.one is None and difference.other is not None
    assert "softmax_0" in compared(two_step_report(), other)


def test_names_are_not_taken_for_markup() -> None:
    hostile = two_step_report(model="[bold]x[/nonsense]")
    hostile["operators"][0]["name"] = "[red]conv"
    text = compared(two_step_report(), hostile)
    assert "[bold]x[/nonsense]" in text
    assert "[red]conv" in text


def test_every_line_fits_the_terminal() -> None:
    text = compared(two_step_report(), staged_report(), 60)
    assert all(len(line) <= 60 for line in text.splitlines())
