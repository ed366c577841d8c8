"""Multipliers and clamps where scales are far apart."""

import numpy as np
import pytest
from tvm import relax

from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized
from tinycc.ops.fixed_point import activation_range, quantize_multiplier

SMALLEST, LARGEST = 1e-45, 3e38


@pytest.mark.parametrize("factor", [float("inf"), float("nan"), -float("inf")])
def test_a_factor_that_is_no_number_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="no fixed-point multiplier"):
        quantize_multiplier(factor)


@pytest.mark.parametrize(("factor", "pair"), [(1e300, (2**31 - 1, 30)), (1e-300, (0, 0)), (0.5, (2**30, 0))])
def test_factors_beyond_32_bits_saturate(factor: float, pair: tuple[int, int]) -> None:
    assert quantize_multiplier(factor) == pair


@pytest.mark.parametrize(
    ("low", "high", "scale", "expected"),
    [
        (0.0, 6.0, SMALLEST, (-5, 127)),
        (-1.0, 1.0, SMALLEST, (-128, 127)),
        (0.0, 6.0, LARGEST, (-5, -5)),
        (LARGEST, None, 1.0, (127, 127)),
        (None, -LARGEST, 1.0, (-128, -128)),
        (None, None, 1.0, (-128, 127)),
    ],
)
def test_bounds_stay_within_the_element_type(
    low: float | None, high: float | None, scale: float, expected: tuple[int, int]
) -> None:
    assert activation_range(low, high, scale, -5, "int8") == expected


@pytest.mark.parametrize("scales", [(SMALLEST, LARGEST), (LARGEST, SMALLEST)])
def test_operators_with_scales_far_apart_give_the_extremes(scales: tuple[float, float]) -> None:
    """Only 0 and the ends of the output's range are results; hard swish is a fallback."""
    first, last = scales

    def body(x: relax.Expr) -> list[relax.Expr]:
        real = relax.op.sigmoid if first < last else relax.op.abs
        gate = relax.op.clip(relax.op.add(dequantized(x, first, 2), relax.const(3.0)), 0, 6)
        swish = relax.op.divide(relax.op.multiply(dequantized(x, first, 2), gate), relax.const(6.0))
        quotient = relax.op.divide(dequantized(x, first, 2), dequantized(x, last, 2))
        values = [dequantized(x, first, 2), real(dequantized(x, first, 2)), swish, quotient]
        return [quantized(value, last, 2) for value in values]

    inputs = np.array([-128, -1, 1, 2, 3, 127], np.int8)
    results = compile_and_run(module_of([((6,), "int8")], body), [inputs])
    for result in results[:3]:
        assert set(result.tolist()) <= {-128, 2, 127}
