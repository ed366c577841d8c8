"""Add, subtract, multiply, divide, maximum and minimum against the integer reference."""

from collections.abc import Callable

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.reference import elementwise
from tests.reference.fixed_point import INT8, INT16, Quantization
from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized, views_in
from tests.tools.layers import ZERO_POINTS, Shape, check_distance, random_inputs
from tinycc.errors import UnsupportedError

Real = Callable[[relax.Expr, relax.Expr], relax.Expr]
Three = tuple[Quantization, Quantization, Quantization]

KINDS: dict[str, tuple[Real, str]] = {
    "add": (relax.op.add, "add"),
    "subtract": (relax.op.subtract, "add"),
    "multiply": (relax.op.multiply, "multiply"),
    "divide": (relax.op.divide, "divide"),
    "maximum": (relax.op.maximum, "extremum"),
    "minimum": (relax.op.minimum, "extremum"),
}
SCALES = st.sampled_from([0.007, 0.05, 0.31])


def quantization(scale: float, zero_point: int) -> Quantization:
    return Quantization(float(np.float32(scale)), zero_point)


def binary_module(
    name: str, shapes: tuple[Shape, Shape], quantizations: Three, dtype: str = "int8"
) -> tvm.IRModule:
    a, b, output = quantizations

    def body(x: relax.Expr, y: relax.Expr) -> relax.Expr:
        value = KINDS[name][0](dequantized(x, a.scale, a.zero_point), dequantized(y, b.scale, b.zero_point))
        return quantized(value, output.scale, output.zero_point, dtype)

    return module_of([(shape, dtype) for shape in shapes], body)


def expected(name: str, inputs: list[np.ndarray], quantizations: Three, dtype: str = "int8") -> np.ndarray:
    x, y = inputs
    if name == "maximum":
        return elementwise.maximum(x, y)
    if name == "minimum":
        return elementwise.minimum(x, y)
    bounds = INT8 if dtype == "int8" else INT16
    if name in ("add", "subtract"):
        left = elementwise.INT8_LEFT_SHIFT if dtype == "int8" else elementwise.INT16_LEFT_SHIFT
        function = elementwise.add if name == "add" else elementwise.sub
        return function(x, y, quantizations, bounds, left)
    return {"multiply": elementwise.mul, "divide": elementwise.div}[name](x, y, quantizations, bounds)


def values_for(
    name: str, shapes: tuple[Shape, Shape], b: Quantization, dtype: str, seed: int
) -> list[np.ndarray]:
    """Random integers; no divisor of zero, whose quotient nobody defines."""
    x, y = random_inputs([(shape, dtype) for shape in shapes], seed)
    if name == "divide":
        y[y == b.zero_point] = b.zero_point - 1 if b.zero_point > 0 else b.zero_point + 1
    return [x, y]


SHAPES = [
    ((1, 3, 4, 5), (1, 3, 4, 5)),
    ((1, 3, 4, 5), (1, 1, 1, 5)),
    ((1, 1, 1, 5), (1, 3, 4, 5)),
    ((1, 3, 4, 5), (1, 3, 4, 1)),
    ((1, 3, 4, 5), (1, 3, 1, 5)),
    ((1, 3, 4, 5), (1, 1, 4, 5)),
    ((2, 7), (1,)),
    ((1, 1), (1, 1)),
]


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=3)
@given(st.sampled_from(SHAPES), SCALES, SCALES, SCALES, ZERO_POINTS, ZERO_POINTS, st.integers(0, 99))
def test_equals_the_reference(
    name: str, shapes: tuple[Shape, Shape], first: float, second: float, third: float,
    zero: int, other_zero: int, seed: int,
) -> None:  # fmt: skip
    a, b, output = quantization(first, zero), quantization(second, other_zero), quantization(third, -3)
    if KINDS[name][1] == "extremum":
        a = b = output
    module = binary_module(name, shapes, (a, b, output))
    assert [view.kind for view in views_in(module)] == [KINDS[name][1]]
    inputs = values_for(name, shapes, b, "int8", seed)
    [result] = compile_and_run(module, inputs)
    np.testing.assert_array_equal(result, expected(name, inputs, (a, b, output)))


@pytest.mark.parametrize("name", ["add", "subtract", "maximum"])
def test_int16(name: str) -> None:
    scale = quantization(0.001, 0)
    shapes = ((1, 3, 4, 5), (1, 3, 4, 5))
    inputs = values_for(name, shapes, scale, "int16", 3)
    [result] = compile_and_run(binary_module(name, shapes, (scale,) * 3, "int16"), inputs)
    np.testing.assert_array_equal(result, expected(name, inputs, (scale,) * 3, "int16"))


@pytest.mark.parametrize("name", ["add", "divide"])
@pytest.mark.parametrize("index", [0, 1])
def test_each_operand_may_be_overwritten(name: str, index: int) -> None:
    scale = quantization(0.05, 3)
    check_distance(binary_module(name, ((1, 2, 3, 4), (1, 2, 3, 4)), (scale,) * 3), index)


def test_a_broadcast_operand_is_not_overwritten() -> None:
    scale = quantization(0.05, 3)
    [view] = views_in(binary_module("add", ((1, 2, 3, 4), (1, 1, 1, 4)), (scale,) * 3))
    assert view.overlap_distance(0) == 0 and view.overlap_distance(1) is None


def test_a_tensor_with_itself() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        real = dequantized(x, 0.05, 3)
        return quantized(relax.op.multiply(real, real), 0.6, -128)

    [values] = random_inputs([((1, 3, 4, 5), "int8")], 5)
    source, output = quantization(0.05, 3), quantization(0.6, -128)
    [result] = compile_and_run(module_of([((1, 3, 4, 5), "int8")], body), [values])
    np.testing.assert_array_equal(result, elementwise.mul(values, values, (source, source, output)))


def test_extremum_of_two_scales_is_no_comparison_of_integers() -> None:
    module = binary_module(
        "maximum", ((1, 4), (1, 4)), (quantization(0.05, 3), quantization(0.1, 3), quantization(0.1, 3))
    )
    assert "extremum" not in [view.kind for view in views_in(module)]


def test_int16_division_is_refused() -> None:
    scale = quantization(0.05, 0)
    with pytest.raises(UnsupportedError, match="no kernel from int16"):
        views_in(binary_module("divide", ((1, 4), (1, 4)), (scale,) * 3, "int16"))
