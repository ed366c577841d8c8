"""`tinycc search`: from data and the limits of a board to a folder of C, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the search needs the extra tinycc[search]")

from tests.cli.conftest import Cli
from tests.search.digits import digits
from tests.search.supernet.digits import SPACE
from tinycc.search import pipeline
from tinycc.search.space import Space
from tinycc.search.space_file import space_to_yaml

TRAIN, TEST, _ = digits()
YAML = space_to_yaml(SPACE)
LIMITS = ("--sram", "1K", "--flash", "6K", "--instructions", "400K")
FEW = (
    *("--population", 4, "--generations", 1, "--supernet-epochs", 1, 2, "--epochs", 2),
    *("--finalists", 2, "--batch", 64, "--rate", 0.2),
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "digits.npz"
    np.savez(path, x=TRAIN.images, y=TRAIN.labels, x_test=TEST.images, y_test=TEST.labels)
    return path


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(YAML)
    return path


def test_from_data_to_firmware(cli: Cli, data: Path, space: Path, tmp_path: Path) -> None:
    """A second search with the parts of the first comes to the same C."""
    options = ("search", "--data", data, "--space", space, *LIMITS, *FEW, "--work", tmp_path / "work")
    best, again = tmp_path / "best", tmp_path / "again"
    outcome = cli(*options, "-o", best)
    assert outcome.code == 0, outcome.stderr
    assert f"Wrote {best}; {best / 'search.html'} tells of the search" in outcome.stdout
    assert "of cases to test with are right in int8" in outcome.stdout
    files = {path.name for path in best.iterdir()}
    assert files >= {"front.csv", "networks.csv", "front.svg", "search.html", "hand_off.json", "report.html"}
    costs = json.loads((best / "hand_off.json").read_text())["costs"]["compiled"]
    assert costs["sram_bytes"] <= 1024 and costs["flash_bytes"] <= 6144 and costs["instructions"] <= 400_000
    assert json.loads((best / "report.json").read_text())["arena_bytes"] == costs["sram_bytes"]
    assert len((best / "networks.csv").read_text().splitlines()) == 1 + 8
    assert (best / "search.html").read_text().count("Finalists") == 1
    assert cli("run", best).code == 0

    trained = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").iterdir()}
    assert cli(*options, "-o", again).stdout == outcome.stdout.replace(str(best), str(again))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "work").iterdir()} == trained
    for path in (path for path in best.rglob("*") if path.suffix in (".c", ".h")):
        assert (again / path.relative_to(best)).read_bytes() == path.read_bytes()


@pytest.fixture
def refused(
    cli: Cli, data: Path, space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """The reason of a refusal before anything is trained, which leaves no file."""

    def no_training(*_: Any, **__: Any) -> None:
        raise AssertionError("something was trained")

    def reason(*options: Any) -> str:
        monkeypatch.setattr(pipeline, "train_supernet", no_training)
        before = sorted(tmp_path.rglob("*"))
        given = ("--data", data, "--space", space, *LIMITS, "-o", tmp_path / "best")
        told = cli("search", *given, *options).reason
        assert sorted(tmp_path.rglob("*")) == before
        return told

    return reason


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--target", "cortex-m99", "unknown target 'cortex-m99'"),
        ("--sram", "much", "'much' is not a size"),
        ("--sram", "100", "the smallest, 6x6x1, 8 layers, takes"),
        ("--flash", "100", "of constants and"),
        ("--flash", "", "'' is not a size"),
        ("--instructions", "nan", "--instructions nan: give a number"),
        ("--instructions", "0", "--instructions 0: give a number"),
        ("--instructions", "1K", "no network of the space keeps within the limits"),
        ("--size", "8x8x8", "--size 8x8x8: give a height and a width"),
        ("--size", "999999", "2048 at most"),
        ("--batch", "100000", "a batch of 100000 cannot be had of 1132 cases"),
        ("--rate", "nan", "at a rate of nan"),
        ("--device", "cuda:77", "cannot train on the device 'cuda:77'"),
        ("--device", "meta", "cannot train on the device 'meta'"),
        ("--data", "absent.npz", "absent.npz does not exist"),
        ("--space", "absent.yaml", "cannot read absent.yaml"),
        ("-o", "absent/best", "there is no folder absent"),
    ],
)
def test_options_that_nothing_can_be_searched_with(
    refused: Callable[..., str], option: str, value: str, words: str
) -> None:
    assert words in refused(option, value)


def test_limits_that_no_space_of_the_family_meets(cli: Cli, data: Path, tmp_path: Path) -> None:
    reason = cli("search", "--data", data, "--sram", 50, "-o", tmp_path / "best").reason
    assert "no network of the space keeps within the limits: the smallest, 6x6x1" in reason
    assert list(tmp_path.iterdir()) == [data]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"z": TRAIN.images}, "has no array x of images: it has z"),
        ({"x": TRAIN.images}, "has no array 'y': it has x"),
        ({"x": TRAIN.images, "y": TRAIN.labels[1:]}, "there are 1258 images, but 1257 labels"),
        ({"x": TRAIN.images, "y": TRAIN.labels * 0}, "there is one class, 0"),
        ({"x": TRAIN.images, "y": TRAIN.labels * 10**11}, "has a label 900000000000, but 1258 cases"),
        ({"x": TRAIN.images[:20], "y": np.arange(20) % 10}, "class 0 has 2 cases: give at least 3"),
        ({"x": TRAIN.images * 0, "y": TRAIN.labels}, "all images are the same"),
        (
            {"x": TRAIN.images.repeat(3, axis=3), "y": TRAIN.labels},
            "input_channels of the space is 1, but the data have 3 channels",
        ),
        (
            {"x": TRAIN.images, "y": TRAIN.labels // 2},
            "outputs of the space is 10, but the data have 5 classes",
        ),
    ],
)
def test_data_that_nothing_can_be_learned_from(
    refused: Callable[..., str], data: Path, arrays: dict[str, np.ndarray], words: str
) -> None:
    np.savez(data, **arrays)  # type: ignore[arg-type]
    assert words in refused()


def test_half_a_file_of_data(refused: Callable[..., str], data: Path) -> None:
    data.write_bytes(data.read_bytes()[:5000])
    assert "digits.npz is not a readable .npz file" in refused()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("depths: [1, 2]", "depths: [1, 100000]", "depths[1] is 100000: give a whole number, 1 to 32"),
        ("input_sizes: [6, 8]", "input_sizes: [6, 99999]", "input_sizes[1] is 99999"),
        ("kernels: [3, 5]", "kernels: [3, 999]", "kernels[1] is 999"),
        ("stem_channels: 8", "stem_channels: 900000", "stem_channels is 900000"),
        (YAML, "", "is nothing: give the keys"),
        (YAML, space_to_yaml(Space(**vars(SPACE) | {"stages": ()})), "stages is []"),
    ],
)
def test_spaces_that_are_none(
    refused: Callable[..., str], space: Path, old: str, new: str, words: str
) -> None:
    assert old in YAML
    space.write_text(YAML.replace(old, new))
    assert words in refused()


def test_a_space_of_one_network(refused: Callable[..., str], space: Path) -> None:
    one = YAML.replace("[6, 8]", "[8]").replace("[1, 2]", "[1]").replace("[3, 5]", "[3]")
    space.write_text(one.replace("[1.0, 2.0]", "[2.0]").replace("[0.5, 1.0]", "[1.0]"))
    assert "the space has one network, so that there is nothing to search" in refused()


def test_folders_that_are_in_use(refused: Callable[..., str], data: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    assert "full exists and is not an empty folder" in refused("-o", tmp_path / "full")
    assert "which is in the output" in refused("--work", tmp_path / "best" / "parts")
    assert "digits.npz, which is no folder" in refused("--work", data)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("supernet.pt",), "supernet.pt is no readable checkpoint: remove it"),
        (("search.json",), "search.json was made of a supernet.pt that is gone"),
        (("supernet.pt", "network0.pt"), "network0.pt was made of a search.json that is gone"),
    ],
)
def test_parts_that_are_damaged_or_missing(
    cli: Cli, data: Path, space: Path, tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for name in names:
        (work / name).write_bytes(b"half a pa")
    options = ("--data", data, "--space", space, *LIMITS, *FEW, "--work", work)
    assert words in cli("search", *options, "-o", tmp_path / "best").reason
    assert sorted(path.name for path in work.iterdir()) == sorted(names)
    assert not (tmp_path / "best").exists()
