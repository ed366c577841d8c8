"""`--state IN=OUT`: an input that the device keeps."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Cli
from tests.tools.tflite_writer import TFLiteWriter


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """y and the next `held` are the largest that was seen so far; an input has "=" in its name."""
    net = TFLiteWriter()
    x, held, y, following = (
        net.add_tensor(name, (1, 4), scale=0.1, zero_point=-3) for name in ("x", "held=0", "y", "following")
    )
    for result in (y, following):
        net.add_operator("MAXIMUM", [x, held], [result], "MaximumMinimumOptions")
    path = tmp_path_factory.mktemp("streaming") / "model.tflite"
    path.write_bytes(net.finish([x, held], [y, following]))
    return path


def test_a_paired_input_is_kept_from_step_to_step(cli: Cli, streaming: Path, tmp_path: Path) -> None:
    folder, inputs, outputs = (tmp_path / name for name in ("out", "in.npz", "out.npz"))
    assert cli("compile", streaming, "-o", folder, "--state", "held=0=following").code == 0
    steps = np.array([[-9, -9, -9, -9], [5, 0, -5, 0], [1, 2, 3, 4]], np.int8)
    np.savez(inputs, in0=steps)
    outcome = cli("run", folder, "--input", inputs, "--output", outputs, "--keep-state")
    assert (outcome.code, outcome.stderr) == (0, "")
    with np.load(outputs) as stored:
        assert stored.files == ["out0"]
        np.testing.assert_array_equal(stored["out0"], [[-3] * 4, [5, 0, -3, 0], [5, 2, 3, 4]])


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        (["held"], "--state held: give the name of an input and of an output, IN=OUT"),
        (["=following"], "--state =following: give the name"),
        (["x=y", "x=following"], "--state x=following: the input x is paired already"),
        (["x=y", "held=0=y"], "the output y is the next value of several states"),
        (["z=y"], "the model has no input z"),
        (["x=y", "held=0=following"], "all outputs of the model are states: leave one to read"),
    ],
)
def test_pairs_that_cannot_be_are_refused_in_one_line(
    pairs: list[str], reason: str, cli: Cli, streaming: Path, tmp_path: Path
) -> None:
    options = [option for pair in pairs for option in ("--state", pair)]
    assert reason in cli("compile", streaming, "-o", tmp_path / "out", *options).reason
    assert not (tmp_path / "out").exists()
