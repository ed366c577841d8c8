"""A space is read from a YAML file, and what is wrong in one is said by name."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tinycc.errors import TinyccError
from tinycc.search.constraints import Constraints
from tinycc.search.evolution import draw
from tinycc.search.space import Genome, Space, Stage
from tinycc.search.space_file import load_space, space_to_yaml
from tinycc.search.spaces import image_space, spectrogram_space

TEXT = """
input_sizes: [16, [16, 24]]
input_channels: 3
outputs: 10
stem_channels: 16
stem_kernel: 3
stem_stride: 2
stages:
- channels: 24
  stride: [2, 1]
  depths: [1, 2]
  kernels: [3, [1, 5]]
  expansions: [2, 3.5]
- {channels: 40, stride: 1, depths: [1], kernels: [3], widths: [0.5, 1]}
head_channels: 0
"""


def loaded(path: Path, text: str) -> Space:
    path.write_text(text)
    return load_space(path)


def test_a_file_says_what_the_fields_of_a_space_are(tmp_path: Path) -> None:
    first = Stage(24, (2, 1), (1, 2), ((3, 3), (1, 5)), (2, 3.5))
    second = Stage(40, (1, 1), (1,), ((3, 3),), (), (0.5, 1))
    space = Space(((16, 16), (16, 24)), 3, 16, (3, 3), (2, 2), (first, second), 0, 10)
    assert loaded(tmp_path / "space.yaml", TEXT) == space


@pytest.mark.parametrize(
    "space",
    [
        image_space((32, 48), 3, 10).scaled(0.5625, ((32, 32), (48, 40))),
        spectrogram_space(((49, 10), (24, 10)), 12),
    ],
)
def test_a_space_that_is_written_is_read_again(tmp_path: Path, space: Space) -> None:
    assert loaded(tmp_path / "space.yaml", space_to_yaml(space)) == space


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("outputs: 10", "", "'outputs' is missing: give input_sizes, input_channels"),
        ("outputs: 10", "outputs: 10\nclasses: 3", "'classes' is unknown: the keys are input_sizes, "),
        ("outputs: 10", "outputs: ten", "outputs is 'ten': give a whole number, 1 to "),
        ("outputs: 10", "outputs:", "outputs is nothing: give a whole number, 1 to "),
        ("input_channels: 3", "input_channels: -3", "input_channels is -3: give a whole number, 1 to "),
        ("stem_stride: 2", "stem_stride: 0", "stem_stride is 0: give a whole number, 1 to "),
        ("[16, [16, 24]]", "[16, [16, 24, 3]]", r"input_sizes\[1\] is \[16, 24, 3\]: give one number, or "),
        ("[16, [16, 24]]", "[16, 24, 16]", r"input_sizes has \[16, 16\] twice: give each once"),
        ("stem_kernel: 3", "stem_kernel: 4", "stem_kernel is 4: sides of kernels are odd, so give 3 or 5"),
        (
            "[3, [1, 5]]",
            "[3, [1, 6]]",
            r"stages\[0\]: kernels\[1\] is 6: sides of kernels are odd, so give 5",
        ),
        ("depths: [1, 2]", "depths: []", r"stages\[0\]: depths is \[\]: give a list of 1 or more"),
        ("depths: [1, 2]", "depths: [0, 2]", r"depths\[0\] is 0: give a whole number, 1 to "),
        ("depths: [1, 2]", "depths: 2", "depths is 2: give a list of 1 or more"),
        ("depths: [1, 2]", "deep: 2", r"stages\[0\]: 'deep' is unknown: the keys of a stage are channels, "),
        ("widths: [0.5, 1]", "widths: [0, 1]", r"stages\[1\]: widths\[0\] is 0: give a number above 0"),
        ("[2, 3.5]", "[.inf]", r"expansions\[0\] is inf: give a number above 0"),
        (TEXT, "[1, 2]", r"space.yaml is \[1, 2\]: give the keys input_sizes, input_channels"),
        (TEXT, "a: [1", "space.yaml is not YAML: while parsing a flow sequence"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(TinyccError, match=message):
        loaded(tmp_path / "space.yaml", TEXT.replace(old, new))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TinyccError, match=r"cannot read .*space\.yaml: No such file"):
        load_space(tmp_path / "space.yaml")


def test_a_space_that_is_made_in_python_is_checked_by_a_search() -> None:
    def accuracy(genomes: Sequence[Genome]) -> list[float]:
        return [0.5 for _ in genomes]

    space = replace(image_space((32,), 3, 10), stem_kernel=(4, 4))
    with pytest.raises(TinyccError, match="the space: stem_kernel is 4: sides of kernels are odd"):
        draw(space, Constraints(), accuracy, 2)
