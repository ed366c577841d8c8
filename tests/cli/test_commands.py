"""The contract of the commands: options, arrays, JSON keys."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tinycc
from tests.cli.conftest import Cli
from tests.cli.models import INPUT, OUTPUT, custom_tflite_model
from tests.reference.interpreter import run_tflite

CASES = np.random.default_rng(11).integers(-128, 128, (5, 4, 4, 2)).astype(np.int8)
SIZES = ("ram_bytes", "flash_bytes", "code_bytes", "const_bytes")


def test_compile_writes_the_folder(cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "below" / "out"
    outcome = cli(
        "compile", tflite_file, "-o", folder, "--target", "cortex-m7", "--sram", "320K", "--flash", "1M"
    )
    assert outcome.code == 0 and outcome.stderr == ""
    assert f"{folder / 'report.html'}" in outcome.stdout.replace("\n", "")
    assert sorted(path.name for path in folder.iterdir()) == [
        "CMakeLists.txt", "Makefile", "kernels", "main.c", "model.c", "model.h", "report.html", "report.json",
    ]  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    assert folder.stat().st_mode & 0o777 == 0o755
    report = json.loads((folder / "report.json").read_text())
    assert (report["model"], report["target"]) == ("small.tflite", "cortex-m7")
    assert (report["sram_bytes"], report["flash_bytes"]) == (320 * 1024, 1024 * 1024)


def test_an_empty_folder_may_be_written_to(cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert cli("compile", tflite_file, "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "model.c").is_file()


def test_report_json_has_the_keys_of_the_contract(compiled: Path) -> None:
    report = json.loads((compiled / "report.json").read_text())
    assert report.keys() >= {
        "model", "target", "arena_bytes", "lower_bound_bytes", "weight_bytes", "macs", "extra_macs",
        "operators", "tensors", "fallbacks",
    }  # fmt: skip
    assert report["macs"] == 4 * 4 * 4 * 9 * 2 + 64 * 3
    assert report["extra_macs"] == 0 and report["fallbacks"] == []
    assert 0 < report["lower_bound_bytes"] <= report["arena_bytes"] <= 2 * (32 + 64)
    assert [operator["kind"] for operator in report["operators"]] == ["conv2d", "dense"]
    for operator in report["operators"]:
        assert operator.keys() >= {"name", "kind", "output_shape", "macs", "scratch_bytes", "live_bytes"}
        assert operator["live_bytes"] <= report["lower_bound_bytes"]
    for tensor in report["tensors"]:
        assert tensor.keys() >= {"name", "bytes", "offset", "first_use", "last_use"}
        assert 0 <= tensor["offset"] <= report["arena_bytes"] - tensor["bytes"]
        assert tensor["first_use"] <= tensor["last_use"] < len(report["operators"])
    assert report["weight_bytes"] == sum(operator["weight_bytes"] for operator in report["operators"])


def test_arrays_are_named_and_shaped_as_promised(cli: Cli, tflite_file: Path, compiled: Path) -> None:
    """in0 and out0 have the file's layout behind an axis of cases; a batch of 1 stays or goes in both."""
    path = compiled.parent / "in.npz"
    expected = np.stack([run_tflite(tflite_file, [case[None]])[0] for case in CASES])
    assert expected.shape == (5, 1, 3)
    for shape, wanted in (((5, 1, 4, 4, 2), expected), ((5, 4, 4, 2), expected[:, 0])):
        np.savez(path, in0=CASES.reshape(shape))
        outcome = cli(
            "run", compiled, "--on", "host", "--input", path, "--output", compiled.parent / "out.npz"
        )
        assert outcome.code == 0 and outcome.stderr == ""
        with np.load(compiled.parent / "out.npz") as outputs:
            assert outputs.files == ["out0"]
            assert outputs["out0"].dtype == np.int8
            np.testing.assert_array_equal(outputs["out0"], wanted, strict=True)


def test_float_arrays_are_quantized_at_the_edge(cli: Cli, compiled: Path, tmp_path: Path) -> None:
    real = (CASES.astype(np.float32) - INPUT["zero_point"]) * np.float32(INPUT["scale"])
    outputs = []
    for array in (CASES, real, real.astype(np.float64)):
        np.savez(tmp_path / "in.npz", in0=array)
        assert (
            cli("run", compiled, "--input", tmp_path / "in.npz", "--output", tmp_path / "out.npz").code == 0
        )
        with np.load(tmp_path / "out.npz") as stored:
            outputs.append(stored["out0"])
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[0], outputs[2])


def test_float_edges_are_dropped_or_kept(cli: Cli, float_edges_file: Path, tmp_path: Path) -> None:
    real = (CASES.astype(np.float32) - INPUT["zero_point"]) * np.float32(INPUT["scale"])
    np.savez(tmp_path / "in.npz", in0=real)
    outputs = {}
    for io in ("int8", "float"):
        folder = tmp_path / io
        assert cli("compile", float_edges_file, "-o", folder, "--io", io).code == 0
        assert cli("run", folder, "--input", tmp_path / "in.npz", "--output", tmp_path / "out.npz").code == 0
        with np.load(tmp_path / "out.npz") as stored:
            outputs[io] = stored["out0"]
        report = json.loads((folder / "report.json").read_text())
        assert report["io"] == io
        assert report["inputs"][0]["dtype"] == ("int8" if io == "int8" else "float32")
    assert (outputs["int8"].dtype, outputs["float"].dtype) == (np.int8, np.float32)
    back = ((outputs["int8"] - np.float64(OUTPUT["zero_point"])) * OUTPUT["scale"]).astype(np.float32)
    np.testing.assert_array_equal(back, outputs["float"])
    # The scale and zero point that stand in for the dropped edges.
    header = (tmp_path / "int8" / "model.h").read_text()
    assert "#define MODEL_INPUT_0_SCALE 5.0e-01f" in header and "#define MODEL_INPUT_0_ZERO_POINT 3" in header
    assert (
        "#define MODEL_OUTPUT_0_SCALE 2.5e-01f" in header and "#define MODEL_OUTPUT_0_ZERO_POINT -7" in header
    )
    edge = json.loads((tmp_path / "int8" / "report.json").read_text())["outputs"][0]
    assert (edge["scale"], edge["zero_point"]) == (0.25, -7)


def test_run_prints_one_json_object(cli: Cli, compiled: Path) -> None:
    outcome = cli("run", compiled, "--json")
    assert outcome.code == 0 and outcome.stderr == ""
    result = json.loads(outcome.stdout)
    assert result["cases"] == 1 and "instructions" not in result
    assert all(result[key] > 0 for key in SIZES)


@pytest.mark.emulator
def test_run_on_a_board_counts(cli: Cli, compiled: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    np.savez(compiled.parent / "in.npz", in0=CASES)
    arguments = ("run", compiled, "--on", "cortex-m4", "--input", compiled.parent / "in.npz", "--json")
    result = json.loads(cli(*arguments).stdout)
    assert result["cases"] == 5
    assert all(result[key] > 0 for key in (*SIZES, "instructions", "stack_bytes"))
    assert result["flash_bytes"] == result["code_bytes"] + result["const_bytes"]
    profiled = json.loads(cli(*arguments, "--profile").stdout)
    assert profiled["instructions"] == result["instructions"]
    assert len(profiled["operator_instructions"]) == 2
    assert sum(profiled["operator_instructions"]) <= 1.2 * result["instructions"]


def test_sanitized_run(cli: Cli, compiled: Path) -> None:
    assert cli("run", compiled, "--sanitize").code == 0


def test_tables_in_the_terminal(cli: Cli, compiled: Path, tflite_file: Path, onnx_file: Path) -> None:
    for arguments in (("report", compiled), ("run", compiled)):
        outcome = cli(*arguments)
        assert outcome.code == 0 and outcome.stderr == "" and "small.tflite" in outcome.stdout
    inspected = cli("inspect", tflite_file)
    assert inspected.code == 0
    assert all(word in inspected.stdout for word in ("CONV_2D", "FULLY_CONNECTED", "1,344 MACs", "int8"))
    inspected = cli("inspect", onnx_file)
    assert inspected.code == 0 and "Conv" in inspected.stdout


def test_inspect_names_what_is_not_supported(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "custom.tflite").write_bytes(custom_tflite_model())
    outcome = cli("inspect", tmp_path / "custom.tflite")
    assert outcome.code == 0 and "FancyFilter" in outcome.stdout


def test_python_and_the_command_line_agree(compiled: Path, tflite_file: Path, tmp_path: Path) -> None:
    model = tinycc.compile(str(tflite_file), target="cortex-m4", sram=1000, flash="8K")
    assert model.report["sram_bytes"] == 1000 and model.report["flash_bytes"] == 8192
    [output] = model.run([CASES])
    np.testing.assert_array_equal(output[0], run_tflite(tflite_file, [CASES[:1]])[0][0])
    model.export(tmp_path / "python")
    written = json.loads((tmp_path / "python" / "report.json").read_text())
    assert written == model.report
    for name in ("model.c", "model.h"):
        assert (tmp_path / "python" / name).read_bytes() == (compiled / name).read_bytes()


def test_a_reader_that_leaves_early(compiled: Path) -> None:
    """`tinycc report OUT | head -1` is no error that anybody should be told of."""
    command = [sys.executable, "-m", "tinycc.cli", "report", str(compiled)]
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as closed_pipe:
        done = subprocess.run(command, stdout=closed_pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ""


def test_the_program_itself(tflite_file: Path, tmp_path: Path) -> None:
    """The whole process: nothing but the tables on stdout, nothing on stderr; one line for an error."""
    program = [sys.executable, "-m", "tinycc.cli"]
    done = subprocess.run(
        [*program, "compile", tflite_file, "-o", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(
        [*program, "compile", tflite_file, "-o", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("tinycc: error: ") and done.stderr.count("\n") == 1
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith(tinycc.__version__)


def test_two_folders_are_compared(cli: Cli, tflite_file: Path, compiled: Path, tmp_path: Path) -> None:
    other = tmp_path / "stream"
    assert cli("compile", tflite_file, "-o", other, "--schedule", "stream").code == 0
    outcome = cli("report", "--compare", compiled, other)
    assert outcome.code == 0 and outcome.stderr == ""
    assert f"A  {compiled}" in outcome.stdout.replace("\n", "")
    assert "arena" in outcome.stdout and "At the peak" in outcome.stdout
    assert "tinycc compile" in cli("report", "--compare", compiled, tmp_path / "absent").reason


def test_a_model_file_is_compiled_without_importing_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from tinycc.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "assert 'tvm' in sys.modules and 'torch' not in sys.modules; "
        "assert not any(type(finder).__name__ == '_NoTorch' for finder in sys.meta_path)"
    )
    model = Path(__file__).parents[1] / "data" / "mobile_int8.tflite"
    command = [sys.executable, "-c", code, "compile", str(model), "-o", str(tmp_path / "out")]
    subprocess.run(command, capture_output=True, check=True)
