"""Layer normalization in integers against real arithmetic: the nearest integer, but for ties."""

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.tools.kernel_runner import (
    check_overlap,
    compile_and_run,
    dequantized,
    module_of,
    quantized,
    views_in,
)
from tinycc.errors import UnsupportedError

# As near to the middle between two integers the kernel may give either.
NEAR = 1e-3
SCALE, ZERO_POINT = 0.05, -7


def norm_module(
    shape: tuple[int, ...], gamma: np.ndarray, beta: np.ndarray, scale: float, axes: tuple[int, ...] = (-1,)
) -> tvm.IRModule:
    def body(x: relax.Expr) -> relax.Expr:
        operands = [relax.const(each.astype(np.float32)) for each in (gamma, beta)]
        normalized = relax.op.nn.layer_norm(dequantized(x, SCALE, 3), *operands, list(axes), 1e-5)
        return quantized(normalized, scale, ZERO_POINT)

    return module_of([(shape, "int8")], body)


def normalized(values: np.ndarray, gamma: np.ndarray, beta: np.ndarray, scale: float) -> np.ndarray:
    """What is to be rounded, over the last axis, as float64."""
    real = np.float64(np.float32(SCALE)) * (values.astype(np.float64) - 3)
    centred = real - real.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + np.float64(1e-5))
    factor, offset = (each.astype(np.float32).astype(np.float64) for each in (gamma, beta))
    result = (centred / deviation * factor + offset) / np.float32(scale) + ZERO_POINT
    return np.asarray(np.clip(result, -128, 127))


def pixels(channels: int) -> np.ndarray:
    """Random ones, one that is constant, one of both ends, one that is a single step off."""
    values = np.random.default_rng(channels).integers(-128, 128, (1, 9, channels)).astype(np.int8)
    values[0, 0], values[0, 1, ::2], values[0, 1, 1::2] = 5, -128, 127
    values[0, 2], values[0, 2, 0] = -128, -127
    return values


@pytest.mark.parametrize(
    ("channels", "largest", "scale"),
    [(1, 1.0, 0.02), (2, 1.0, 0.02), (3, 2.0, 0.03), (64, 1.0, 0.02), (257, 1e-4, 0.5), (32, 900.0, 7.0)],
)
def test_results_are_rounded_once(channels: int, largest: float, scale: float) -> None:
    generator = np.random.default_rng(1)
    gamma = generator.uniform(-largest, largest, channels)
    beta = generator.uniform(-3, 3, channels)
    gamma[0] = 0.0
    values = pixels(channels)
    module = norm_module(values.shape, gamma, beta, scale)
    [view] = views_in(module)
    assert view.kind == "layer_norm"
    [result] = compile_and_run(module, [values])
    expected = normalized(values, gamma, beta, scale)
    apart = np.abs(result - expected)
    assert apart.max() <= 0.5 + NEAR


def test_constants_may_be_quantized() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        gamma, beta = (
            dequantized(np.array(numbers, np.int8), step)
            for numbers, step in (([10, -20, 30], 0.1), ([1, 0, -3], 0.5))
        )
        return quantized(
            relax.op.nn.layer_norm(dequantized(x, SCALE, 3), gamma, beta, [-1]), 0.03, ZERO_POINT
        )

    values = pixels(3)
    module = module_of([(values.shape, "int8")], body)
    assert [view.kind for view in views_in(module)] == ["layer_norm"]
    [result] = compile_and_run(module, [values])
    expected = normalized(values, np.array([1.0, -2.0, 3.0]), np.array([0.5, 0.0, -1.5]), 0.03)
    assert np.abs(result - expected).max() <= 0.5 + NEAR


def test_in_place() -> None:
    check_overlap(norm_module((1, 9, 8), np.ones(8), np.zeros(8), 0.02), [pixels(8)])


def test_other_axes_are_refused() -> None:
    module = norm_module((1, 9, 8), np.ones(9), np.zeros(9), 0.02, axes=(1,))
    with pytest.raises(UnsupportedError, match="only the last"):
        views_in(module)
