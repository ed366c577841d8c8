"""`--shape INPUT=1x16`: what an ONNX file leaves open."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Cli
from tests.tools.onnx_graph import Graph


@pytest.fixture(scope="module")
def open_length(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The larger of a tensor and 3, of any length."""
    graph = Graph(21)
    graph.output(graph.call("Relu", [graph.input((1, 16))])[0])
    model = graph.model()
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "length"
    path = tmp_path_factory.mktemp("open") / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_the_shape_is_that_of_the_compiled_model(cli: Cli, open_length: Path, tmp_path: Path) -> None:
    folder, inputs, outputs = (tmp_path / name for name in ("out", "in.npz", "out.npz"))
    assert "--shape x0=1x16" in cli("compile", open_length, "-o", folder).reason
    assert cli("compile", open_length, "-o", folder, "--shape", "x0=1x5").code == 0
    np.savez(inputs, in0=np.array([[-9, 0, 3, 4, 5]], np.int8))
    assert cli("run", folder, "--input", inputs, "--output", outputs).code == 0
    with np.load(outputs) as stored:
        np.testing.assert_array_equal(stored["out0"], [[3, 3, 3, 4, 5]])


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        (["x0"], "--shape x0: give the name of an input and its sizes, as audio=1x16000"),
        (["x0=1x"], "--shape x0=1x: give the name"),
        (["x0=1x-5"], "--shape x0=1x-5: give the name"),
        (["x0=1x0"], "--shape x0=1x0: give the name"),
        (["x0=1x5", "x0=1x6"], "--shape x0=1x6: the input x0 has a shape already"),
        (["y=1x5"], "there is no input 'y' to give a shape, only x0"),
        (["x0=2x5"], "--shape x0=2x5: the shape of this input is 1x?"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_in_one_line(
    shapes: list[str], reason: str, cli: Cli, open_length: Path, tmp_path: Path
) -> None:
    options = [option for shape in shapes for option in ("--shape", shape)]
    assert reason in cli("compile", open_length, "-o", tmp_path / "out", *options).reason
    assert not (tmp_path / "out").exists()


def test_files_of_other_formats_have_their_shapes(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"TFL3")
    reason = cli("compile", path, "-o", tmp_path / "out", "--shape", "x=1x5").reason
    assert "--shape is for ONNX files" in reason
