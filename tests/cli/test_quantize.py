"""tinycc quantize, compile --calib and validate: what they write, and how they refuse."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Cli
from tests.tools.float_models import float_onnx, float_tflite, images


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return float_tflite(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.npz"
    np.savez(path, in0=images(16), label=np.arange(16) % 4)
    return path


def test_a_float_model_goes_the_whole_way(cli: Cli, model: Path, data: Path, tmp_path: Path) -> None:
    """Quantized, analysed, compiled, validated: the C has the quantized model's numbers in every layer."""
    quantized, plot, folder = tmp_path / "int8.tflite", tmp_path / "losses.svg", tmp_path / "out"
    options = ("--calib", data, "--mean", "128", "--std", "64")
    analysis = cli("quantize", model, "-o", quantized, *options, "--analyze", "--plot", plot)
    assert analysis.code == 0 and "features" in analysis.stdout and "raw pixels" in analysis.stdout
    assert plot.read_text().count("<svg") == 1
    assert cli("compile", quantized, "-o", folder).code == 0

    page = tmp_path / "page.html"
    compared = ("--reference", model, "--quantized", quantized, "--mean", "128", "--std", "64")
    outcome = cli("validate", folder, "--data", data, "--labels", *compared, "--page", page, "--json")
    found = json.loads(outcome.stdout)
    float_line, quantized_line, host, board = found["lines"]
    assert (host["accuracy"], host["agreement"]) == (quantized_line["accuracy"], quantized_line["agreement"])
    assert (float_line["agreement"], board["cases"]) == (None, 8)
    assert host["decibels"] > 25 and board["decibels"] > 25
    layers = {layer["layer"]: layer for layer in found["layers"]}
    assert {"features", "average", "scores"} <= layers.keys() and None not in layers
    assert all(layers[name]["largest_step"] == 0 for name in ("features", "average"))
    assert sum(found["steps"]["counts"]) == 16 * 4
    assert "features" in page.read_text()


def test_compiling_may_quantize_first(cli: Cli, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    pixels = tmp_path / "pixels.npz"
    np.savez(pixels, in0=images(8).transpose(0, 3, 1, 2))
    options = ("--keep", "average=int16", "--weights", "int4")
    outcome = cli("compile", float_onnx(tmp_path), "--calib", pixels, "-o", folder, *options)
    assert outcome.code == 0 and "raw pixels" in outcome.stdout and "int4 weights in 2" in outcome.stdout
    assert json.loads((folder / "report.json").read_text())["model"] == "small.onnx"


REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "no data": (("-o", "int8.tflite"), "--calib is missing"),
    "no output": (("--calib", "data.npz"), "-o OUT"),
    "another format": (("--calib", "data.npz", "-o", "int8.onnx"), "ends in .tflite"),
    "the model itself": (("--calib", "data.npz", "-o", "small.tflite"), "the float model itself"),
    "no folder": (("--calib", "data.npz", "-o", "absent/int8.tflite"), "cannot write"),
    "keep": (("--calib", "data.npz", "-o", "a.tflite", "--keep", "scores=int4"), "LAYER=float"),
    "keep what": (("--calib", "data.npz", "-o", "a.tflite", "--keep", "absent=float"), "features, average"),
    "keep int8": (("--calib", "data.npz", "-o", "a.tflite", "--keep", "scores=int8"), "would be int4"),
    "share": (("--calib", "data.npz", "-o", "a.tflite", "--at-least", "much"), "--at-least much"),
    "size": (("--calib", "data.npz", "-o", "a.tflite", "--size", "32"), "--size 32"),
    "mean": (("--calib", "data.npz", "-o", "a.tflite", "--mean", "x"), "--mean x"),
    "channels": (("--calib", "data.npz", "-o", "a.tflite", "--mean", "1,2"), "2 channels"),
    "a range of ONNX": (("--calib", "data.npz", "-o", "a.tflite", "--range", "entropy"), "mse, auto"),
    "no images": (("--calib", ".", "-o", "a.tflite"), "no images and no wavs"),
    "plot": (("--calib", "data.npz", "-o", "a.tflite", "--plot", "a.svg"), "give both"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_leave_nothing_behind(
    case: str, cli: Cli, model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, reason = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    before = model.read_bytes()
    assert reason in cli("quantize", model.name, *arguments).reason
    assert sorted(tmp_path.iterdir()) == [data, model] and model.read_bytes() == before


@pytest.mark.parametrize(
    "option", [("--range", "auto"), ("--weights", "int4"), ("--mean", "3"), ("--keep", "y=float")]
)
def test_options_that_would_go_unread_are_refused(
    option: tuple[str, str], cli: Cli, tflite_file: Path, tmp_path: Path
) -> None:
    reason = cli("compile", tflite_file, "-o", tmp_path / "out", *option).reason
    assert reason == f"{option[0]} says how to quantize: give the data with --calib"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--labels", "classes"), "no array 'classes'"),
        (("--labels", "in0"), "expected one class"),
        (("--reference", "absent.tflite"), "does not exist"),
    ],
)
def test_a_validation_of_other_data_is_refused(
    arguments: tuple[str, ...], reason: str, cli: Cli, compiled: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.npz"
    np.savez(data, in0=np.zeros((2, 4, 4, 2), np.int8))
    assert reason in cli("validate", compiled, "--data", data, *arguments).reason


def test_a_library_that_is_missing_is_named(
    cli: Cli, model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_quantizer.quantizer", None)
    reason = cli("quantize", model, "--calib", data, "-o", tmp_path / "int8.tflite").reason
    assert "pip install 'tinycc-mcu[quantize]'" in reason
