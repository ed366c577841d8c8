"""Two small pictures of the arena at one scale, in pixels.

The chosen schedule stands beside whole tensors, and a training step beside an inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinycc.report.blocks import Block, Overlap, StageFrame, draw_blocks, draw_stages
from tinycc.report.figures import Report, describe_stages, format_bytes, stage_sizes, training_report
from tinycc.report.geometry import Mark, Scale, draw_ticks, peak_place

WIDTH = 540.0
LEFT_MARGIN = 40.0
TOP_MARGIN = 18.0
PLOT_HEIGHT = 220.0
MOST_TICKS = 6


@dataclass(frozen=True)
class Panel:
    """The arena of one schedule and when its peak is."""

    title: str
    left: float
    right: float
    top: float
    bottom: float
    blocks: list[Block]
    overlaps: list[Overlap]
    stages: list[StageFrame]
    ticks: list[Mark]
    arena: Mark
    sram: Mark | None
    sram_exceeded: bool
    moment_x: float
    peak_text: str


def draw_panels(report: Report) -> list[Panel]:
    """Whole tensors, then the chosen schedule; [] where whole tensors were chosen."""
    whole = report["whole_schedule"]
    if whole is None:
        return []
    titled = [
        (f"{describe_stages(*stage_sizes(schedule))}: {schedule['arena_bytes']:,} B", schedule)
        for schedule in (whole, report)
    ]
    return _panels(titled, report["sram_bytes"])


def draw_training(report: Report) -> list[Panel]:
    """An inference, then a training step; [] where there is none."""
    step = training_report(report)
    if step is None:
        return []
    titled = [
        (f"{title}: {shown['lower_bound_bytes']:,} B are live at the peak", shown)
        for title, shown in (("an inference", report), ("a training step", step))
    ]
    return _panels(titled, report["sram_bytes"])


def _panels(titled: Sequence[tuple[str, Report]], sram: int | None) -> list[Panel]:
    top_bytes = max(1, *(schedule["arena_bytes"] for _, schedule in titled))
    steps = max(1, *(len(schedule["operators"]) for _, schedule in titled))
    scale = Scale(LEFT_MARGIN, TOP_MARGIN, PLOT_HEIGHT, (WIDTH - LEFT_MARGIN - 8) / steps, top_bytes)
    return [_panel(title, schedule, sram, scale) for title, schedule in titled]


def _panel(title: str, schedule: Report, sram: int | None, scale: Scale) -> Panel:
    blocks, overlaps = draw_blocks(schedule, scale, with_labels=False)
    arena = schedule["arena_bytes"]
    is_shown = sram is not None and sram <= scale.top_bytes
    return Panel(
        title=title,
        left=LEFT_MARGIN,
        right=scale.x(len(schedule["operators"])),
        top=TOP_MARGIN,
        bottom=TOP_MARGIN + PLOT_HEIGHT,
        blocks=blocks,
        overlaps=overlaps,
        stages=draw_stages(schedule, scale),
        ticks=draw_ticks(scale, MOST_TICKS),
        arena=Mark(scale.y(arena), format_bytes(arena)),
        sram=Mark(scale.y(sram), f"SRAM {format_bytes(sram)}") if sram is not None and is_shown else None,
        sram_exceeded=sram is not None and sram < arena,
        moment_x=scale.x(peak_place(schedule)),
        peak_text=f"peak: {schedule['peak_operator']}",
    )
