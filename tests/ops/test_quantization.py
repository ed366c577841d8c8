"""Requantize, quantize, dequantize and cast against the integer reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.reference.conversion import requantize
from tests.reference.fixed_point import Quantization
from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized, views_in
from tests.tools.layers import ZERO_POINTS, check_distance, check_reference

SHAPE = (1, 3, 4, 5)
TYPES = [("int8", "int8"), ("int16", "int8"), ("int8", "int16"), ("int16", "int16")]


@settings(max_examples=8)
@given(
    st.sampled_from(TYPES), st.sampled_from([0.02, 0.05, 0.3]), st.sampled_from([0.02, 0.07]), ZERO_POINTS,
    ZERO_POINTS, st.integers(0, 99),
)  # fmt: skip
def test_requantize_equals_the_reference(
    types: tuple[str, str], scale: float, other_scale: float, zero: int, other_zero: int, seed: int
) -> None:
    first, second = (zero if types[0] == "int8" else 0), (other_zero if types[1] == "int8" else 0)
    module = module_of(
        [(SHAPE, types[0])],
        lambda x: quantized(dequantized(x, scale, first), other_scale, second, types[1]),
    )
    if types == ("int8", "int8") and (scale, first) == (other_scale, second):
        return
    check_reference(module, views_in(module)[0].kind, seed)


@pytest.mark.parametrize("types", TYPES)
def test_requantize_may_overwrite_its_input(types: tuple[str, str]) -> None:
    """Elements that grow must stay behind those not yet read."""
    module = module_of([(SHAPE, types[0])], lambda x: quantized(dequantized(x, 0.05, 0), 0.031, 0, types[1]))
    check_distance(module, is_tight=types != ("int16", "int8"))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_quantize_rounds_halves_away_from_zero_and_saturates(dtype: str) -> None:
    module = module_of([((1, 7), "float32")], lambda x: quantized(x, 0.5, 3 if dtype == "int8" else 0, dtype))
    zero = 3 if dtype == "int8" else 0
    limits = np.iinfo(dtype)
    values = np.array([[0, 0.25, -0.25, 0.75, 1e9, -1e9, 0.2]], np.float32)
    [result] = compile_and_run(module, [values])
    assert result.tolist() == [[zero, zero + 1, zero - 1, zero + 2, limits.max, limits.min, zero]]


def test_dequantize() -> None:
    check_reference(module_of([(SHAPE, "int8")], lambda x: dequantized(x, 0.05, 3)), "dequantize")


@pytest.mark.parametrize("target", ["int16", "int32"])
def test_cast(target: str) -> None:
    module = module_of([(SHAPE, "int8")], lambda x: relax.op.astype(x, target))
    values = np.arange(-30, 30, dtype=np.int8).reshape(SHAPE)
    [view] = views_in(module)
    [result] = compile_and_run(module, [values])
    assert view.kind == "cast" and result.dtype == target
    np.testing.assert_array_equal(result, values.astype(target))


def test_the_reference_of_requantize_knows_a_case_by_hand() -> None:
    first, second = Quantization(0.5, 1), Quantization(0.25, -2)
    assert requantize(np.array([1, 2, 3, 127]), first, second).tolist() == [-2, 0, 2, 127]
