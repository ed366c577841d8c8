"""Families of spaces to choose from, and the picture of what they were chosen by."""

from pathlib import Path

import pytest

from tinycc.errors import OutputError
from tinycc.search.satisfying import Satisfying
from tinycc.search.satisfying_plot import plot_satisfying
from tinycc.search.space import Space
from tinycc.search.spaces import (
    WIDTHS,
    image_space,
    image_spaces,
    spaces_for,
    spectrogram_space,
    spectrogram_spaces,
)

SIZES = (16, 20, 24, 28)


def test_a_family_is_a_space_at_all_widths_and_runs_of_sizes() -> None:
    family = spaces_for(image_space(SIZES, 3, 10), (0.5, 1), together=3)
    assert {name: (space.width, space.input_sizes) for name, space in family.items()} == {
        "width 0.5, 16x16 to 24x24": (0.5, ((16, 16), (20, 20), (24, 24))),
        "width 1, 16x16 to 24x24": (1, ((16, 16), (20, 20), (24, 24))),
        "width 0.5, 20x20 to 28x28": (0.5, ((20, 20), (24, 24), (28, 28))),
        "width 1, 20x20 to 28x28": (1, ((20, 20), (24, 24), (28, 28))),
    }


def test_a_space_of_few_sizes_keeps_them_together() -> None:
    family = spaces_for(spectrogram_space(((49, 10),), 12), (0.75,), together=3)
    assert list(family) == ["width 0.75, 49x10"]


def test_a_width_of_ones_own_is_multiplied() -> None:
    space = spectrogram_space(((49, 10),), 12).scaled(0.5, ((49, 10),))
    assert spaces_for(space, (0.5,))["width 0.5, 49x10"].width == 0.25


@pytest.mark.parametrize("family", [image_spaces(SIZES, 3, 10), spectrogram_spaces(((25, 10), (49, 10)), 12)])
def test_widths_of_stages_make_a_difference(family: dict[str, Space]) -> None:
    """At all but the narrowest: in each stage there is more than one channel count."""
    for space in family.values():
        if space.width > WIDTHS[0]:
            for stage in space.stages:
                counts = {space.channels(stage.channels * width) for width in stage.widths}
                assert len(counts) > 1


def test_images_come_with_strides_soon_or_late() -> None:
    family = image_spaces(SIZES, 3, 10)
    assert len(family) == 4 * 2 * len(WIDTHS)
    for space in family.values():
        last = space.architecture(space.largest()).shapes[-3]
        assert last[:2] == tuple(-(-side // 8) for side in space.input_sizes[-1])


def test_images_come_with_inverted_residuals_and_with_separable_convolutions() -> None:
    """Which suits is told by the limits, as the width is."""
    family = image_spaces(SIZES, 3, 10)
    separable = {name: space for name, space in family.items() if name.startswith("separable")}
    assert len(separable) == 2 * len(WIDTHS)
    for name, space in family.items():
        blocks = [block for stage in space.blocks(space.largest()) for block in stage]
        assert {block.expansion is None for block in blocks} == {name in separable}


def test_distributions_are_drawn_with_what_is_accepted_named(tmp_path: Path) -> None:
    drawn = {"narrow": Satisfying(4, (2, 1)), "wide": Satisfying(100, (5,)), "huge": Satisfying(100, ())}
    plot_satisfying(tmp_path / "spaces.svg", drawn, floor=0.1)
    picture = (tmp_path / "spaces.svg").read_text()
    assert "narrow: 50%" in picture and "wide" not in picture
    with pytest.raises(OutputError, match=r"cannot draw .*spaces\.txt"):
        plot_satisfying(tmp_path / "spaces.txt", drawn)
