"""The geometry of the arena picture."""

import pytest

from tests.report.reports import chain_report, tensor, two_step_report
from tinycc.report import picture


def test_in_place_output_shares_the_bytes_of_its_dying_input() -> None:
    ((older, newer, shared),) = picture.find_overlaps(two_step_report()["tensors"])
    assert (older["name"], newer["name"]) == ("hidden", "scores")
    assert shared == (1, 1, 1000, 3000)


def test_neighbours_in_time_or_address_do_not_overlap() -> None:
    tensors = [
        tensor("a", 4, 0, 0, 0, "input"),
        tensor("b", 4, 4, 0, 1, "activation"),
        tensor("c", 4, 0, 1, 1, "output"),
    ]
    assert picture.find_overlaps(tensors) == []


def test_blocks_span_their_lifetime_and_their_bytes() -> None:
    drawn = picture.draw_arena(two_step_report())
    audio = drawn.blocks[0].area
    assert audio.x == drawn.left
    assert audio.x + audio.width == pytest.approx(drawn.right)
    assert audio.y + audio.height == pytest.approx(drawn.arena_bottom)
    assert audio.height == pytest.approx((drawn.arena_bottom - drawn.arena_top) / 3)
    (overlap,) = drawn.overlaps
    assert overlap.area.x == pytest.approx(drawn.peak_x)
    assert overlap.family == "convolution"


def test_label_keeps_clear_of_the_shared_area() -> None:
    drawn = picture.draw_arena(two_step_report())
    hidden = next(block for block in drawn.blocks if block.tip.startswith("hidden"))
    assert hidden.label is not None
    assert hidden.label.x < drawn.peak_x


@pytest.mark.parametrize(
    ("sram", "shown", "exceeded"),
    [(None, False, False), (2000, True, True), (3500, True, False), (64000, False, False)],
)
def test_budget_is_drawn_where_it_says_something(sram: int | None, shown: bool, exceeded: bool) -> None:
    drawn = picture.draw_arena(two_step_report(sram_bytes=sram))
    assert (drawn.sram is not None, drawn.sram_exceeded) == (shown, exceeded)


@pytest.mark.parametrize("length", [1, 2, 40, 150])
def test_everything_stays_inside_the_picture(length: int) -> None:
    drawn = picture.draw_arena(chain_report(length))
    assert len(drawn.columns) == length
    for area in [block.area for block in drawn.blocks] + [overlap.area for overlap in drawn.overlaps]:
        assert drawn.left <= area.x
        assert area.x + area.width <= drawn.width
        assert drawn.arena_top - 0.01 <= area.y
        assert area.y + area.height <= drawn.arena_bottom + 0.01


def test_unknown_operator_kind_has_a_colour() -> None:
    assert picture.operator_family({"kind": "tinycc.something_new"}) == "other"
    assert picture.operator_family({"kind": "tinycc.depthwise_conv2d"}) == "depthwise"
