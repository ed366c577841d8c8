"""`tinycc train-plan`: from data and a budget to a scheme that compiles."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")

from tests.cli.conftest import Cli

CASES = 24
QUICK = ("--seeds", 1, "--epochs", 1, "--rate", 0.03)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.npz"
    random = np.random.default_rng(0)
    images = random.integers(-128, 128, (CASES, 4, 4, 2), dtype=np.int8)
    np.savez(path, in0=images, label=np.arange(CASES) % 3, wrong=np.arange(CASES), few=np.arange(2))
    return path


@pytest.fixture
def plan(cli: Cli, tflite_file: Path, data: Path, tmp_path: Path) -> Any:
    """Runs the command on the small int8 model, for a scheme in scheme.json."""

    def run(*options: Any) -> Any:
        scheme = tmp_path / "scheme.json"
        return cli("train-plan", tflite_file, "--data", data, "-o", scheme, *QUICK, *options)

    return run


def test_a_scheme_is_found_and_compiles(plan: Any, cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    outcome = plan("--memory", "4K", "--plot", tmp_path / "gain.svg")
    assert outcome.code == 0
    for words in (
        "dense_0",
        "Schemes that fit",
        "trained together: ",
        "The head alone: ",
        "Arena: ",
        f"Wrote {tmp_path / 'scheme.json'}",
    ):
        assert words in outcome.stdout
    assert (tmp_path / "gain.svg").read_text().count("KiB") == 1
    arguments = ("--train", tmp_path / "scheme.json", "--sram", "4K", "-o", tmp_path / "out")
    assert cli("compile", tflite_file, *arguments).code == 0


def test_memory_of_mini_batches_is_planned(plan: Any) -> None:
    """The same measurement, with and without what the cases of a step are summed up in."""
    needed = []
    for options in ((), ("--accumulate",)):
        outcome = plan("--memory", "8K", "--latency", 1_000_000, *options)
        assert ("--batch 4" in outcome.stdout) == bool(options)
        needed.append(int(outcome.stdout.partition("Arena: ")[2].split()[0].replace(",", "")))
    assert needed[1] > needed[0]


def test_what_is_measured_is_kept_beside_the_scheme(plan: Any, data: Path, tmp_path: Path) -> None:
    assert plan("--memory", "4K").code == 0
    kept = tmp_path / "scheme.contributions.json"
    before = kept.read_text()
    assert set(json.loads(before)["scores"]) >= {"biases of 1", "biases of 2", "biases of 2, 1 of conv2d_0"}
    sums = plan("--memory", "3K", "--search", "evolutionary", "--finalists", 1)
    assert sums.code == 0
    # Of six held-out cases nothing is sure.
    assert "+0.0 ± 0.0 points" in sums.stdout
    assert "Nothing more surely gains on 6 held-out cases" in sums.stdout
    assert kept.read_text() == before
    reason = plan("--memory", "4K", "--test", data).reason
    assert f"{kept} holds contributions of another measurement (data, held out differ)" in reason
    assert "name another file, or delete it" in reason


def test_gradients_are_those_that_the_target_has(plan: Any, tmp_path: Path) -> None:
    for target, kind in (("cortex-m0", "integer"), ("cortex-m4", "float")):
        kept = tmp_path / f"{kind}.json"
        options = ("--memory", "4K", "--last", 1, "--contributions", kept)
        assert plan(*options, "--target", target).code == 0
        assert json.loads(kept.read_text())["setup"]["gradients"] == kind
    reason = plan(*options, "--gradients", "integer").reason
    assert f"{kept} holds contributions of another measurement (gradients differ)" in reason


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--memory", "100"), "no scheme fits 100 bytes: the least is "),
        (("--memory", "many"), "many"),
        (("--memory", "4K", "--latency", "9"), "no scheme fits 4,096 bytes and 9 instructions of a step"),
        (("--memory", "4K", "--latency", "0"), "--latency"),
        (("--memory", "4K", "--labels", "wrong"), "labels must be one number from 0 to 2"),
        (("--memory", "4K", "--labels", "few"), "there are 2 labels for 24 cases"),
        (("--memory", "4K", "--last", "9"), "9 layers cannot be looked at: the model has 2"),
        (("--memory", "4K", "--rate", "0"), "--rate"),
        (("--memory", "4K", "--batch", "99"), "a batch of 99 cannot be had of 18 cases"),
        (("--memory", "4K", "--target", "cortex-m99"), "unknown target 'cortex-m99'"),
        (("--memory", "4K", "-o", "absent/scheme.json"), "there is no folder absent"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_planned(plan: Any, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    assert words in plan(*options).reason
    assert not (tmp_path / "scheme.json").exists()
