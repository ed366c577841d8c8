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
from tinycc.validation.matching import Computed, match_layers
from tinycc.validation.steps import count_steps

DATA = Path(__file__).parents[1] / "data"


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


def test_a_layer_that_is_off_shows_apart_from_what_it_passes_on(folder: Path, tmp_path: Path) -> None:
    """The convolution's zero point in flash is four steps up: all layers differ, but alone only this one."""
    broken = tmp_path / "out"
    shutil.copytree(folder / "out", broken)
    source = broken / "model.c"
    text, count = re.subn(
        r"(conv2d_0_data = \{[^}]*output_zero_point = )-128", r"\g<1>-124", source.read_text()
    )
    assert count == 1
    source.write_text(text)
    found = validate(broken, folder / "data.npz", quantized=folder / "int8.onnx", board_cases=0)
    layers = {layer.operator: layer for layer in found.layers}
    assert all((layer.largest_step or 0) >= 4 for layer in layers.values())
    assert layers["conv2d_0"].alone in (4, 5)  # a step of rounding
    assert all((layers[name].alone or 0) <= 1 for name in ("reduce_0", "dense_0"))


def test_integers_of_an_unsigned_file_are_the_signed_ones_of_the_c(tmp_path: Path) -> None:
    model = DATA / "classifier_uint8_qdq.onnx"
    tinycc.compile(model).export(tmp_path / "out")
    np.savez(tmp_path / "data.npz", in0=np.random.default_rng(0).normal(size=(2, 1, 3, 16, 12)).astype("f4"))
    found = validate(tmp_path / "out", tmp_path / "data.npz", quantized=model, board_cases=0)
    assert [layer.operator for layer in found.layers if layer.layer is None] == []
    assert all((layer.alone or 0) <= 1 for layer in found.layers)


def test_the_nearest_of_two_tensors_that_are_alike_is_taken() -> None:
    """As those before and behind a branch that adds little; here the first operator is near to both."""
    tensors = {"before": np.array([[0.0, 1.0, 2.0, 4.0]]), "behind": np.array([[0.0, 1.0, 2.0, 3.0]])}
    integers = {"first": [[0, 1, 2, 4]], "second": [[0, 1, 2, 3]]}
    computed = {name: Computed(np.array(each, np.int8), None, None) for name, each in integers.items()}
    for order in (("before", "behind"), ("behind", "before")):
        matches = match_layers(
            computed, {name: tensors[name] for name in order}, dict.fromkeys(tensors, (1.0, 0))
        )
        assert {name: match.operator for name, match in matches.items()} == {
            "before": "first",
            "behind": "second",
        }


def test_steps_are_counted() -> None:
    edge = DeviceTensor("scores", (1, 4), np.dtype("int8"), 4, 0.5, 0, "float32", (1, 4), ())
    own = [np.array([[0.0, 1.0, 2.0, 10.0]])]
    histogram = count_steps(own, [np.array([[0.0, 1.5, 1.0, 0.0]])], [edge])
    assert histogram is not None
    assert histogram.counts == (1, 1, 1, 0, 0, 1) and histogram.largest == 20
