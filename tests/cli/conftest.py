"""Running the command line within the test, and what every refusal must look like."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.cli.models import onnx_model, tflite_model
from tinycc.cli import main
from tinycc.command import FAULT


@dataclass(frozen=True)
class Outcome:
    """What a command did. stderr includes what native libraries wrote past Python."""

    code: int
    stdout: str
    stderr: str

    @property
    def reason(self) -> str:
        """The message of a refusal: one line on stderr, nothing else, exit code 2."""
        assert self.code == 2, f"exit code {self.code}: {self.stderr or self.stdout}"
        assert self.stdout == ""
        assert self.stderr.startswith("tinycc: error: ") and self.stderr.endswith("\n")
        assert self.stderr.count("\n") == 1, self.stderr
        assert self.stderr[:-1].isprintable()
        return self.stderr[len("tinycc: error: ") : -1]


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    """Runs `tinycc` with the arguments given. A fault of tinycc fails the test, unless it is expected."""

    def run_main(*arguments: Any, is_fault_expected: bool = False) -> Outcome:
        capfd.readouterr()
        result = CliRunner().invoke(main, [str(item) for item in arguments], prog_name="tinycc")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        native = capfd.readouterr()
        outcome = Outcome(result.exit_code, result.stdout + native.out, result.stderr + native.err)
        assert outcome.code != FAULT or is_fault_expected, outcome.stderr
        return outcome

    return run_main


@pytest.fixture
def tflite_file(tmp_path: Path) -> Path:
    """A small int8 model."""
    path = tmp_path / "small.tflite"
    path.write_bytes(tflite_model())
    return path


@pytest.fixture
def float_edges_file(tmp_path: Path) -> Path:
    """The same model with float32 input and output."""
    path = tmp_path / "edges.tflite"
    path.write_bytes(tflite_model(float_edges=True))
    return path


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    """A small ONNX model in QDQ form, NCHW, float edges."""
    path = tmp_path / "small.onnx"
    path.write_bytes(onnx_model())
    return path


@pytest.fixture
def compiled(cli: Cli, tflite_file: Path, tmp_path: Path) -> Path:
    """The folder of the small int8 model."""
    folder = tmp_path / "compiled"
    assert cli("compile", tflite_file, "-o", folder).code == 0
    return folder
