"""Gradients before a clamp, from the result or from a mask of bits."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.tools.gradients import Case, in_c, on_both, on_core
from tests.tools.kernel_runner import check_overlap, views_in
from tinycc.ops.clamp_gradient import clamp_gradient
from tinycc.ops.clamp_mask import clamp_mask

DSP = ("dsp",)
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


@pytest.mark.parametrize("shape", [(1, 3, 5, 3), (1, 2, 3, 16), (1, 1, 1, 21)])
@pytest.mark.parametrize("is_one", [True, False])
def test_bytes_of_masks(shape: tuple[int, ...], is_one: bool) -> None:
    """Pixels of whole bytes, bytes of several pixels, and what is left over."""
    generator = np.random.default_rng(3)
    gradient = generator.normal(size=shape).astype(np.float32)
    result = generator.choice(np.int8([-128, -127, LOW, LOW + 1, 0, HIGH - 1, HIGH, 127]), shape)
    bits = np.packbits(inside(result).reshape(-1), bitorder="little")
    factor = np.float32(0.375) if is_one else generator.normal(size=shape[-1:]).astype(np.float32)
    mask, got = in_c(
        Case(partial(clamp_mask, low=LOW, high=HIGH), [result]),
        clamped(factor, gradient, bits),
        features=DSP,
    )
    np.testing.assert_array_equal(mask, bits)
    np.testing.assert_array_equal(got, np.where(inside(result), gradient * factor, np.float32(0)))


@pytest.mark.emulator
@pytest.mark.parametrize(("low", "high"), [(-128, 127), (LOW, HIGH), (-3, -1)])
def test_masks_on_a_core(low: int, high: int, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    result = np.arange(-128, 128).astype(np.int8)[:253]
    case = Case(partial(clamp_mask, low=low, high=high), [result])
    [view] = views_in(case.module(), DSP)
    assert view.variant == "dsp"
    [mask] = on_core(tmp_path, case)
    np.testing.assert_array_equal(mask, np.packbits((result > low) & (result < high), bitorder="little"))


@pytest.mark.emulator
def test_bytes_of_masks_on_a_core(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    """What does not pass is 0, whatever it was."""
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    generator = np.random.default_rng(4)
    passes = generator.random((1, 2, 3, 16)) < 0.5
    gradient = np.where(passes, generator.normal(size=passes.shape), np.inf).astype(np.float32)
    bits = np.packbits(passes.reshape(-1), bitorder="little")
    factors = [np.float32(0.375), generator.normal(size=16).astype(np.float32)]
    results = on_core(tmp_path, *(clamped(factor, gradient, bits) for factor in factors))
    for factor, result in zip(factors, results, strict=True):
        expected = np.where(passes, gradient, 0) * factor
        np.testing.assert_array_equal(result, expected.reshape(-1))


def test_they_run_in_place() -> None:
    gradient, result = operands_of()
    case = clamped(0.5, gradient, result)
    check_overlap(case.module(), case.inputs)
    mask = Case(partial(clamp_mask, low=LOW, high=HIGH), [result])
    check_overlap(mask.module(), mask.inputs, is_tight=False)
    [view] = views_in(case.module())
    assert view.overlap_distance(1) is None
