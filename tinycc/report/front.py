"""The schedules that were considered as points: what each needs against what it costs, in pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinycc.report.figures import Report, ScheduleLine, format_bytes, format_count, schedule_lines
from tinycc.report.geometry import byte_tick

WIDTH = 540.0
LEFT_MARGIN = 56.0
RIGHT_MARGIN = 24.0
TOP_MARGIN = 36.0
PLOT_HEIGHT = 150.0
MOST_TICKS = 6


@dataclass(frozen=True)
class Point:
    """A schedule; hollow where what it needs is a bound."""

    x: float
    y: float
    is_chosen: bool
    is_exact: bool
    tip: str


@dataclass(frozen=True)
class Tick:
    """A place at an axis and its text."""

    place: float
    text: str


@dataclass(frozen=True)
class Plot:
    """One cost against memory; `path` joins the points that no other beats in both."""

    title: str
    left: float
    right: float
    top: float
    bottom: float
    points: list[Point]
    path: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    sram_x: float | None
    sram_text: str


def draw_front(report: Report) -> list[Plot]:
    """Instructions against memory, and extra MACs where there are any; [] where there is no choice."""
    lines = schedule_lines(report)
    if len(lines) < 2:
        return []
    least = min(line.instructions for line in lines)
    title = f"predicted instructions beyond {format_count(least)}"
    plots = [_plot(report, lines, title, lambda line: line.instructions - least)]
    if any(line.extra_macs for line in lines):
        plots.append(_plot(report, lines, "extra MACs", lambda line: line.extra_macs))
    return plots


def _plot(
    report: Report, lines: Sequence[ScheduleLine], title: str, cost: Callable[[ScheduleLine], int]
) -> Plot:
    sram = report["sram_bytes"]
    most_bytes = max(line.needs_bytes for line in lines)
    most_cost = max(1, *(cost(line) for line in lines))
    width = WIDTH - LEFT_MARGIN - RIGHT_MARGIN

    def x(size: int) -> float:
        return LEFT_MARGIN + width * size / most_bytes

    def y(value: float) -> float:
        return TOP_MARGIN + PLOT_HEIGHT * (1 - value / most_cost)

    points = [
        Point(x(line.needs_bytes), y(cost(line)), line.is_chosen, line.is_exact, _tip(line)) for line in lines
    ]
    byte_step, cost_step = _step(most_bytes, base=2), _step(most_cost, base=10)
    shown = sram if sram is not None and sram <= most_bytes else None
    return Plot(
        title=title,
        left=LEFT_MARGIN,
        right=WIDTH - RIGHT_MARGIN,
        top=TOP_MARGIN,
        bottom=TOP_MARGIN + PLOT_HEIGHT,
        points=points,
        path="M" + "L".join(f"{point.x:.1f},{point.y:.1f}" for point in _unbeaten(points)),
        x_ticks=[Tick(x(size), byte_tick(size, byte_step)) for size in range(0, most_bytes + 1, byte_step)],
        y_ticks=[Tick(y(value), format_count(value)) for value in range(0, most_cost + 1, cost_step)],
        sram_x=None if shown is None else x(shown),
        sram_text="" if shown is None else f"SRAM {format_bytes(shown)}",
    )


def _unbeaten(points: Sequence[Point]) -> list[Point]:
    """Points of less cost, which lie lower, than all that need less memory."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.x, -point.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return front


def _tip(line: ScheduleLine) -> str:
    needs = f"{'' if line.is_exact else 'at least '}{line.needs_bytes:,} B"
    extra = f", {line.extra_macs:,} extra MACs" if line.extra_macs else ""
    costs = f"{line.instructions:,} instructions predicted, {line.row_calls:,} row calls{extra}"
    return "\n".join(
        filter(None, (line.name, needs, costs, "chosen" if line.is_chosen else "", line.verdict))
    )


def _step(most: int, base: int) -> int:
    """A round distance of ticks, in powers of two or as 1, 2, 5, 10: at most MOST_TICKS of them."""
    steps = (2**power for power in range(64)) if base == 2 else (
        digit * 10**power for power in range(19) for digit in (1, 2, 5)
    )  # fmt: skip
    return next(step for step in steps if math.floor(most / step) <= MOST_TICKS)
