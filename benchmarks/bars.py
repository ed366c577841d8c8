"""Grouped horizontal bars as SVG: for each model one bar a series, the value written beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LEFT, RIGHT, TOP = 250, 110, 58
BAR, GROUP_GAP = 13, 10
PLOT_WIDTH = 520
# Distinguishable without colour vision, on white and on black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c")


@dataclass(frozen=True)
class Series:
    """One bar in each group; None where there is no value."""

    name: str
    values: Sequence[float | None]


def draw_bars(title: str, groups: Sequence[str], series: Sequence[Series], digits: int = 2) -> str:
    """The picture: bars from 0, scaled to the largest value."""
    largest = max((value for item in series for value in item.values if value is not None), default=1) or 1
    group_height = BAR * len(series) + GROUP_GAP
    height = TOP + group_height * len(groups) + 8
    width = LEFT + PLOT_WIDTH + RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    x = 12
    for item, colour in zip(series, COLOURS, strict=False):
        parts.append(f'<rect x="{x}" y="31" width="11" height="11" fill="{colour}"/>')
        parts.append(f'<text x="{x + 16}" y="41">{escape(item.name)}</text>')
        x += 32 + 7 * len(item.name)
    for row, group in enumerate(groups):
        top = TOP + row * group_height
        middle = top + BAR * len(series) / 2 + 4
        parts.append(f'<text x="{LEFT - 8}" y="{middle:g}" text-anchor="end">{escape(group)}</text>')
        for index, (item, colour) in enumerate(zip(series, COLOURS, strict=False)):
            value = item.values[row]
            if value is None:
                continue
            y, length = top + BAR * index, round(PLOT_WIDTH * value / largest, 1)
            parts.append(
                f'<rect x="{LEFT}" y="{y}" width="{length:g}" height="{BAR - 2}" fill="{colour}"/>'
                f'<text x="{LEFT + length + 4:g}" y="{y + BAR - 3}" font-size="10">{value:,.{digits}f}</text>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"
