"""Schedules as points."""

import pytest

from tests.report.reports import schedule, staged_report, two_step_report
from tinycc.report.front import draw_front

SCHEDULES = [schedule(1250, 8, [2], is_chosen=True), schedule(2000, 4, [2, 3]), schedule(2990, 0, [])]


def test_points_lie_where_memory_and_cost_say() -> None:
    [plot] = draw_front(staged_report(schedules=SCHEDULES))
    chosen, middle, whole = plot.points
    width, height = plot.right - plot.left, plot.bottom - plot.top
    assert chosen.x == pytest.approx(plot.left + width * 1250 / 3000)
    assert (whole.x, whole.y) == (pytest.approx(plot.right), pytest.approx(plot.bottom))
    assert middle.y == pytest.approx(plot.top + height / 2)
    assert [point.is_chosen for point in plot.points] == [True, False, False]
    assert [point.is_exact for point in plot.points] == [True, False, True]


def test_extra_macs_have_a_plot_where_there_are_any() -> None:
    patched = [*SCHEDULES, schedule(900, 16, [4], macs=70000, extra_macs=2110)]
    assert [plot.title for plot in draw_front(staged_report(schedules=patched))] == [
        "predicted instructions beyond 100.0 k",
        "extra MACs",
    ]


def test_the_budget_is_a_line_where_it_is_within_the_plot() -> None:
    [plot] = draw_front(staged_report(schedules=SCHEDULES, sram_bytes=1500))
    assert plot.sram_x == pytest.approx(plot.left + (plot.right - plot.left) / 2)
    [plot] = draw_front(staged_report(schedules=SCHEDULES, sram_bytes=5000))
    assert plot.sram_x is None


def test_there_is_no_plot_without_a_choice() -> None:
    assert draw_front(two_step_report()) == []
    assert draw_front(staged_report(schedules=SCHEDULES[:1])) == []


@pytest.mark.parametrize("most", [1, 7, 320, 99_999, 10**9])
def test_ticks_are_few_and_start_at_zero(most: int) -> None:
    lines = [schedule(1250, most, [2], is_chosen=True), schedule(2990, 0, [])]
    [plot] = draw_front(staged_report(schedules=lines))
    assert 2 <= len(plot.y_ticks) <= 7
    assert plot.y_ticks[0].text == "0"


def test_the_line_joins_what_nothing_beats() -> None:
    beaten = schedule(2500, 6, [4])
    [plot] = draw_front(staged_report(schedules=[*SCHEDULES[:2], beaten, SCHEDULES[2]]))
    corners = [f"{point.x:.1f},{point.y:.1f}" for point in plot.points]
    assert plot.path == "M" + "L".join([corners[0], corners[1], corners[3]])
