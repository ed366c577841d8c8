"""A compact convolutional transformer: in float32, and quantized without a layer left in float."""

from pathlib import Path

import numpy as np
import onnxruntime

import tinycc

MODEL = "onnx/original/deeploy_CCT_1_16_16_8.onnx"
TOLERANCE = 1e-4
# Of the output's int8 scale, over all cases, as measured against onnxruntime on the same QDQ file, which
# rounds once a layer in float. `tinycc validate` finds none of 26 layers that adds more than one step.
STEPS = 3


def images(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(size=(1, 3, 16, 16)).astype(np.float32) for _ in range(count)]


def test_float_agrees_with_onnxruntime(corpus: Path) -> None:
    session = onnxruntime.InferenceSession(corpus / MODEL)
    compiled = tinycc.compile(corpus / MODEL, allow_float=True)
    [image] = images(1)
    [expected] = session.run(None, {"input": image})
    assert compiled.report["fallbacks"] == []
    assert np.abs(compiled.run([image])[0] - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_int8_agrees_with_its_own_qdq(corpus: Path, tmp_path: Path) -> None:
    cases = images(8)
    quantized = tinycc.quantize(corpus / MODEL, [[image] for image in cases])
    (tmp_path / "model.onnx").write_bytes(quantized.content)
    compiled = tinycc.compile(tmp_path / "model.onnx")
    assert compiled.report["fallbacks"] == []
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    [edge] = compiled.report["outputs"]
    for image in cases:
        [expected] = session.run(None, {"input": image})
        steps = compiled.run([image])[0].astype(float) - edge["zero_point"] - expected / edge["scale"]
        assert np.abs(steps).max() <= STEPS
