"""Requantize, quantize, dequantize and cast against the integer reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.reference.conversion import requantize
from tests.reference.fixed_point import Quantization
from tests.tools.kernel_runner import (
    compile_and_run,
    dequantized,
    kernel_call,
    module_of,
    quantized,
    views_in,
)
from tests.tools.layers import ZERO_POINTS, check_distance, check_reference

SHAPE = (1, 3, 4, 5)
TYPES = [(source, result) for source in ("int8", "uint8", "int16") for result in ("int8", "uint8", "int16")]
# What zero points of int8 are for other types.
SHIFTS = {"int8": 0, "uint8": 128}


@settings(max_examples=14)
@given(
    st.sampled_from(TYPES), st.sampled_from([0.02, 0.05, 0.3]), st.sampled_from([0.02, 0.07]), ZERO_POINTS,
    ZERO_POINTS, st.integers(0, 99),
)  # fmt: skip
def test_requantize_equals_the_reference(
    types: tuple[str, str], scale: float, other_scale: float, zero: int, other_zero: int, seed: int
) -> None:
    first, second = (
        point + SHIFTS[dtype] if dtype in SHIFTS else 0
        for point, dtype in zip((zero, other_zero), types, strict=True)
    )
    module = module_of(
        [(SHAPE, types[0])],
        lambda x: quantized(dequantized(x, scale, first), other_scale, second, types[1]),
    )
    if types[0] == types[1] and (scale, first) == (other_scale, second):
        return
    check_reference(module, views_in(module)[0].kind, seed)


@pytest.mark.parametrize("types", TYPES)
def test_requantize_may_overwrite_its_input(types: tuple[str, str]) -> None:
    """Elements that grow must stay behind those not yet read."""
    module = module_of([(SHAPE, types[0])], lambda x: quantized(dequantized(x, 0.05, 0), 0.031, 0, types[1]))
    check_distance(module, is_tight=types[0] != "int16" or types[1] == "int16")


@pytest.mark.parametrize("types", [("int8", "uint8"), ("uint8", "int8")])
@pytest.mark.parametrize("elements", [3, 16, 61])
def test_between_uint8_and_int8_of_one_scale_a_bit_flips(types: tuple[str, str], elements: int) -> None:
    first, second = (3 + SHIFTS[dtype] for dtype in types)
    module = module_of(
        [((1, elements), types[0])],
        lambda x: quantized(dequantized(x, 0.05, first), 0.05, second, types[1]),
    )
    view = check_reference(module, "requantize", elements)
    assert kernel_call(view).header == "flip_sign.h"
    check_distance(module)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_quantize_rounds_halves_away_from_zero_and_saturates(dtype: str) -> None:
    zero = 3 + SHIFTS[dtype] if dtype in SHIFTS else 0
    module = module_of([((1, 7), "float32")], lambda x: quantized(x, 0.5, zero, dtype))
    limits = np.iinfo(dtype)
    values = np.array([[0, 0.25, -0.25, 0.75, 1e9, -1e9, 0.2]], np.float32)
    [result] = compile_and_run(module, [values])
    assert result.tolist() == [[zero, zero + 1, zero - 1, zero + 2, limits.max, limits.min, zero]]


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_dequantize(dtype: str) -> None:
    check_reference(module_of([(SHAPE, dtype)], lambda x: dequantized(x, 0.05, 3)), "dequantize")


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
