"""The geometry of the arena picture."""

import pytest

from tests.report.reports import chain_report, stage, staged_report, tensor, two_step_report
from tinycc.report import blocks, geometry, picture
from tinycc.report.beside import draw_panels


def test_in_place_output_shares_the_bytes_of_its_dying_input() -> None:
    ((older, newer, shared),) = blocks.find_overlaps(two_step_report())
    assert (older["name"], newer["name"]) == ("hidden", "scores")
    assert shared == ((1, 2), 1000, 3000)


def test_neighbours_in_time_or_address_do_not_overlap() -> None:
    tensors = [
        tensor("a", 4, 0, 0, 0, "input"),
        tensor("b", 4, 4, 0, 1, "activation"),
        tensor("c", 4, 0, 1, 1, "output"),
    ]
    assert blocks.find_overlaps(two_step_report(tensors=tensors)) == []


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
    assert geometry.operator_family({"kind": "tinycc.something_new"}) == "other"
    assert geometry.operator_family({"kind": "tinycc.depthwise_conv2d"}) == "depthwise"


def test_a_ring_spans_its_row_calls_share_of_the_stage() -> None:
    """Calls 0 to 6 of 8, in a stage of two columns."""
    report = staged_report()
    assert geometry.span_of(report, report["tensors"][1]) == (0, 1.75)
    assert geometry.span_of(report, report["tensors"][0]) == (0, 2)


def test_a_ring_has_a_lane_for_each_row() -> None:
    drawn = picture.draw_arena(staged_report())
    ring = next(block for block in drawn.blocks if block.tip.startswith("conv2d_0_rows"))
    assert ring.lanes == [pytest.approx(ring.area.y + ring.area.height / 2)]
    assert all(not block.lanes for block in drawn.blocks if block is not ring)
    assert ring.family == "convolution"


def test_the_result_of_a_stage_has_the_colour_of_its_last_operator() -> None:
    report = staged_report()
    result = tensor("stage_0_out", 10, 0, 0, 1, "activation")
    assert geometry.tensor_family(report, result) == "elementwise"


def test_the_peak_of_a_stage_is_marked_at_its_row_call() -> None:
    """Call 3 of 8, in a stage of two columns."""
    drawn = picture.draw_arena(staged_report())
    assert drawn.moment_x == pytest.approx(drawn.left + 2 * drawn.step_width * 3.5 / 8)
    alone = picture.draw_arena(two_step_report())
    assert alone.moment_x == pytest.approx(alone.peak_x + alone.step_width / 2)


def test_rings_that_share_bytes_do_so_in_turns() -> None:
    one, other = staged_report()["tensors"][1], staged_report()["tensors"][1]
    assert "in turns" in blocks.describe_overlap(one, other, ((0, 1), 0, 250))


def test_stages_span_their_operators() -> None:
    [frame] = picture.draw_arena(staged_report()).stages
    assert (frame.x, frame.width) == (picture.LEFT_MARGIN, 2 * picture.WIDEST_STEP)
    assert frame.text == "stage 0"


def test_panels_have_one_scale() -> None:
    whole, chosen = draw_panels(staged_report())
    assert whole.arena.y == pytest.approx(whole.top)
    assert chosen.bottom - chosen.arena.y == pytest.approx((whole.bottom - whole.arena.y) * 1250 / 3000)
    assert whole.right == chosen.right
    assert draw_panels(two_step_report()) == []


def test_a_cut_stage_says_so() -> None:
    tip = blocks.describe_stage(stage(1250, grid="2x3", extra_macs=17))
    assert "cut into 2x3 parts" in tip and "17 MACs computed again" in tip
    assert "cut" not in blocks.describe_stage(stage(1250))
