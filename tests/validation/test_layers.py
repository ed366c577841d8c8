"""An operator of the C is found again in the file by what it computes, and where it is wrong, that shows."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import tinycc
from tests.tools.float_models import float_onnx, images
from tinycc.quantization import quantize
from tinycc.run.folder import DeviceTensor
from tinycc.validation import validate
from tinycc.validation.steps import count_steps


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """small.onnx, int8.onnx, out: its C, data.npz: images in its layout."""
    folder = tmp_path_factory.mktemp("validated")
    path = float_onnx(folder)
    data = ((images(12).astype(np.float32) - 128) / 64).transpose(0, 3, 1, 2)
    np.savez(folder / "data.npz", in0=data)
    quantize(path, data).save(folder / "int8.onnx")
    tinycc.compile(folder / "int8.onnx").export(folder / "out")
    return folder


def test_layers_of_other_layouts_are_found(folder: Path) -> None:
    """ONNX has channels first; each layer of the C is within a step of onnxruntime's."""
    found = validate(
        folder / "out",
        folder / "data.npz",
        reference=folder / "small.onnx",
        quantized=folder / "int8.onnx",
        board_cases=0,
    )
    operators = {layer.layer: layer.operator for layer in found.layers if layer.operator}
    assert list(operators) == ["features", "average", "scores"]
    assert all(layer.largest_step is None or layer.largest_step <= 1 for layer in found.layers)
    assert [line.name for line in found.lines] == ["float model", "quantized model", "C on the host"]


def test_a_layer_that_is_wrong_in_the_c_shows(folder: Path, tmp_path: Path) -> None:
    """The dense layer's weights in flash are gone: what it computes is near to no tensor of the file."""
    broken = tmp_path / "out"
    shutil.copytree(folder / "out", broken)
    source = broken / "model.c"
    text, count = re.subn(r"(dense_0_matrix\[\d+\] = \{)[^}]*", r"\1 0", source.read_text())
    assert count == 1
    source.write_text(text)
    found = validate(
        broken,
        folder / "data.npz",
        reference=folder / "small.onnx",
        quantized=folder / "int8.onnx",
        board_cases=0,
    )
    lost = [layer for layer in found.layers if layer.layer is None]
    assert [layer.operator for layer in lost] == ["dense_0"]
    quantized, host = found.lines[1:]
    assert host.decibels < 10 < quantized.decibels


def test_steps_are_counted() -> None:
    edge = DeviceTensor("scores", (1, 4), np.dtype("int8"), 4, 0.5, 0, "float32", (1, 4), ())
    own = [np.array([[0.0, 1.0, 2.0, 10.0]])]
    histogram = count_steps(own, [np.array([[0.0, 1.5, 1.0, 0.0]])], [edge])
    assert histogram is not None
    assert histogram.counts == (1, 1, 1, 0, 0, 1) and histogram.largest == 20
