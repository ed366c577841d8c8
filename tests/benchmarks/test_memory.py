"""The table and the plot of memory, from figures made by hand."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from benchmarks.memory import GOALS, LEAST, ROWS, WHOLE, Measurement, as_markdown, draw, place

KWS = next(goal for goal in GOALS if goal.model == "mlperf_kws_dscnn_int8")
VWW = next(goal for goal in GOALS if goal.model == "te_vww")
ALONE = next(goal for goal in GOALS if goal.peer is None)
FOUND = [
    Measurement(KWS, {WHOLE: 9_000, LEAST: 6_100}, 6_000, 6_104, 300),
    Measurement(VWW, {WHOLE: 70_000, LEAST: 20_000, ROWS: 16_000}, 20_000, 20_000, 300),
    Measurement(ALONE, {WHOLE: 300_000, LEAST: 80_000}, 80_000, 80_000, 300),
]


def cells(item: Measurement, board: str | None = None) -> dict[str, str]:
    *_, headings, _, row = as_markdown([item], board).strip().splitlines()
    values = [cell.strip() for cell in row.split("|")[1:-1]]
    names = [cell.strip() for cell in headings.split("|")[1:-1]]
    return dict(zip(reversed(names), reversed(values), strict=True))


def test_what_was_missed_is_said() -> None:
    assert "| 6,000 (missed) |" in as_markdown(FOUND[:1], None)
    assert "missed" not in as_markdown(FOUND[1:2], None)


def test_rows_are_empty_where_a_model_cannot_have_them() -> None:
    assert cells(FOUND[0])[ROWS] == ""
    assert cells(FOUND[1])[ROWS] == "16,000"


def test_ram_and_stack_are_told_of_a_board() -> None:
    row = cells(replace(FOUND[1], stack_bytes=332), "cortex-m4")
    assert (row["RAM on cortex-m4"], row["stack"]) == ("20,000", "332")


def test_a_figure_of_a_wrong_output_is_in_brackets() -> None:
    assert cells(FOUND[0])["TinyEngine"] == "(21,498)"
    assert cells(FOUND[1])["TinyEngine"] == "93,992 (patches 81,552)"
    assert cells(FOUND[2])["TinyEngine"] == ""


def test_the_plot_has_a_dot_for_each_figure_of_a_model_with_peers() -> None:
    root = ElementTree.fromstring(draw(FOUND))
    tips = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert tips == [
        "TFLite Micro: 22,820 B",
        "TinyEngine (refuses it; its planner: 21,498 bytes): 21,498 B",
        "tinycc, whole tensors: 9,000 B",
        "tinycc: 6,100 B",
        "TFLite Micro: 219,684 B",
        "TinyEngine: 81,552 B",
        "tinycc, whole tensors: 70,000 B",
        "tinycc, input by rows: 16,000 B",
        "tinycc: 20,000 B",
    ]


def test_the_scale_is_logarithmic() -> None:
    assert place(4096) - place(1024) == pytest.approx(place(65536) - place(16384))
