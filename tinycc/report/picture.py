"""The arena over time as geometry: which tensor lies where, at which operator, in pixels.

The horizontal axis is the operator steps, one column each; the vertical axis is the byte offset, 0 at the
bottom. `draw_arena` computes every coordinate, the template only writes them down.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinycc.report.blocks import Block, Overlap, StageFrame, draw_blocks, draw_stages
from tinycc.report.figures import Entry, Report, format_bytes, format_count
from tinycc.report.geometry import FAMILY_LABELS, Mark, Scale, draw_ticks, operator_family, peak_place

PLOT_WIDTH = 1088.0
PLOT_HEIGHT = 400.0
LEFT_MARGIN = 64.0
TOP_MARGIN = 22.0
WIDEST_STEP = 180.0
STAGE_HEIGHT = 20.0
STRIP_HEIGHT = 20.0
CURVE_HEIGHT = 64.0
PANEL_GAP = 26.0


@dataclass(frozen=True)
class Column:
    """One operator step: its place, its bar of MACs, its tooltip."""

    step: int
    x: float
    number: str
    family: str
    macs_height: float
    tip: str


@dataclass(frozen=True)
class Picture:
    """All that the template draws, in pixels.

    peak_x: left edge of the column of the operator that runs at the peak; moment_x: the peak itself.
    """

    width: float
    height: float
    left: float
    right: float
    arena_top: float
    arena_bottom: float
    stage_top: float
    strip_top: float
    curve_top: float
    curve_bottom: float
    macs_bottom: float
    step_width: float
    peak_x: float
    moment_x: float
    peak_in_stage: bool
    blocks: list[Block]
    overlaps: list[Overlap]
    stages: list[StageFrame]
    columns: list[Column]
    ticks: list[Mark]
    arena: Mark
    sram: Mark | None
    sram_exceeded: bool
    live_path: str
    bound_y: float
    live_text: str
    macs_text: str
    legend: list[tuple[str, str]]


def draw_columns(operators: list[Entry], scale: Scale) -> list[Column]:
    """One column a step; numbers only as often as they can be read."""
    every = next((n for n in (1, 2, 5, 10, 20) if n * scale.step_width >= 22), 50)
    most = max((operator["macs"] for operator in operators), default=0) or 1
    columns = []
    for step, operator in enumerate(operators):
        place = f" in {operator['stage']}" if operator["stage"] else ""
        tip = "\n".join((
            f"{step}  {operator['name']}{place}",
            operator["description"],
            f"{operator['live_bytes']:,} B live, {operator['macs']:,} MACs",
        ))  # fmt: skip
        height = CURVE_HEIGHT * operator["macs"] / most
        number = str(step) if step % every == 0 else ""
        columns.append(Column(step, scale.x(step), number, operator_family(operator), height, tip))
    return columns


def draw_live(operators: list[Entry], scale: Scale, bottom: float, top_bytes: int) -> str:
    """The live bytes as the path of a stepped area."""
    path = [f"M{scale.x(0):.1f},{bottom:.1f}"]
    for step, operator in enumerate(operators):
        y = bottom - CURVE_HEIGHT * operator["live_bytes"] / top_bytes
        path.append(f"V{y:.1f}H{scale.x(step + 1):.1f}")
    return "".join([*path, f"V{bottom:.1f}Z"])


def draw_arena(report: Report) -> Picture:
    """The whole picture of a report."""
    operators, arena, sram = report["operators"], report["arena_bytes"], report["sram_bytes"]
    # A budget far above the arena would press the tensors flat; it has its own bar on the page.
    top_bytes = max(arena, sram if sram is not None and sram <= 1.3 * arena else 0, 1)
    step_width = min(PLOT_WIDTH / max(len(operators), 1), WIDEST_STEP)
    scale = Scale(LEFT_MARGIN, TOP_MARGIN, PLOT_HEIGHT, step_width, top_bytes)
    blocks, overlaps = draw_blocks(report, scale)
    columns = draw_columns(operators, scale)
    right = scale.x(len(operators))
    bottom = TOP_MARGIN + PLOT_HEIGHT
    stage_top = bottom + 6
    strip_top = stage_top + (STAGE_HEIGHT if report["stages"] else 2)
    curve_top = strip_top + STRIP_HEIGHT + PANEL_GAP
    curve_bottom = curve_top + CURVE_HEIGHT
    macs_bottom = curve_bottom + PANEL_GAP + CURVE_HEIGHT
    most_live = max((operator["live_bytes"] for operator in operators), default=0)
    live_top = max(report["lower_bound_bytes"], most_live, 1)
    used = {block.family for block in blocks} | {column.family for column in columns}
    most_macs = max((operator["macs"] for operator in operators), default=0)
    sram_shown = sram is not None and sram <= top_bytes
    return Picture(
        width=max(right, LEFT_MARGIN + PLOT_WIDTH) + 8,
        height=macs_bottom + 6,
        left=LEFT_MARGIN,
        right=right,
        arena_top=TOP_MARGIN,
        arena_bottom=bottom,
        stage_top=stage_top,
        strip_top=strip_top,
        curve_top=curve_top,
        curve_bottom=curve_bottom,
        macs_bottom=macs_bottom,
        step_width=scale.step_width,
        peak_x=scale.x(report["peak_step"]),
        moment_x=scale.x(peak_place(report)),
        peak_in_stage=bool(report["bottlenecks"] and report["bottlenecks"][0]["stage"]),
        blocks=blocks,
        overlaps=overlaps,
        stages=draw_stages(report, scale),
        columns=columns,
        ticks=draw_ticks(scale),
        arena=Mark(scale.y(arena), f"arena {format_bytes(arena)}"),
        sram=Mark(scale.y(sram), f"SRAM {format_bytes(sram)}") if sram_shown else None,
        sram_exceeded=sram is not None and sram < arena,
        live_path=draw_live(operators, scale, curve_bottom, live_top),
        bound_y=curve_bottom - CURVE_HEIGHT * report["lower_bound_bytes"] / live_top,
        live_text=f"live bytes, at most {format_bytes(most_live)}",
        macs_text=f"MACs, at most {format_count(most_macs)}",
        legend=[(family, text) for family, text in FAMILY_LABELS.items() if family in used],
    )
