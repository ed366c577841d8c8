"""Bars as SVG."""

import xml.etree.ElementTree as ElementTree

from benchmarks.bars import PLOT_WIDTH, Series, draw_bars

SVG = "{http://www.w3.org/2000/svg}"


def widths(svg: str, colour: str) -> list[float]:
    root = ElementTree.fromstring(svg)
    bars = [item for item in root.iter(f"{SVG}rect") if item.get("fill") == colour]
    return [float(item.get("width", 0)) for item in bars][1:]  # the first is of the legend


def test_bars_are_as_long_as_their_values() -> None:
    svg = draw_bars("t", ["a", "b"], [Series("ours", [1.0, 2.0]), Series("theirs", [4.0, None])])
    assert widths(svg, "#0072b2") == [PLOT_WIDTH / 4, PLOT_WIDTH / 2]
    assert widths(svg, "#e69f00") == [PLOT_WIDTH]


def test_texts_are_escaped() -> None:
    assert "a &lt; b" in draw_bars("a < b", ["x"], [Series("s", [1.0])])
