"""Gradients before a clamp, from the result or from a mask of bits."""

from functools import partial

import numpy as np

from tests.tools.gradients import Case, on_both
from tests.tools.kernel_runner import check_overlap, views_in
from tinycc.ops.clamp_gradient import clamp_gradient
from tinycc.ops.clamp_mask import clamp_mask

SHAPE = (1, 3, 5, 3)
LOW, HIGH = -100, 90


def operands_of(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A gradient and a result, some of whose elements lie at the bounds."""
    generator = np.random.default_rng(seed)
    result = generator.integers(LOW, HIGH + 1, SHAPE).astype(np.int8)
    result.flat[:4] = LOW, LOW + 1, HIGH - 1, HIGH
    return generator.normal(size=SHAPE).astype(np.float32), result


def inside(result: np.ndarray) -> np.ndarray:
    """Whether each element lies between the bounds."""
    return (result > LOW) & (result < HIGH)


def clamped(factor: float | np.ndarray, *operands: np.ndarray) -> Case:
    """The gradient before the clamp."""
    return Case(partial(clamp_gradient, factor=factor, low=LOW, high=HIGH), operands)


def test_only_elements_between_the_bounds_pass() -> None:
    gradient, result = operands_of()
    factors = [0.375, np.float32([0.1, 2.0, -0.5])]
    cases = [clamped(factor, gradient, result) for factor in factors]
    for factor, results in zip(factors, on_both(*cases), strict=True):
        expected = np.where(inside(result), gradient * np.float32(factor), np.float32(0))
        for got in results:
            np.testing.assert_array_equal(got, expected)


def test_a_mask_says_the_same() -> None:
    gradient, result = operands_of()
    bits = np.packbits(inside(result).reshape(-1), bitorder="little")
    factor = np.float32([0.1, 2.0, -0.5])
    masks, gradients = on_both(
        Case(partial(clamp_mask, low=LOW, high=HIGH), [result]), clamped(factor, gradient, bits)
    )
    expected = np.where(inside(result), gradient * factor, np.float32(0))
    for mask, got in zip(masks, gradients, strict=True):
        np.testing.assert_array_equal(mask, bits)
        np.testing.assert_array_equal(got, expected)


def test_they_run_in_place() -> None:
    gradient, result = operands_of()
    case = clamped(0.5, gradient, result)
    check_overlap(case.module(), case.inputs)
    mask = Case(partial(clamp_mask, low=LOW, high=HIGH), [result])
    check_overlap(mask.module(), mask.inputs, is_tight=False)
    [view] = views_in(case.module())
    assert view.overlap_distance(1) is None
