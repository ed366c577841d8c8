"""Gradients before a clamp, from the result or from a mask of bits."""

from functools import partial

import numpy as np
import pytest

from tests.tools.gradients import module_with, on_both
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


@pytest.mark.parametrize("factor", [0.375, np.float32([0.1, 2.0, -0.5])], ids=["one", "channels"])
def test_only_elements_between_the_bounds_pass(factor: float | np.ndarray) -> None:
    gradient, result = operands_of()
    make = partial(clamp_gradient, factor=factor, low=LOW, high=HIGH)
    got, by_vm = on_both(make, [gradient, result])
    expected = np.where((result > LOW) & (result < HIGH), gradient * np.float32(factor), np.float32(0))
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(by_vm, expected)


def test_a_mask_says_the_same() -> None:
    gradient, result = operands_of()
    mask, mask_by_vm = on_both(partial(clamp_mask, low=LOW, high=HIGH), [result])
    np.testing.assert_array_equal(mask, mask_by_vm)
    inside = ((result > LOW) & (result < HIGH)).reshape(-1)
    np.testing.assert_array_equal(mask, np.packbits(inside, bitorder="little"))
    factor = np.float32([0.1, 2.0, -0.5])
    got, by_vm = on_both(partial(clamp_gradient, factor=factor, low=LOW, high=HIGH), [gradient, mask])
    expected = np.where(inside.reshape(SHAPE), gradient * factor, np.float32(0))
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(by_vm, expected)


def test_they_run_in_place() -> None:
    gradient, result = operands_of()
    module = module_with(partial(clamp_gradient, factor=0.5, low=LOW, high=HIGH), [gradient, result])
    check_overlap(module, [gradient, result])
    mask = module_with(partial(clamp_mask, low=LOW, high=HIGH), [result])
    check_overlap(mask, [result], is_tight=False)
    [view] = views_in(module)
    assert view.overlap_distance(1) is None
