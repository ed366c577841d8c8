"""A compact convolutional transformer: in float32, and quantized without a layer left in float.

docs/numerics.md derives how far a layer can be from onnxruntime, which rounds once in float.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import tinycc
from tests.tools.corpus import SLOW
from tests.tools.isolated import roundings
from tinycc.compiler import CompiledModel

MODEL = "onnx/original/deeploy_CCT_1_16_16_8.onnx"
TOLERANCE = 1e-4
CASES = 64 if SLOW else 8


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


@pytest.fixture(scope="module")
def quantized(corpus: Path) -> bytes:
    """The int8 file."""
    return tinycc.quantize(corpus / MODEL, [[image] for image in images(8)]).content


@pytest.fixture(scope="module")
def compiled(quantized: bytes, tmp_path_factory: pytest.TempPathFactory) -> CompiledModel:
    """Made of the int8 file."""
    path = tmp_path_factory.mktemp("transformer") / "int8.onnx"
    path.write_bytes(quantized)
    return tinycc.compile(path)


def test_nothing_of_the_int8_model_is_left_in_float(compiled: CompiledModel) -> None:
    assert compiled.report["fallbacks"] == []


def test_each_int8_layer_is_rounded_as_derived(quantized: bytes, compiled: CompiledModel) -> None:
    """Given the same integers it is a step from onnxruntime's where one rounds up and the other down."""
    found = roundings(compiled, quantized, [(image,) for image in images(CASES)])
    assert set(found) == {step.name for step in compiled.plan.steps}
    for operator, rounding in found.items():
        assert rounding.error <= rounding.allowed, operator
        assert len(rounding.steps) <= 2, operator


def test_int8_is_no_further_from_onnxruntime_than_that_is_from_itself(
    quantized: bytes, compiled: CompiledModel
) -> None:
    """With its own integer kernels and without them onnxruntime rounds in different places, too."""
    [edge] = compiled.report["outputs"]
    cases = images(64)
    fused, plain = (
        np.concatenate([session.run(None, {"input": image})[0] for image in cases]) / edge["scale"]
        for session in sessions(quantized)
    )
    found = compiled.run([np.stack(cases)])[0].reshape(plain.shape).astype(float) - edge["zero_point"]
    own, of_c = (np.rint(np.abs(each - plain)) for each in (fused, found))
    assert of_c.max() <= own.max()
    assert of_c.mean() <= own.mean()


def sessions(content: bytes) -> Iterator[onnxruntime.InferenceSession]:
    """With all of onnxruntime's fusions, and with none."""
    levels = onnxruntime.GraphOptimizationLevel
    for level in (levels.ORT_ENABLE_ALL, levels.ORT_DISABLE_ALL):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.log_severity_level = 4
        yield onnxruntime.InferenceSession(content, options)
