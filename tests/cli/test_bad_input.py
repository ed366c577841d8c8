"""Whatever is wrong with the input: one line that says so, exit code 2, nothing left behind."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Cli
from tests.cli.models import custom_tflite_model, dense_tflite_model, onnx_model, tflite_model
from tests.tools.corpus import SLOW

MUTATIONS = 3000 if SLOW else 300

# name of the file, its content, words of the reason
BAD_MODELS: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "empty tflite": ("m.tflite", b"", ("m.tflite",)),
    "empty onnx": ("m.onnx", b"", ("m.onnx",)),
    "random tflite": ("m.tflite", random.Random(1).randbytes(3000), ("m.tflite",)),
    "random onnx": ("m.onnx", random.Random(2).randbytes(3000), ("m.onnx",)),
    "half a tflite": ("m.tflite", tflite_model()[:1000], ("m.tflite",)),
    "half an onnx": ("m.onnx", onnx_model()[:300], ("m.onnx",)),
    "onnx called tflite": ("m.tflite", onnx_model(), ("m.tflite",)),
    "tflite called onnx": ("m.onnx", tflite_model(), ("m.onnx",)),
    "wrong ending": ("m.pb", tflite_model(), (".pb", ".tflite", ".onnx")),
    "no ending": ("model", tflite_model(), (".tflite", ".onnx")),
    "float tflite": ("m.tflite", dense_tflite_model("float32", "float32"), ("compile it with --float",)),
    "float onnx": ("m.onnx", onnx_model(is_quantized=False), ("compile it with --float",)),
    "hybrid": ("m.tflite", dense_tflite_model("float32", "int8"), ("hybrid", "FULLY_CONNECTED")),
    "uint8": ("m.tflite", dense_tflite_model("uint8", "uint8"), ("uint8", "int8")),
    "custom operator": ("m.tflite", custom_tflite_model(), ("custom", "FancyFilter")),
    "bias scale": ("m.tflite", tflite_model(dense_bias_scale=0.05), ("bias", "scale", "FULLY_CONNECTED")),
    "tflite batch": ("m.tflite", tflite_model(shape=(2, 4, 4, 2)), ("batch",)),
    "onnx batch": ("m.onnx", onnx_model(batch=2), ("batch of 2",)),
    "dynamic tflite": ("m.tflite", tflite_model(shape=(1, -1, 4, 2)), ("dynamic",)),
    "dynamic onnx": ("m.onnx", onnx_model(height="height"), ("dynamic",)),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_bad_models(case: str, cli: Cli, tmp_path: Path) -> None:
    name, content, words = BAD_MODELS[case]
    path = tmp_path / name
    path.write_bytes(content)
    reason = cli("compile", path, "-o", tmp_path / "new" / "out").reason
    assert all(word in reason for word in words), reason
    assert name in reason
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written(cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    reason = cli("compile", tflite_file, "-o", tmp_path / "new" / "newer" / ("x" * 300)).reason
    assert "cannot write" in reason
    assert list(tmp_path.iterdir()) == [tflite_file]


@pytest.mark.parametrize("command", [("compile", "-o", "out"), ("inspect",)])
def test_missing_model(command: tuple[str, ...], cli: Cli, tmp_path: Path) -> None:
    assert cli(*command, tmp_path / "absent.tflite").reason.endswith("absent.tflite does not exist")
    assert cli(*command, tmp_path).reason.endswith("is not a file")
    assert "too long" in cli(*command, tmp_path / ("x" * 300 + ".tflite")).reason


def mutated(content: bytes, generator: random.Random) -> bytes:
    """`content` cut off, with a few bits flipped, or with a run of random bytes."""
    changed = bytearray(content)
    kind = generator.randrange(4)
    if kind == 0:
        return content[: generator.randrange(len(content))]
    if kind == 1:
        start = generator.randrange(len(changed))
        end = min(len(changed), start + generator.randrange(1, 32))
        changed[start:end] = generator.randbytes(end - start)
        return bytes(changed)
    for _ in range(generator.choice([1, 1, 2, 8])):
        changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("ending", ["tflite", "onnx"])
def test_mutated_models_compile_or_end_in_one_line(ending: str, cli: Cli, tmp_path: Path) -> None:
    """A flipped bit in the weights is still a model; anything else is refused, on every path."""
    content = tflite_model(float_edges=True) if ending == "tflite" else onnx_model()
    generator = random.Random(ending)
    path, output = tmp_path / f"mutated.{ending}", tmp_path / "out"
    refused = 0
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(content, generator))
        outcome = cli("compile", path, "-o", output)
        if outcome.code == 0:
            assert outcome.stderr == ""
            shutil.rmtree(output)
        else:
            assert outcome.reason
            refused += 1
        inspection = cli("inspect", path)
        assert inspection.code == 0 or inspection.reason
        assert list(tmp_path.iterdir()) == [path]
    assert MUTATIONS // 3 < refused < MUTATIONS


def test_output_that_is_not_free(cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "precious.txt").write_text("mine")
    assert "not an empty folder" in cli("compile", tflite_file, "-o", output).reason
    assert [path.name for path in output.iterdir()] == ["precious.txt"]
    assert "not an empty folder" in cli("compile", tflite_file, "-o", tflite_file).reason
    assert "cannot write" in cli("compile", tflite_file, "-o", tflite_file / "below").reason
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "small.tflite"]


def test_budgets_that_cannot_be_met(cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    reason = cli("compile", tflite_file, "-o", tmp_path / "out", "--sram", "40").reason
    assert "conv2d_0" in reason and "more than the 40 bytes of SRAM" in reason
    reason = cli("compile", tflite_file, "-o", tmp_path / "out", "--flash", "100").reason
    assert "constants" in reason and "more than the 100 bytes of flash" in reason
    assert list(tmp_path.iterdir()) == [tflite_file]


USAGE = {
    "unknown target": (("compile", "MODEL", "-o", "OUT", "--target", "z80"), ("z80", "cortex-m4")),
    "unknown io": (("compile", "MODEL", "-o", "OUT", "--io", "int4"), ("int4", "float")),
    "bad size": (("compile", "MODEL", "-o", "OUT", "--sram", "12X"), ("12X", "320K")),
    "no size": (("compile", "MODEL", "-o", "OUT", "--flash", "0"), ("'0'", "1M")),
    "bad name": (("compile", "MODEL", "-o", "OUT", "--name", "9 lives"), ("9 lives", "letters")),
    "name of the example": (("compile", "MODEL", "-o", "OUT", "--name", "main"), ("main",)),
    "name of a C header": (("compile", "MODEL", "-o", "OUT", "--name", "stdint"), ("stdint", "header")),
    "name of a CMake target": (("compile", "MODEL", "-o", "OUT", "--name", "all"), ("all", "CMake")),
    "no output": (("compile", "MODEL"), ("--output",)),
    "no model": (("compile",), ("MODEL",)),
    "unknown option": (("compile", "MODEL", "-o", "OUT", "--fast"), ("--fast",)),
    "unknown command": (("comple", "MODEL"), ("comple",)),
    "unknown place": (("run", "FOLDER", "--on", "avr"), ("avr", "cortex-m0", "rv32imc")),
    "sanitizers on a board": (("run", "FOLDER", "--on", "cortex-m4", "--sanitize"), ("--sanitize", "host")),
    "profile of the host": (("run", "FOLDER", "--profile"), ("--profile", "board")),
    "not a generated folder": (("run", "PLACE"), ("tinycc compile",)),
    "no report": (("report", "PLACE"), ("tinycc compile",)),
    "absent folder": (("report", "ABSENT"), ("tinycc compile",)),
}


@pytest.mark.parametrize("case", USAGE)
def test_usage(case: str, cli: Cli, tflite_file: Path, compiled: Path, tmp_path: Path) -> None:
    arguments, words = USAGE[case]
    (tmp_path / "place").mkdir()
    paths = {
        "MODEL": tflite_file,
        "OUT": tmp_path / "out",
        "FOLDER": compiled,
        "PLACE": tmp_path / "place",
        "ABSENT": tmp_path / "absent",
    }
    reason = cli(*(paths.get(item, item) for item in arguments)).reason
    assert all(word in reason for word in words), reason
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compiled", "place", "small.tflite"]


def test_missing_cross_compiler(cli: Cli, compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for core in ("cortex-m4", "rv32imc"):
        assert "apt install" in cli("run", compiled, "--on", core).reason
    monkeypatch.delenv("CC", raising=False)
    assert "apt install gcc" in cli("run", compiled).reason


WriteInputs = Callable[[Path], object]


def _save(**arrays: Any) -> WriteInputs:
    return lambda path: np.savez(path, **arrays)


def _save_plain(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros((1, 4, 4, 2), np.int8))


def _save_damaged(path: Path) -> None:
    np.savez_compressed(path, in0=np.random.default_rng(0).integers(0, 99, (9, 4, 4, 2), np.int8))
    content = bytearray(path.read_bytes())
    content[60:160] = bytes(100)
    path.write_bytes(content)


BAD_INPUTS: dict[str, tuple[WriteInputs, str]] = {
    "absent": (lambda path: None, "does not exist"),
    "empty file": (lambda path: path.write_bytes(b""), "not a readable .npz"),
    "text": (lambda path: path.write_text("in0"), "not a readable .npz"),
    "npy": (_save_plain, "not a readable .npz"),
    "damaged": (_save_damaged, "not a readable .npz"),
    "pickle": (_save(in0=np.array([{}], object)), "not a readable .npz"),
    "other name": (_save(x=np.zeros((1, 4, 4, 2), np.int8)), "no array in0"),
    "no first": (_save(in1=np.zeros((1, 4, 4, 2), np.int8)), "no array in0"),
    "too many": (
        _save(in0=np.zeros((1, 4, 4, 2), np.int8), in1=np.zeros((1, 4, 4, 2), np.int8)),
        "1 input",
    ),
    "other shape": (_save(in0=np.zeros((1, 4, 4, 3), np.int8)), "[cases, 4, 4, 2]"),
    "one number": (_save(in0=np.int8(3)), "[cases, 4, 4, 2]"),
    "no cases": (_save(in0=np.zeros((0, 4, 4, 2), np.int8)), "no cases"),
    "other dtype": (_save(in0=np.zeros((1, 4, 4, 2), np.int32)), "int8"),
    "complex": (_save(in0=np.zeros((1, 4, 4, 2), complex)), "int8"),
    "not a number": (_save(in0=np.full((1, 4, 4, 2), np.nan, np.float32)), "NaN"),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_inputs(case: str, cli: Cli, compiled: Path, tmp_path: Path) -> None:
    write, words = BAD_INPUTS[case]
    path, output = tmp_path / "in.npz", tmp_path / "out.npz"
    write(path)
    assert words in cli("run", compiled, "--input", path, "--output", output).reason
    assert not output.exists()


def test_outputs_that_cannot_be_written(cli: Cli, compiled: Path, tmp_path: Path) -> None:
    assert "cannot write" in cli("run", compiled, "--output", tmp_path / "absent" / "out.npz").reason
    assert "cannot write" in cli("run", compiled, "--output", tmp_path).reason


def test_generated_folder_that_was_changed(cli: Cli, compiled: Path) -> None:
    (compiled / "report.json").write_text("{}")
    for command in ("run", "report"):
        assert "compile the model again" in cli(command, compiled).reason
    (compiled / "report.json").write_text("{")
    for command in ("run", "report"):
        assert "tinycc compile" in cli(command, compiled).reason


def test_source_that_was_changed(cli: Cli, compiled: Path) -> None:
    source = compiled / "model.c"
    source.write_text("#error broken\n" + source.read_text())
    assert "broken" in cli("run", compiled).reason
    source.unlink()
    assert "compile the model again" in cli("run", compiled).reason


def test_an_unknown_option_before_the_command(cli: Cli) -> None:
    assert "--unknown" in cli("--unknown").reason


def test_a_damaged_report(cli: Cli, tmp_path: Path) -> None:
    content = '{"model": 3, "target": [], "operators": 7, "name": "model"}'
    (tmp_path / "report.json").write_text(content)
    assert "damaged" in cli("report", tmp_path).reason


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all values of a JSON document; of a list to its first two items."""
    items = list(value.items()) if isinstance(value, dict) else []
    if isinstance(value, list):
        items = list(enumerate(value))[:2]
    return [path, *(place for key, item in items for place in _places(item, (*path, key)))]


@pytest.mark.parametrize("command", [("report",), ("run",), ("report", "--compare")])
def test_reports_that_are_damaged_anywhere(
    command: tuple[str, ...], cli: Cli, compiled: Path, tmp_path: Path
) -> None:
    """A value that is missing or another one: it does not matter, or it ends in one line."""
    path = compiled / "report.json"
    original = path.read_text()
    generator = random.Random(5)
    places = _places(json.loads(original))[1:]
    if command[0] == "run":  # what running reads; a run takes a second
        places = [place for place in places if place[0] in ("name", "inputs", "outputs")]
    if command == ("report", "--compare"):
        shutil.copytree(compiled, tmp_path / "other")
        command = (*command, str(tmp_path / "other"))
        places = places[::3]
    for place in places:
        value: object = generator.choice([None, -1, 0, 1e400, "", "x\n", [], {}, True, [[]], 2**70, "../m"])
        report = json.loads(original)
        parent = report
        for key in place[:-1]:
            parent = parent[key]
        if generator.random() < 0.3:
            del parent[place[-1]]
        else:
            parent[place[-1]] = value
        path.write_text(json.dumps(report))
        outcome = cli(command[0], compiled, *command[1:])
        assert outcome.code == 0 or outcome.reason, (place, value)


def test_outputs_of_other_sizes_than_the_report(cli: Cli, compiled: Path) -> None:
    report = json.loads((compiled / "report.json").read_text())
    report["outputs"][0] |= {"shape": [1, 4], "file_shape": [1, 4], "bytes": 4}
    (compiled / "report.json").write_text(json.dumps(report))
    assert "compile the model again" in cli("run", compiled).reason
