"""Padding in every mode, from each door, along every axis it can take: as the runtime of the file has it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinycc
from tests.frontend.test_onnx_operators import Graph, steps_apart
from tests.tools.layers import random_inputs
from tests.tools.tflite_writer import TFLiteWriter, run_litert
from tinycc.compiler import CompiledModel
from tinycc.errors import TinyccError

ONNX_MODES = ["constant", "reflect", "edge", "wrap"]
# Shapes of one to three dimensions behind the batch, [batch, channels, rows, columns] where they are images,
# and widths for each axis.
ONNX_CASES: list[tuple[tuple[int, ...], list[tuple[int, int]]]] = [
    ((1, 6), [(0, 0), (2, 3)]),
    ((1, 3, 7), [(0, 0), (0, 0), (4, 2)]),
    ((1, 3, 7), [(0, 0), (2, 1), (0, 5)]),
    ((1, 3, 5, 6), [(0, 0), (0, 0), (4, 1), (0, 5)]),
    ((1, 3, 5, 6), [(0, 0), (1, 2), (1, 0), (2, 3)]),
]


@pytest.mark.parametrize("mode", ONNX_MODES)
def test_onnx(mode: str, tmp_path: Path) -> None:
    graph = Graph(opset=19)
    for shape, widths in ONNX_CASES:
        pads = [sides[index] for index in (0, 1) for sides in widths]
        [padded] = graph.call("Pad", [graph.input(shape), graph.constant(np.array(pads))], mode=mode)
        graph.output(padded)
    path = graph.save(tmp_path)
    assert steps_apart(path) == 0
    assert kinds(tinycc.compile(path)) <= {"pad"}


def test_onnx_before_a_convolution(tmp_path: Path) -> None:
    """Only padding with the zero point goes into the layer that reads it."""
    graph = Graph(opset=19)
    for mode in ONNX_MODES:
        pads = graph.constant(np.array([0, 0, 1, 2, 0, 0, 2, 1]))
        [padded] = graph.call("Pad", [graph.input((1, 2, 5, 6)), pads], mode=mode)
        [result] = graph.call("Conv", [padded, graph.weights((3, 2, 3, 3))])
        graph.output(result, 0.1)
    path = graph.save(tmp_path)
    assert steps_apart(path) <= 1
    assert [step.operator.kind for step in tinycc.compile(path).plan.steps].count("pad") == 3


def kinds(compiled: CompiledModel) -> set[str]:
    return {step.operator.kind for step in compiled.plan.steps}


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("mode", ["REFLECT", "SYMMETRIC"])
def test_tflite(mode: str, dtype: str, tmp_path: Path) -> None:
    cases: list[tuple[tuple[int, ...], list[tuple[int, int]]]] = [
        ((1, 6), [(0, 0), (2, 3)]),
        ((1, 7, 3), [(0, 0), (4, 2), (0, 2)]),
        ((1, 5, 6, 3), [(0, 0), (4, 1), (0, 5), (0, 0)]),
        ((1, 5, 6, 3), [(0, 0), (1, 0), (2, 3), (2, 1)]),
    ]
    content = mirror_pads(cases, mode, dtype)
    inputs = [x[None] for x in random_inputs([(shape, dtype) for shape, _ in cases], 0)]
    compiled = compiled_from(content, tmp_path)
    for result, expected in zip(compiled.run(inputs), run_litert(content, inputs), strict=True):
        np.testing.assert_array_equal(result, expected)
    assert kinds(compiled) == {"pad"}


def mirror_pads(cases: list[tuple[tuple[int, ...], Any]], mode: str, dtype: str = "int8") -> bytes:
    """A file with a MIRROR_PAD for each shape and its widths."""
    writer = TFLiteWriter()
    inputs, outputs = [], []
    for index, (shape, widths) in enumerate(cases):
        padded = [size + sum(sides) for size, sides in zip(shape, widths, strict=True)]
        inputs.append(writer.add_tensor(f"x{index}", shape, dtype, scale=0.5))
        widths = np.array(widths)
        pads = writer.add_tensor(f"widths{index}", widths.shape, "int32", data=widths)
        outputs.append(writer.add_tensor(f"y{index}", padded, dtype, scale=0.5))
        writer.add_operator(
            "MIRROR_PAD", [inputs[-1], pads], outputs[-1:], "MirrorPadOptions", Mode=MIRROR_MODES[mode]
        )
    return writer.finish(inputs, outputs)


def compiled_from(content: bytes, folder: Path) -> CompiledModel:
    """What tinycc makes of a file with this content."""
    path = folder / "model.tflite"
    path.write_bytes(content)
    return tinycc.compile(path)


MIRROR_MODES = {"REFLECT": 0, "SYMMETRIC": 1}


@pytest.mark.parametrize(("mode", "width"), [("REFLECT", 3), ("SYMMETRIC", 4), ("REFLECT", -1)])
def test_tflite_mirrors_no_more_than_there_is(mode: str, width: int, tmp_path: Path) -> None:
    with pytest.raises(TinyccError, match=r"MIRROR_PAD.* padding"):
        content = mirror_pads([((1, 3, 3, 1), [(0, 0), (width, 0), (0, 0), (0, 0)])], mode)
        compiled_from(content, tmp_path)
