"""Cases that are successive steps of a stream."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import tinycc
from tests.tools.stateful_graphs import run_states_on_vm
from tests.tools.streaming_graphs import streaming
from tinycc.cli import main
from tinycc.run import run

STEPS = np.random.default_rng(3).integers(-128, 128, (6, 1, 2, 1, 4)).astype(np.int8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A streaming model, compiled."""
    path = tmp_path_factory.mktemp("streaming") / "model"
    tinycc.compile(streaming((1, 5, 1, 4), (1, 2, 1, 4), 1, "cut"), io="float").export(path)
    return path


@pytest.fixture(scope="module")
def expected() -> list[np.ndarray]:
    """The output of each step, on TVM's VM."""
    module = streaming((1, 5, 1, 4), (1, 2, 1, 4), 1, "cut")
    return [outputs[0] for outputs in run_states_on_vm(module, list(STEPS))]


def test_each_case_begins_with_a_reset(folder: Path, expected: list[np.ndarray]) -> None:
    [found] = run(folder, "host", [STEPS]).outputs
    [alone] = run(folder, "host", [STEPS[3:4]]).outputs
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[3], alone[0])
    assert (found[3] != expected[3]).any()


def test_steps_follow_each_other_on_the_host(folder: Path, expected: list[np.ndarray]) -> None:
    [found] = run(folder, "host", [STEPS], keep_state=True, sanitize=True).outputs
    np.testing.assert_array_equal(found, expected)


def test_steps_follow_each_other_on_a_board(
    folder: Path, expected: list[np.ndarray], require_tool: Callable[[str], str]
) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    [found] = run(folder, "cortex-m4", [STEPS], keep_state=True, profile=True).outputs
    np.testing.assert_array_equal(found, expected)


def test_the_command_keeps_states(folder: Path, expected: list[np.ndarray], tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", in0=STEPS)
    arguments = ["run", str(folder), "--keep-state", "--input", str(tmp_path / "in.npz")]
    result = CliRunner().invoke(main, [*arguments, "--output", str(tmp_path / "out.npz")])
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(np.load(tmp_path / "out.npz")["out0"], expected)
