"""TFLite operators of real numbers, plain integers and logical values against LiteRT's reference kernels."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import tinycc
from tests.tools.tflite_writer import ACTIVATION, PADDING, Field, TFLiteWriter, run_litert
from tests.tools.tflm import needs_tflm, run_tflm

SHAPE = (1, 4, 6, 3)
FUNCTIONS = ("ABS", "COS", "EXP", "FLOOR", "NEG", "SIGN", "SIN", "SQUARE", "TANH")
BINARY = {
    "ADD": "AddOptions", "DIV": "DivOptions", "FLOOR_DIV": "FloorDivOptions", "FLOOR_MOD": "FloorModOptions",
    "MAXIMUM": "MaximumMinimumOptions", "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
}  # fmt: skip
COMPARISONS = {
    "EQUAL": "EqualOptions", "GREATER": "GreaterOptions", "GREATER_EQUAL": "GreaterEqualOptions",
    "LESS": "LessOptions", "LESS_EQUAL": "LessEqualOptions", "NOT_EQUAL": "NotEqualOptions",
}  # fmt: skip


@dataclass
class Network:
    """Operators side by side on two images of half and whole numbers, or of any."""

    writer: TFLiteWriter = field(default_factory=TFLiteWriter)
    sources: list[int] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def tensor(self, shape: tuple[int, ...] = SHAPE, dtype: str = "float32", **more: Any) -> int:
        self.names.append(f"t{len(self.names)}")
        return self.writer.add_tensor(self.names[-1], shape, dtype, **more)

    def source(self, shape: tuple[int, ...] = SHAPE, dtype: str = "float32") -> int:
        self.sources.append(self.tensor(shape, dtype))
        return self.sources[-1]

    def constant(self, *numbers: int) -> int:
        data = np.array(numbers, np.int32)
        return self.tensor(data.shape, "int32", data=data)

    def add(
        self, kind: str, operands: list[int], options: str = "", shape: tuple[int, ...] = SHAPE,
        dtype: str = "float32", **fields: Field,
    ) -> int:  # fmt: skip
        """An operator, and its result, which is an output unless it is logical."""
        result = self.tensor(shape, dtype)
        self.writer.add_operator(kind, operands, [result], options, **fields)
        if dtype != "bool":
            self.results.append(result)
        return result

    def check(
        self,
        path: Path,
        inputs: list[np.ndarray],
        tolerance: float = 1e-6,
        run: Callable[..., list[np.ndarray]] = run_litert,
    ) -> None:
        """Assert that all outputs are LiteRT's, but for the last bits."""
        path.write_bytes(self.writer.finish(self.sources, self.results))
        expected = run(path, [value[None] for value in inputs])
        compiled = tinycc.compile(path, allow_float=True)
        for index, result, [right] in zip(self.results, compiled.run(inputs), expected, strict=True):
            np.testing.assert_allclose(
                result, right, rtol=tolerance, atol=tolerance, err_msg=self.names[index], equal_nan=True
            )


def halves(*seeds: int) -> list[np.ndarray]:
    """Images in steps of a half, ties of rounding and equal numbers among them."""
    return [(np.random.default_rng(seed).integers(-9, 10, SHAPE) / 2).astype(np.float32) for seed in seeds]


def test_functions(tmp_path: Path) -> None:
    net = Network()
    x, positive = net.source(), net.source()
    for kind in FUNCTIONS:
        net.add(kind, [x])
    for kind in ("LOG", "RSQRT", "SQRT"):
        net.add(kind, [positive])
    net.add("POW", [positive, x], "PowOptions")
    net.add("LOG_SOFTMAX", [x], "LogSoftmaxOptions")
    net.add("L2_NORMALIZATION", [x], "L2NormOptions", FusedActivationFunction=ACTIVATION["NONE"])
    [given] = halves(1)
    net.check(tmp_path / "net.tflite", [given, np.abs(given) + np.float32(0.5)], 2e-6)


@needs_tflm
def test_functions_that_litert_has_no_reference_of(tmp_path: Path) -> None:
    net = Network()
    x = net.source()
    for kind in ("CEIL", "ELU", "ROUND"):
        net.add(kind, [x])
    net.check(tmp_path / "net.tflite", halves(1), run=run_tflm)


def test_functions_of_two(tmp_path: Path) -> None:
    net = Network()
    x, y = net.source(), net.source()
    for kind, options in BINARY.items():
        net.add(kind, [x, y], options)
    net.add("ADD_N", [x, y, x], "AddNOptions")
    dividend, divisor = halves(2, 3)
    net.check(tmp_path / "net.tflite", [dividend, np.where(divisor == 0, np.float32(1.5), divisor)])


def test_comparisons_and_logic(tmp_path: Path) -> None:
    net = Network()
    x, y = net.source(), net.source()
    found = [net.add(kind, [x, y], options, dtype="bool") for kind, options in COMPARISONS.items()]
    found.append(net.add("LOGICAL_AND", found[3:5], "LogicalAndOptions", dtype="bool"))
    found.append(net.add("LOGICAL_OR", [found[0], found[1]], "LogicalOrOptions", dtype="bool"))
    found.append(net.add("LOGICAL_NOT", [found[1]], "LogicalNotOptions", dtype="bool"))
    for condition in found:
        net.add("SELECT_V2", [condition, x, y], "SelectV2Options")
    net.add("SELECT", [found[0], y, x], "SelectOptions")
    net.check(tmp_path / "net.tflite", halves(4, 5))


def test_sums_and_windows(tmp_path: Path) -> None:
    net = Network()
    x, count = net.source(), net.source((1, 9), "int32")
    for exclusive, is_reversed in ((False, False), (True, False), (False, True), (True, True)):
        options = {"Exclusive": exclusive, "Reverse": is_reversed}
        net.add("CUMSUM", [x, net.constant(2)], "CumsumOptions", **options)
        net.add("CUMSUM", [count, net.constant(-1)], "CumsumOptions", (1, 9), "int32", **options)
    for padding in ("SAME", "VALID"):
        shape = (1, 2, 6, 3) if padding == "SAME" else (1, 2, 4, 3)
        net.add(
            "L2_POOL_2D", [x], "Pool2DOptions", shape, Padding=PADDING[padding], StrideH=2, StrideW=1,
            FilterHeight=2, FilterWidth=3, FusedActivationFunction=ACTIVATION["RELU6"],
        )  # fmt: skip
    net.check(tmp_path / "net.tflite", [*halves(6), np.arange(-3, 6, dtype=np.int32)[None]], 3e-6)


def test_matrix_products(tmp_path: Path) -> None:
    net = Network()
    left, right = net.source((1, 2, 4, 5)), net.source((1, 1, 5, 3))
    weights = np.random.default_rng(7).normal(size=(3, 5)).astype(np.float32)
    fields = {"AsymmetricQuantizeInputs": False}
    net.add(
        "BATCH_MATMUL", [left, right], "BatchMatMulOptions", (1, 2, 4, 3), AdjX=False, AdjY=False, **fields
    )
    constant = net.tensor(weights.shape, data=weights)
    net.add(
        "BATCH_MATMUL", [left, constant], "BatchMatMulOptions", (1, 2, 4, 3), AdjX=False, AdjY=True, **fields
    )
    generator = np.random.default_rng(8)
    inputs = [generator.normal(size=shape).astype(np.float32) for shape in ((1, 2, 4, 5), (1, 1, 5, 3))]
    net.check(tmp_path / "net.tflite", inputs)


def test_integer_matrices_of_a_float_product_are_made_real(tmp_path: Path) -> None:
    stored = np.random.default_rng(9).integers(-127, 128, (3, 5)).astype(np.int8)
    net = Network()
    weights = net.tensor(stored.shape, "int8", scale=0.02, zero_point=4, data=stored)
    net.add(
        "BATCH_MATMUL", [net.source((1, 4, 5)), weights], "BatchMatMulOptions", (1, 4, 3), AdjX=False,
        AdjY=True, AsymmetricQuantizeInputs=False,
    )  # fmt: skip
    path = tmp_path / "net.tflite"
    path.write_bytes(net.writer.finish(net.sources, net.results))
    compiled = tinycc.compile(path, allow_float=True)
    assert [step.operator.kind for step in compiled.plan.steps] == ["dense"]
    x = np.random.default_rng(10).normal(size=(1, 4, 5)).astype(np.float32)
    expected = x @ ((stored.astype(np.float32) - 4) * np.float32(0.02)).T
    np.testing.assert_allclose(compiled.run([x])[0], expected, rtol=1e-5, atol=1e-6)
