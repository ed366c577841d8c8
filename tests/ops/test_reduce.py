"""Means and sums against the integer reference."""

import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.tools.kernel_runner import dequantized, module_of, quantized, views_in
from tests.tools.layers import ZERO_POINTS, Shape, check_reference
from tinycc.errors import UnsupportedError


def reduce_module(
    shape: Shape, axes: Shape, mean: bool, zero_points: tuple[int, int], scale: float
) -> tvm.IRModule:
    def body(x: relax.Expr) -> relax.Expr:
        function = relax.op.mean if mean else relax.op.sum
        return quantized(function(dequantized(x, 0.05, zero_points[0]), list(axes)), scale, zero_points[1])

    return module_of([(shape, "int8")], body)


@settings(max_examples=14)
@given(
    st.sampled_from([(1, 4, 5, 3), (1, 1, 1, 7), (1, 9, 2, 1), (1, 16, 16, 2)]),
    st.sampled_from([(1, 2), (1,), (2,), (3,), (2, 3), (1, 2, 3)]),
    st.booleans(),
    ZERO_POINTS,
    ZERO_POINTS,
    st.sampled_from([0.02, 0.05, 1.0]),
    st.integers(0, 99),
)
def test_equals_the_reference(
    shape: Shape, axes: Shape, mean: bool, zero: int, other_zero: int, scale: float, seed: int
) -> None:
    check_reference(reduce_module(shape, axes, mean, (zero, other_zero), scale), "reduce", seed)


def test_axes_of_too_many_strides_are_refused() -> None:
    [view] = views_in(reduce_module((2, 3, 2, 3, 2, 3), (0, 2, 4), True, (0, 0), 0.05))
    with pytest.raises(ValueError, match="more than two strides"):
        view.call()


def test_int16_is_refused() -> None:
    module = module_of(
        [((1, 4, 4, 2), "int16")],
        lambda x: quantized(relax.op.mean(dequantized(x, 0.05), [1, 2]), 0.05, 0, "int16"),
    )
    with pytest.raises(UnsupportedError, match="no kernel from int16"):
        views_in(module)
