"""An encoder of tokens as TFLite writes it: attention and a layer norm made of elementary operators."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinycc
from tests.tools.tflite_writer import ACTIVATION, TFLiteWriter, run_litert
from tests.tools.tflm import needs_tflm, run_tflm
from tinycc.quantization import quantize

TOKENS, HEADS, SIZE = 8, 2, 8
CHANNELS = HEADS * SIZE
NONE = ACTIVATION["NONE"]


class _Encoder:
    """Builds the file on the way."""

    def __init__(self) -> None:
        self.net = TFLiteWriter()
        self.generator = np.random.default_rng(0)
        self.count = 0

    def tensor(self, shape: tuple[int, ...], data: Any = None, dtype: str = "float32") -> int:
        self.count += 1
        return self.net.add_tensor(f"t{self.count}", shape, dtype, data=data)

    def apply(
        self, kind: str, operands: list[int], shape: tuple[int, ...], options: str = "", **fields: Any
    ) -> int:
        result = self.tensor(shape)
        self.net.add_operator(kind, operands, [result], options, **fields)
        return result

    def numbers(self, *values: int) -> int:
        return self.tensor((len(values),), np.array(values, np.int32), "int32")

    def weights(self, *shape: int) -> int:
        return self.tensor(shape, self.generator.normal(0, 0.4, shape).astype(np.float32))

    def dense(self, x: int) -> int:
        operands = [x, self.weights(CHANNELS, CHANNELS), self.weights(CHANNELS)]
        return self.apply(
            "FULLY_CONNECTED", operands, (1, TOKENS, CHANNELS), "FullyConnectedOptions",
            FusedActivationFunction=NONE, KeepNumDims=True,
        )  # fmt: skip

    def heads(self, x: int) -> int:
        parts = self.apply(
            "RESHAPE", [x, self.numbers(1, TOKENS, HEADS, SIZE)], (1, TOKENS, HEADS, SIZE), "ReshapeOptions"
        )
        return self.apply("TRANSPOSE", [parts, self.numbers(0, 2, 1, 3)], (1, HEADS, TOKENS, SIZE))

    def attention(self, x: int) -> int:
        query, key, value = (self.heads(self.dense(x)) for _ in range(3))
        square = (1, HEADS, TOKENS, TOKENS)
        options = {"options": "BatchMatMulOptions", "AdjX": False}
        scores = self.apply("BATCH_MATMUL", [query, key], square, AdjY=True, **options)
        weights = self.apply("SOFTMAX", [scores], square, "SoftmaxOptions", Beta=1.0)
        mixed = self.apply("BATCH_MATMUL", [weights, value], (1, HEADS, TOKENS, SIZE), AdjY=False, **options)
        together = self.apply("TRANSPOSE", [mixed, self.numbers(0, 2, 1, 3)], (1, TOKENS, HEADS, SIZE))
        shape = (1, TOKENS, CHANNELS)
        return self.dense(self.apply("RESHAPE", [together, self.numbers(*shape)], shape, "ReshapeOptions"))

    def binary(self, kind: str, left: int, right: int) -> int:
        options = f"{kind.capitalize()}Options"
        return self.apply(kind, [left, right], (1, TOKENS, CHANNELS), options, FusedActivationFunction=NONE)

    def layer_norm(self, x: int) -> int:
        narrow = (1, TOKENS, 1)
        axes = self.numbers(2)
        mean = self.apply("MEAN", [x, axes], narrow, "ReducerOptions", KeepDims=True)
        squares = self.apply(
            "SQUARED_DIFFERENCE", [x, mean], (1, TOKENS, CHANNELS), "SquaredDifferenceOptions"
        )
        variance = self.apply("MEAN", [squares, axes], narrow, "ReducerOptions", KeepDims=True)
        inverse = self.apply("RSQRT", [variance], narrow)
        return self.binary("MUL", self.binary("SUB", x, mean), inverse)

    def file(self, folder: Path) -> Path:
        x = self.tensor((1, TOKENS, CHANNELS))
        normal = self.layer_norm(self.binary("ADD", x, self.attention(x)))
        y = self.apply("MEAN", [normal, self.numbers(1)], (1, CHANNELS), "ReducerOptions", KeepDims=False)
        path = folder / "encoder.tflite"
        path.write_bytes(self.net.finish([x], [y]))
        return path


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _Encoder().file(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def tokens() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(24, 1, TOKENS, CHANNELS)).astype(np.float32)


def test_float(encoder: Path, tokens: np.ndarray) -> None:
    [expected] = run_litert(encoder, [tokens[:2]])
    compiled = tinycc.compile(encoder, allow_float=True)
    for case, right in zip(tokens, expected, strict=False):
        np.testing.assert_allclose(compiled.run([case])[0], right, atol=1e-5)


@needs_tflm
def test_quantized(encoder: Path, tokens: np.ndarray, tmp_path: Path) -> None:
    """The quantizer's int8 file on kernels alone, with TFLite Micro's integers."""
    quantized = quantize(encoder, tokens[:, 0])
    path = tmp_path / "encoder_int8.tflite"
    quantized.save(path)
    compiled = tinycc.compile(path)
    assert not compiled.report["fallbacks"]
    kinds = {step.operator.kind for step in compiled.plan.steps}
    assert {"matmul", "softmax", "squared_difference"} <= kinds
    cases = np.random.default_rng(2).integers(-128, 128, (8, 1, TOKENS, CHANNELS)).astype(np.int8)
    [expected] = run_tflm(path, [cases])
    for case, right in zip(cases, expected, strict=True):
        np.testing.assert_array_equal(compiled.run([case])[0], right)
