"""Numbers as text, budgets and the peak."""

import pytest

from tests.report.reports import schedule, staged_report, tensor, two_step_report
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


def test_the_peak_of_a_stage_is_a_row_call() -> None:
    peak = figures.peak_moment(staged_report())
    assert peak.moment == "operator 1, add_1, in stage_0 (row call 4 of 8)"
    assert [figures.tensor_type(entry) for entry in peak.tensors] == [
        "2 of 8 rows of int8 [1,250]",
        "int8 [1,1000]",
    ]


def test_the_arena_of_the_chosen_schedule_and_of_whole_tensors_is_known() -> None:
    schedules = [schedule(1250, 8, [2], is_chosen=True), schedule(2000, 4, [2, 3]), schedule(2990, 0, [])]
    lines = figures.schedule_lines(staged_report(schedules=schedules))
    assert [(line.needs_bytes, line.is_exact) for line in lines] == [
        (1250, True),
        (2000, False),
        (3000, True),
    ]
    assert [line.name for line in lines] == [
        "1 stage of 2 operators",
        "2 stages of 2 + 3 operators",
        "whole tensors",
    ]


def test_the_arena_of_a_schedule_that_was_planned_is_known() -> None:
    report = staged_report(schedules=[schedule(2000, 4, [2, 3], arena_bytes=2100)])
    [line] = figures.schedule_lines(report)
    assert (line.needs_bytes, line.is_exact) == (2100, True)


def test_what_is_not_planned_may_fit_only() -> None:
    schedules = [schedule(1250, 8, [2], is_chosen=True), schedule(2000, 4, [2, 3]), schedule(2990, 0, [])]
    lines = figures.schedule_lines(staged_report(schedules=schedules, sram_bytes=2000))
    assert [line.verdict for line in lines] == ["fits", "may fit", "does not fit"]


def test_stages_that_are_cut_say_so() -> None:
    assert figures.describe_stages([3, 2], ["1x1", "2x4"]) == "2 stages of 3 + 2 (2x4) operators"
    assert (
        figures.describe_stages([2] * 9, ["1x1"] * 8 + ["1x2"]) == "9 stages of 18 (1 of them cut) operators"
    )
    assert figures.describe_stages([], []) == "whole tensors"


def test_a_ring_of_narrow_rows_tells_its_columns() -> None:
    ring = staged_report()["tensors"][1]
    ring["ring"] |= {"columns": [2, 5]}
    assert figures.tensor_type(ring) == "2 of 8 rows, 2 of 5 columns of int8 [1,250]"


def test_instructions_are_predicted_where_all_operators_are() -> None:
    report = two_step_report()
    assert figures.predicted_instructions(report) == 80
    report["operators"][0]["predicted_instructions"] = None
    assert figures.predicted_instructions(report) is None
