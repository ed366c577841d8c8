"""`tinycc compile --train` and `tinycc train`."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Cli
from tests.cli.models import dense_tflite_model

CASES = 6


@pytest.fixture
def learning(cli: Cli, tflite_file: Path, tmp_path: Path) -> Path:
    """The folder of the small int8 model with a training step of its last layer."""
    folder = tmp_path / "learning"
    outcome = cli("compile", tflite_file, "--train", "last:1", "-o", folder)
    assert outcome.code == 0
    assert "a training step" in outcome.stdout
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.npz"
    random = np.random.default_rng(0)
    images = random.integers(-128, 128, (CASES, 4, 4, 2), dtype=np.int8)
    np.savez(path, in0=images, label=np.arange(CASES) % 3, wrong=np.arange(CASES), few=np.arange(2))
    return path


def test_a_curve_is_printed(cli: Cli, learning: Path, data: Path, tmp_path: Path) -> None:
    states = tmp_path / "states.npz"
    outcome = cli("train", learning, "--data", data, "--test", data, "--epochs", 2, "--output", states)
    assert outcome.code == 0
    assert outcome.stdout.split("\n")[1].replace("┃", " ").split() == ["epoch", "loss", "accuracy"]
    assert f"Wrote {states}" in outcome.stdout
    with np.load(states) as arrays:
        assert arrays["dense_0_weights"].dtype == np.int8
        assert arrays["training_step"] == 2 * CASES


def test_one_json_object(cli: Cli, learning: Path, data: Path) -> None:
    outcome = cli("train", learning, "--data", data, "--test", data, "--epochs", 3, "--rate", 0.05, "--json")
    curve = json.loads(outcome.stdout)
    assert curve["board"] == "host"
    assert len(curve["losses"]) == 3 and len(curve["accuracies"]) == 4
    assert curve["losses"][2] < curve["losses"][0]
    assert "states" not in curve


def test_steps_that_overflow_are_told(cli: Cli, learning: Path, data: Path) -> None:
    options = ("train", learning, "--data", data, "--rate", 1e30)
    assert json.loads(cli(*options, "--json").stdout)["skipped"] == CASES
    assert f"{CASES} steps overflowed and left weights as they were" in cli(*options).stdout


def test_help_names_the_schemes_and_the_data(cli: Cli) -> None:
    assert "last:N or biases:N" in " ".join(cli("compile", "--help").stdout.split())
    text = " ".join(cli("train", "--help").stdout.split())
    for words in ("compiled with --train", "in0, in1", "Learning rate", "cortex-m4"):
        assert words in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--labels", "digits"), "no array 'digits': it has few, in0, label, wrong"),
        (("--labels", "wrong"), "labels are integers from 0 to 2, the outputs of the model: not 3"),
        (("--labels", "few"), "2 labels for 6 examples"),
        (("--epochs", "-1"), "--epochs"),
        (("--rate", "-1"), "--rate"),
        (("--rate", "nan"), "learning rate"),
        (("--on", "cortex-m99"), "unknown target 'cortex-m99'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_trained_on(
    cli: Cli, learning: Path, data: Path, options: tuple[str, str], words: str
) -> None:
    assert words in cli("train", learning, "--data", data, *options).reason


def test_a_folder_without_a_training_step(cli: Cli, compiled: Path, data: Path) -> None:
    reason = cli("train", compiled, "--data", data).reason
    assert "has no training step: compile the model with --train" in reason


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("last", "does not say of how many layers: e.g. last:2"),
        ("biases:0", "does not say of how many layers"),
        ("absent.json", "absent.json is no training scheme"),
    ],
)
def test_no_scheme(cli: Cli, tflite_file: Path, tmp_path: Path, scheme: str, words: str) -> None:
    assert words in cli("compile", tflite_file, "--train", scheme, "-o", tmp_path / "out").reason
    assert not (tmp_path / "out").exists()


def test_a_model_that_cannot_be_trained(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "unsigned.tflite"
    path.write_bytes(dense_tflite_model("int16", "int8"))
    reason = cli("compile", path, "--train", "full", "-o", tmp_path / "out").reason
    assert "dense_0: it computes int16 from int16, and only int8 trains" in reason


def test_gradients_in_integers(cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    options = ("compile", tflite_file, "--gradients", "integer")
    assert "give --train as well" in cli(*options, "-o", tmp_path / "none").reason
    assert cli(*options, "--train", "last:1", "-o", tmp_path / "c").code == 0
    assert "quantize_gradient" in (tmp_path / "c" / "model.c").read_text()


def test_spare_classes(cli: Cli, tflite_file: Path, data: Path, tmp_path: Path) -> None:
    options = ("compile", tflite_file, "--spare-classes", 2)
    assert "give --train, too" in cli(*options, "-o", tmp_path / "none").reason
    assert cli(*options, "--train", "last:1", "-o", tmp_path / "wider").code == 0
    wrong = cli("train", tmp_path / "wider", "--data", data, "--labels", "wrong")
    assert "labels are integers from 0 to 4, the outputs of the model: not 5" in wrong.reason


def test_momentum_and_mini_batches(cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    options = ("compile", tflite_file, "--momentum", 0.9, "--batch", 4)
    assert "give --train as well" in cli(*options, "-o", tmp_path / "none").reason
    assert cli(*options, "--train", "last:1", "-o", tmp_path / "c").code == 0
    assert "velocity_update" in (tmp_path / "c" / "model.c").read_text()


def test_options_that_say_nothing_of_a_training_step(cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    reason = cli("compile", tflite_file, "--train", "full", "--float", "-o", tmp_path / "out").reason
    assert reason == "--float does not go together with --train: leave one of them out"
