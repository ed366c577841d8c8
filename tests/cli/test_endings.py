"""The last resort: what nobody foresaw ends in one line and a file, and leaves nothing half-written."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.cli.conftest import Cli
from tinycc.command import FAULT

Fail = Callable[..., None]


def fail_below_tvm(*_: object, **__: object) -> None:
    """An error that comes up through TVM's C++, which warns of the unfinished function on stderr."""

    @tvm.transform.module_pass(opt_level=0, name="Failing")
    def transform(_module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        with relax.BlockBuilder().function("main", []):
            raise ValueError("first\n[red]second line")

    transform(tvm.IRModule())


def fail_in_tvm(*_: object, **__: object) -> None:
    relax.op.add(relax.Var("x"), relax.Var("y"))
    relax.BlockBuilder().emit(relax.op.add(relax.const(1.0), relax.const(np.zeros(3, np.int8))))


def fail_for_memory(*_: object, **__: object) -> None:
    raise MemoryError


def fail_endlessly(*_: object, **__: object) -> None:
    fail_endlessly()


FAULTS: dict[str, tuple[Fail, str]] = {
    "below TVM": (fail_below_tvm, "ValueError: first"),
    "in TVM": (fail_in_tvm, "Error"),
    "memory": (fail_for_memory, "MemoryError"),
    "recursion": (fail_endlessly, "RecursionError"),
}
# Of each command something that it calls.
COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "compile": ("tinycc.codegen.folder.kernel_places", ("compile", "MODEL", "-o", "OUT")),
    "run": ("tinycc.run.host.file_outputs", ("run", "FOLDER", "--output", "ARRAYS")),
    "report": ("tinycc.run.folder.read_report", ("report", "FOLDER")),
    "inspect": ("tinycc.frontend.load.describe_model", ("inspect", "MODEL")),
}


@pytest.mark.parametrize(
    ("fault", "command"),
    [*((fault, "compile") for fault in FAULTS), *(("memory", command) for command in list(COMMANDS)[1:])],
)
def test_a_fault_ends_in_one_line_and_a_file(
    fault: str,
    command: str,
    cli: Cli,
    tflite_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail, name = FAULTS[fault]
    place, arguments = COMMANDS[command]
    folder, reports = tmp_path / "compiled", tmp_path / "reports"
    if "FOLDER" in arguments:
        assert cli("compile", tflite_file, "-o", folder).code == 0
    before = sorted(tmp_path.iterdir())
    reports.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(reports))
    monkeypatch.setattr(place, fail)
    paths = {"MODEL": tflite_file, "OUT": tmp_path / "new" / "out", "FOLDER": folder}
    paths["ARRAYS"] = tmp_path / "out.npz"
    outcome = cli(*(paths.get(item, item) for item in arguments), is_fault_expected=True)
    assert outcome.code == FAULT
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("tinycc: error: a fault in tinycc") and outcome.stderr.endswith("\n")
    assert outcome.stderr[:-1].isprintable()
    assert name in outcome.stderr and "second line" not in outcome.stderr
    [found] = re.findall(r"traceback in (\S+)\n", outcome.stderr)
    report = Path(found)
    assert list(reports.iterdir()) == [report]
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert "Traceback (most recent call last)" in report.read_text()
    assert sorted(tmp_path.iterdir()) == sorted([*before, reports])


def test_each_fault_has_its_own_file(
    cli: Cli, tflite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("tinycc.frontend.load.describe_model", fail_for_memory)
    for count in (1, 2):
        assert cli("inspect", tflite_file, is_fault_expected=True).code == FAULT
        assert len(list(tmp_path.glob("tinycc-fault-*.txt"))) == count


def test_no_room_for_the_file(
    cli: Cli, tflite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinycc.frontend.load.describe_model", fail_for_memory)
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: os.open(tmp_path / "absent" / "file", os.O_RDONLY))
    outcome = cli("inspect", tflite_file, is_fault_expected=True)
    assert outcome.code == FAULT and outcome.stderr.count("\n") == 1
    assert "cannot be written" in outcome.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(number: signal.Signals, tflite_file: Path, tmp_path: Path) -> None:
    """It comes below TVM, in a pass, and while the folder is being written."""
    program = """
import signal, sys, time
import tinycc.codegen.folder
from tinycc.cli import main
def wait(*_):
    print("ready", flush=True)
    time.sleep(60)
tinycc.codegen.folder.kernel_places = wait
main()
"""
    command = [
        sys.executable,
        "-c",
        program,
        "compile",
        str(tflite_file),
        "-o",
        str(tmp_path / "new" / "out"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        assert (tmp_path / "new").exists()
        process.send_signal(number)
        start = time.monotonic()
        assert process.wait() == 128 + number
        assert time.monotonic() - start < 30
        assert process.stderr.read() == ""
    assert list(tmp_path.iterdir()) == [tflite_file]


def test_outputs_are_replaced_whole(
    cli: Cli, compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure in the middle leaves what was there."""
    output = tmp_path / "out.npz"
    assert cli("run", compiled, "--output", output).code == 0
    before = output.read_bytes()

    def fail_halfway(file: BinaryIO, **_: np.ndarray) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", fail_halfway)
    assert "No space left" in cli("run", compiled, "--output", output).reason
    assert output.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compiled", "out.npz", "small.tflite"]


def test_names_that_are_no_unicode(cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    """On a file system names are bytes."""
    model, output = tmp_path / os.fsdecode(b"m\xff\n.tflite"), tmp_path / os.fsdecode(b"out\xff")
    tflite_file.rename(model)
    for arguments in (("compile", model, "-o", output), ("report", output), ("inspect", model)):
        assert cli(*arguments).code == 0
