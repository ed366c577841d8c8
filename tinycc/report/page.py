"""A report as one HTML page that needs nothing but itself: no network, no other file."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tinycc.report import explain, figures
from tinycc.report.beside import draw_panels, draw_training
from tinycc.report.front import draw_front
from tinycc.report.geometry import FAMILY_LABELS, operator_family
from tinycc.report.picture import draw_arena

TEMPLATES = Path(__file__).parent / "templates"

# One for all pages: it keeps the templates that it has compiled.
PAGES = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
PAGES.filters.update(bytes=figures.format_bytes, count=figures.format_count, exact=lambda count: f"{count:,}")


def render_page(report: figures.Report) -> str:
    """The page of a report. Every text of the report is escaped."""
    operators = report["operators"]
    step, step_panels = figures.training_report(report), draw_training(report)
    picture = draw_arena(report)
    drawn = {family for family, _ in picture.legend}
    drawn |= {block.family for panel in step_panels for block in panel.blocks}
    return PAGES.get_template("report.html.j2").render(
        report=report,
        picture=picture,
        hatches=[family for family in FAMILY_LABELS if family in drawn],
        predicted=figures.predicted_instructions(report),
        panels=draw_panels(report),
        step=step,
        step_panels=step_panels,
        step_peak=None if step is None else figures.peak_moment(step),
        plots=draw_front(report),
        schedules=figures.schedule_lines(report),
        tensor_type=figures.tensor_type,
        peak=figures.peak_moment(report),
        budgets=figures.budgets(report),
        excess=explain.explain_excess(report),
        optimality=figures.describe_optimality(report),
        most_macs=max((operator["macs"] for operator in operators), default=0),
        most_weights=max((operator["weight_bytes"] for operator in operators), default=0),
        functions=len({operator["instance"] for operator in operators}),
        family=operator_family,
        kind=figures.operator_kind,
        share=figures.format_share,
        type=figures.format_type,
        plural=lambda count, noun: f"{count} {noun}{'' if count == 1 else 's'}",
    )
