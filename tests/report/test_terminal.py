"""The tables in the terminal, wide, narrow and piped."""

import io

import pytest
from rich.console import Console

from tests.report.reports import chain_report, two_step_report
from tinycc.report.figures import Report
from tinycc.report.terminal import print_report


def shown(report: Report, width: int = 100, encoding: str = "utf-8") -> str:
    """What a file of the given width would hold."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding) as stream:
        print_report(report, Console(file=stream, width=width))
        stream.flush()
        return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [50, 80, 120])
def test_figures_are_whole_at_any_width(width: int) -> None:
    text = shown(two_step_report(sram_bytes=2900, flash_bytes=20000), width)
    for figure in ("3,000 B", "12,345", "67,890", "100 B too much", "7,655 B to", "add_1", "-2,000"):
        assert figure in " ".join(text.split())
    assert all(len(line) <= width for line in text.splitlines())


def test_piped_output_has_no_escape_codes() -> None:
    assert "\x1b" not in shown(two_step_report(sram_bytes=2900))


def test_ascii_terminals_get_ascii() -> None:
    assert shown(two_step_report(), width=120, encoding="ascii").isascii()


def test_names_are_not_taken_for_markup() -> None:
    report = two_step_report(model="[bold]x[/nonsense]")
    report["operators"][0]["name"] = "[red]conv"
    text = shown(report)
    assert "[bold]x[/nonsense]" in text
    assert "[red]conv" in text


def test_missing_budgets_are_named() -> None:
    assert "SRAM: no budget given" in shown(two_step_report())


def test_fallbacks_are_listed_with_their_reason() -> None:
    text = shown(two_step_report(fallbacks=[{"name": "erf_3", "reason": "no kernel"}]))
    assert "fallback: erf_3: no kernel" in text


@pytest.mark.parametrize("length", [1, 150])
def test_every_operator_has_a_row(length: int) -> None:
    text = shown(chain_report(length))
    assert all(f"conv2d_{step}" in text for step in range(length))
