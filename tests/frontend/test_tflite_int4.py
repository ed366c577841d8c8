"""TFLite files whose constants have four bits: int8 numbers, two a byte, the first in the low bits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tinycc
from tests.tools.tflite_catalogue import LAYERS
from tests.tools.tflite_layers import Layer, values_for, write_layers
from tests.tools.tflite_writer import TFLiteWriter
from tests.tools.tflm import needs_tflm, run_tflm
from tinycc.errors import ModelError, UnsupportedError

LAYER = {layer.kind: layer for layer in LAYERS}


def with_int4(layer: Layer) -> Layer:
    """The layer with weights of four bits, of a scale for each channel where TFLite Micro takes that."""
    source, weights, *others = layer.operands
    assert weights is not None
    generator = np.random.default_rng(1)
    stored = generator.integers(-8, 8, weights.shape)
    narrow = replace(weights, dtype="int4", data=stored)
    if layer.kind != "FULLY_CONNECTED":
        scales = generator.uniform(0.1, 0.3, weights.shape[weights.axis])
        narrow = replace(narrow, scale=tuple(scales.tolist()))
    return replace(layer, operands=(source, narrow, *others))


@needs_tflm
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_layers_equal_tflite_micro(kind: str, tmp_path: Path) -> None:
    layer = with_int4(LAYER[kind])
    path = tmp_path / "model.tflite"
    path.write_bytes(write_layers([layer]))
    generator = np.random.default_rng(0)
    cases = [
        np.stack(values) for values in zip(*(values_for(layer, generator) for _ in range(4)), strict=True)
    ]
    [expected] = run_tflm(path, cases)
    compiled = tinycc.compile(path)
    assert not compiled.report["fallbacks"]
    np.testing.assert_array_equal(compiled.run(cases)[0], expected)


def sum_of_five(constant: np.ndarray | None) -> bytes:
    """A file that adds to its input a constant of four bits, or another input."""
    net = TFLiteWriter()
    x, y = (net.add_tensor(name, (1, 5), scale=0.1) for name in "xy")
    c = net.add_tensor("c", (1, 5), "int4", scale=0.1, data=constant)
    net.add_operator("ADD", [x, c], [y], "AddOptions")
    return net.finish([x] if constant is not None else [x, c], [y])


def test_an_odd_number_of_them_ends_in_half_a_byte(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(sum_of_five(np.array([-8, 7, 0, -1, 3])))
    [result] = tinycc.compile(path).run([np.full((1, 1, 5), 10, np.int8)])
    assert result.tolist() == [[[2, 17, 10, 9, 13]]]


@pytest.mark.parametrize("stored", [2, 4, 5])
def test_they_fill_their_buffer(stored: int, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(sum_of_five(np.zeros(2 * stored)))
    with pytest.raises(ModelError, match=rf"tensor 2 \(c\) needs 3 bytes, its buffer has {stored}"):
        tinycc.compile(path)


def test_activations_do_not_have_four_bits(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(sum_of_five(None))
    with pytest.raises(UnsupportedError, match=r"tensor 2 \(c\) is INT4, .* quantize activations to int8"):
        tinycc.compile(path)


def test_a_float_layer_has_what_they_stand_for(tmp_path: Path) -> None:
    stored, path = np.random.default_rng(2).integers(-8, 8, (4, 6)), tmp_path / "model.tflite"
    net = TFLiteWriter()
    x, y = net.add_tensor("x", (1, 6), "float32"), net.add_tensor("y", (1, 4), "float32")
    weights = net.add_tensor("w", (4, 6), "int4", scale=[0.1, 0.2, 0.3, 0.4], data=stored)
    net.add_operator("FULLY_CONNECTED", [x, weights, -1], [y], "FullyConnectedOptions")
    path.write_bytes(net.finish([x], [y]))
    case = np.linspace(-1, 1, 6, dtype=np.float32).reshape(1, 1, 6)
    [result] = tinycc.compile(path, allow_float=True).run([case])
    scales = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    np.testing.assert_allclose(result, case @ (stored.T * scales), rtol=1e-5)
