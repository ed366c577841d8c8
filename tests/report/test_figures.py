"""Numbers as text, budgets and the peak."""

import pytest

from tests.report.reports import tensor, two_step_report
from tinycc.report import figures


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 18, "1.25 MiB")]
)
def test_bytes_are_in_binary_units(count: int, text: str) -> None:
    assert figures.format_bytes(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (21056, "21.1 k"), (12501632, "12.5 M"), (1200000000, "1.20 G")],
)
def test_operations_are_in_decimal_units(count: int, text: str) -> None:
    assert figures.format_count(count) == text


def test_budget_says_how_much_is_left_or_missing() -> None:
    sram, flash = figures.budgets(two_step_report(sram_bytes=2900, flash_bytes=20000))
    assert not sram.fits
    assert sram.verdict == "does not fit, 100 B too much"
    assert flash.fits
    assert flash.verdict == "fits, 7,655 B to spare"


def test_budget_met_to_the_byte_fits() -> None:
    assert figures.budgets(two_step_report(sram_bytes=3000))[0].fits


def test_excess_is_blamed_on_the_bound_or_on_the_placement() -> None:
    assert "lower bound alone is 100 B over" in figures.explain_excess(two_step_report(sram_bytes=2900))
    loose = two_step_report(sram_bytes=2900, lower_bound_bytes=2800, optimal=False)
    assert "the placement loses 200 B" in figures.explain_excess(loose)
    assert figures.explain_excess(two_step_report()) == ""
    assert figures.explain_excess(two_step_report(sram_bytes=3000)) == ""


def test_gap_to_the_bound_is_told_with_its_proof() -> None:
    assert figures.describe_optimality(two_step_report()) == "the arena meets it"
    loose = two_step_report(lower_bound_bytes=2800)
    assert figures.describe_optimality(loose) == "the arena is 200 B above, proved optimal"


def test_covered_bytes_count_shared_ones_once() -> None:
    tensors = [
        tensor("a", 10, 0, 0, 0, "input"),
        tensor("b", 10, 5, 0, 0, "output"),
        tensor("c", 4, 20, 0, 0, "scratch"),
    ]
    assert figures.covered_bytes(tensors) == 19


def test_peak_lists_live_tensors_from_the_top_and_adds_up() -> None:
    peak = figures.peak_moment(two_step_report())
    assert [entry["name"] for entry in peak.tensors] == ["hidden", "scores", "audio"]
    assert (peak.sum_bytes, peak.shared_bytes, peak.covered_bytes) == (5000, 2000, 3000)
