"""Gradients of integers: their C is what the VM makes of their bodies, and near what real numbers give."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.passes.layout_tools import run_on_vm
from tests.reference import gradients as reference
from tests.tools.gradient_layers import NAMES, GradientLayer, layer
from tests.tools.gradients import Case, in_c, on_both, on_core
from tests.tools.kernel_runner import check_overlap, views_in
from tinycc.ops.add_gradients import add_gradients, sum_exponent
from tinycc.ops.average_gradient import average_gradient
from tinycc.ops.clamp_gradient import clamp_gradient
from tinycc.ops.gradient_exponent import NOT_FINITE, gradient_exponent
from tinycc.ops.gradient_integers import FixedFactors, bits_below
from tinycc.ops.input_gradient import input_gradient
from tinycc.ops.max_pool_gradient import max_pool_gradient, overlap_bits
from tinycc.ops.multiply_gradient import multiply_gradient
from tinycc.ops.quantize_gradient import quantize_gradient
from tinycc.ops.table_gradient import table_gradient
from tinycc.ops.window import Window

SHAPE = (1, 3, 5, 3)
# No gradient is larger, see bits_below.
MOST = 2**31 - 128
DSP = ("dsp",)
# Of the layers, by their gradients' kernels.
BY_DSP = (
    "pixels", "many channels", "depthwise", "wide depthwise", "tiles of depthwise",
    "depthwise with long strides",
)  # fmt: skip


def exponent(value: int) -> np.ndarray:
    """Of a gradient."""
    return np.array([value], np.int32)


def integers(bits: int, dtype: str = "int32", shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    """A gradient of so many bits, its extremes among them."""
    most = min(2**bits, MOST + 1)
    values = np.random.default_rng(seed).integers(-most, most, shape)
    values.flat[:2] = -most, most - 1
    return values.astype(dtype)


def activations(shape: tuple[int, ...] = SHAPE, low: int = -128, high: int = 127) -> np.ndarray:
    """Results, some of whose elements lie at the bounds."""
    values = np.random.default_rng(5).integers(low, high + 1, shape)
    values.flat[:4] = low, low + 1, high - 1, high
    return values.astype(np.int8)


def equal_on_both(*cases: Case) -> list[np.ndarray]:
    """What each case gives in C, which is what it gives on the VM."""
    found = on_both(*cases)
    for index, (by_c, by_vm) in enumerate(found):
        np.testing.assert_array_equal(by_c, by_vm, err_msg=f"case {index}")
    return [by_c for by_c, _ in found]


def test_exponents_of_integers_leave_them_fifteen_bits() -> None:
    """Whatever their exponent was: 31 bits are shifted right, one is shifted left, zeros are not shifted."""
    gradients = [integers(bits) for bits in (31, 20, 15, 1)]
    gradients += [np.zeros(SHAPE, np.int32), integers(9, "int16")]
    cases = [Case(gradient_exponent, [gradient, exponent(-70)]) for gradient in gradients]
    assert [int(found[0]) + 70 for found in equal_on_both(*cases)] == [16, 5, 0, -14, 0, -6]


@pytest.mark.emulator
def test_exponents_by_four_elements(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    gradients = [integers(bits, shape=(1, count, 1, 1)) for bits, count in ((31, 19), (20, 20), (9, 25))]
    cases = [Case(gradient_exponent, [gradient, exponent(-70)]) for gradient in gradients]
    assert {views_in(case.module(), DSP)[0].variant for case in cases} == {"dsp"}
    for found in (in_c(*cases), in_c(*cases, features=DSP), on_core(tmp_path, *cases)):
        assert [int(result.flat[0]) + 70 for result in found] == [16, 5, -6]


def quantized(gradients: list[np.ndarray]) -> list[tuple[int, np.ndarray]]:
    """The exponent of each gradient of real numbers, and its integers."""
    exponents = equal_on_both(*(Case(gradient_exponent, [values]) for values in gradients))
    cases = [Case(quantize_gradient, list(pair)) for pair in zip(gradients, exponents, strict=True)]
    return [(int(found[0]), whole) for found, whole in zip(exponents, equal_on_both(*cases), strict=True)]


def test_real_gradients_have_thirty_bits() -> None:
    greatest = np.float32([1.0, 0.999, 2.0**-126, 3e38, 1e-42, 0.0])
    gradients = [np.float32([value, -value / 3, value / 2**35, 0]).reshape(1, 4) for value in greatest]
    results = quantized(gradients)
    for values, (power, whole) in zip(gradients, results, strict=True):
        np.testing.assert_array_equal(whole, np.floor(np.ldexp(values.astype(np.float64), -power) + 0.5))
    assert all(2**29 <= whole.max() <= 2**30 for _, whole in results[:4])


def test_a_gradient_that_is_not_finite_becomes_zeros() -> None:
    broken = [np.float32([3e38, value, -3e38, 1]).reshape(1, 4) for value in (np.nan, np.inf, -np.inf)]
    for power, whole in quantized(broken):
        assert power == NOT_FINITE and not whole.any()


def test_sums_are_at_the_greater_exponent() -> None:
    wide, narrow = integers(31), integers(15, "int16", seed=1)
    pairs = [((wide, -9), (wide[:, ::-1], -32)), ((wide, 30), (narrow, -80)), ((narrow, 0), (narrow, -23))]
    make = [partial(item, offsets=(-3, 20)) for item in (sum_exponent, add_gradients)]
    powers = [[exponent(of_a), exponent(of_b)] for (_, of_a), (_, of_b) in pairs]
    joint = equal_on_both(*(Case(make[0], both) for both in powers))
    cases = [
        Case(make[1], [a, np.ascontiguousarray(b), *both, whole])
        for ((a, _), (b, _)), both, whole in zip(pairs, powers, joint, strict=True)
    ]
    for ((a, of_a), (b, of_b)), whole, total in zip(pairs, joint, equal_on_both(*cases), strict=True):
        assert whole[0] == max(of_a - 3, of_b + 20) + 1
        exact = np.ldexp(a.astype(float), of_a - 3) + np.ldexp(b.astype(float), of_b + 20)
        assert np.abs(total - np.ldexp(exact, -int(whole[0]))).max() <= 1
    check_overlap(cases[1].module(), cases[1].inputs)


def clamped(
    gradient: np.ndarray, result: np.ndarray, factor: float | np.ndarray, shift: int, bits: int
) -> Case:
    """The gradient before a clamp, shifted right."""
    fixed = FixedFactors.of(np.atleast_1d(factor))
    make = partial(clamp_gradient, factor=fixed.integers, low=-100, high=90, bits=bits)
    return Case(make, [gradient, result, exponent(-40), exponent(-40 + shift)])


def test_a_clamp_scales_and_masks() -> None:
    result = activations(low=-100, high=90)
    inside = (result > -100) & (result < 90)
    mask = np.packbits(inside.reshape(-1), bitorder="little")
    of_channels, of_pixels = np.float32([0.1, 2.0, -0.5]), np.geomspace(0.1, 3, 15, dtype=np.float32)
    wide, narrow = integers(31), integers(9, "int16")
    cases = [
        (wide, result, 0.375, 16, 15), (wide, mask, of_channels, 16, 15),
        (narrow, result, of_channels, -6, 15),
        (narrow, mask, of_pixels.reshape(-1, 1), -6, 8), (wide, result, of_pixels.reshape(-1, 1), 16, 11),
    ]  # fmt: skip
    results = equal_on_both(*(clamped(*case) for case in cases))
    for (gradient, _, factor, shift, bits), got in zip(cases, results, strict=True):
        fixed = FixedFactors.of(np.atleast_1d(factor))
        factors = fixed.integers.astype(float)
        pixels = np.ldexp(gradient.astype(float), -shift).reshape(15, 3) * factors
        expected = np.ldexp(pixels, bits - 30).reshape(SHAPE) * inside
        assert np.abs(got - expected).max() <= 1
        assert np.abs(got.astype(int)).max() <= min(2**bits, 2**15 - 1)
    for case in (cases[0], cases[2]):
        check_overlap(clamped(*case).module(), clamped(*case).inputs, is_tight=False)


@pytest.mark.emulator
def test_clamps_by_bytes_of_a_mask(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    """Shifts to the right, by one and to the left; factors of channels, of pixels, and one for all."""
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    shape, generator = (1, 2, 4, 16), np.random.default_rng(4)
    mask = generator.integers(0, 256, 16).astype(np.uint8)
    of_channels = generator.normal(size=16).astype(np.float32)
    of_pixels = generator.uniform(0.1, 2, (8, 1)).astype(np.float32)
    cases = [
        clamped(integers(31, shape=shape), mask, of_channels, 16, 15),
        clamped(integers(16, shape=shape), mask, of_pixels, 1, 11),
        clamped(integers(17, shape=shape), mask, -0.7, 2, 9),
        clamped(integers(11, "int16", shape), mask, of_channels, -4, 12),
        clamped(integers(15, "int16", shape), mask, 0.3, 0, 15),
    ]
    assert {views_in(case.module(), DSP)[0].variant for case in cases} == {"dsp"}
    results = zip(in_c(*cases), in_c(*cases, features=DSP), on_core(tmp_path, *cases), strict=True)
    for index, (portable, by_dsp, by_core) in enumerate(results):
        np.testing.assert_array_equal(by_dsp, portable, err_msg=f"case {index}")
        np.testing.assert_array_equal(by_core, portable.reshape(-1), err_msg=f"case {index}")
    for case in (cases[0], cases[3]):
        check_overlap(case.module(), case.inputs, is_tight=False, features=DSP)


def test_factors_have_fifteen_bits() -> None:
    for greatest, power in ((1.0, 0), (0.5, -1), (0.51, 0), (3.0, 2), (2.0**-20, -20)):
        fixed = FixedFactors.of(np.float32([greatest, -greatest / 3, 0]))
        assert fixed.exponent == power
        real = np.ldexp(fixed.integers.astype(float), fixed.exponent - 15)
        assert np.abs(real - [greatest, -greatest / 3, 0]).max() <= 2.0 ** (power - 15)
    assert FixedFactors.of(np.zeros(2)).exponent == 0


def test_no_sum_has_more_than_31_bits() -> None:
    for worth in (1, 1152, 4608 * 128, 2**30, 2**31 - 1):
        bits = bits_below(worth)
        assert 2**bits * worth < 2**31 or bits == 1
        assert bits == 15 or 2 ** (bits + 1) * worth >= 2**31
    assert bits_below(1, pixels=2**17) == 14


def input_case(item: GradientLayer) -> Case:
    """The gradient of a layer's input."""
    gradient = integers(15 if item.weights[0, 0, 0].size < 40 else 12, "int16", item.gradient.shape)
    make = partial(input_gradient, window=item.window, groups=item.groups, input_shape=item.shape)
    return Case(make, [gradient, item.weights])


def input_expected(item: GradientLayer, case: Case) -> np.ndarray:
    """The same in numpy."""
    long = case.operands[0].astype(np.int64)
    return reference.input_gradient(long, item.weights, item.window, item.groups, item.shape)


def test_layers_hand_on_what_is_exact() -> None:
    layers = [layer(name) for name in NAMES]
    cases = list(map(input_case, layers))
    for item, case, got in zip(layers, cases, in_c(*cases), strict=True):
        expected = input_expected(item, case)
        np.testing.assert_array_equal(got, expected, err_msg=item.name)
        if item.name in ("pixels with stride", "groups", "depthwise with stride"):
            np.testing.assert_array_equal(run_on_vm(case.module(), case.inputs)[0], expected)


@pytest.mark.emulator
def test_layers_by_words(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    layers = [layer(name) for name in BY_DSP]
    cases = list(map(input_case, layers))
    assert [views_in(case.module(), DSP)[0].variant for case in cases] == ["dsp"] * len(cases)
    found = zip(layers, cases, in_c(*cases, features=DSP), on_core(tmp_path, *cases), strict=True)
    for item, case, by_c, by_core in found:
        expected = input_expected(item, case)
        np.testing.assert_array_equal(by_c, expected, err_msg=item.name)
        np.testing.assert_array_equal(by_core, expected.reshape(-1), err_msg=item.name)


def test_tables_products_and_pools() -> None:
    window, pooled = Window((3, 3), (2, 1), (1, 1)), (1, 5, 6, 3)
    narrow = integers(15, "int16", (1, 3, 6, 3))
    source = activations(pooled)
    slopes = FixedFactors.of(np.linspace(-2, 3, 256).astype(np.float32)).integers
    others = [activations(), activations((1, 1, 1, 3)), activations((1, 3, 5, 1))]
    of_products = integers(15, "int16")
    tables = [(integers(31), 16), (integers(4, "int16"), -11)]
    cases = [
        Case(partial(average_gradient, window=window, input_shape=pooled), [narrow]),
        Case(partial(max_pool_gradient, window=window), [narrow, source]),
        Case(partial(max_pool_gradient, window=window), [integers(31, shape=(1, 3, 6, 3)), source]),
        *(
            Case(partial(table_gradient, table=slopes), [values, activations(), exponent(0), exponent(shift)])
            for values, shift in tables
        ),
        *(Case(partial(multiply_gradient, zero_point=-128), [of_products, other]) for other in others),
    ]
    averages, maxima, of_long, table, *_ = equal_on_both(*cases)
    ones = np.ones((3, 3, 3, 1), np.int8)
    expected = reference.input_gradient(narrow.astype(np.int64), ones, window, 3, pooled)
    np.testing.assert_array_equal(averages, expected)
    assert abs(maxima.sum() * 2 ** overlap_bits(window) - narrow.sum(dtype=np.int64)) <= narrow.size * 4
    assert of_long.any()
    places = activations().astype(int) + 128
    expected = integers(31) / 2**16 * slopes[places] / 2**15
    assert np.abs(table - expected).max() <= 1


def test_several_windows_of_a_maximum_do_not_overflow() -> None:
    """All windows that have an element give it the most there is."""
    for window in (
        Window((3, 3), (1, 1), (1, 1)),
        Window((3, 3), (2, 2), (0, 0)),
        Window((2, 2), (2, 2), (0, 0)),
    ):
        source = np.full((1, 5, 5, 1), -128, np.int8)
        source[0, 2, 2] = 127
        counts = [
            (5 + 2 * pad - 3) // stride + 1 for pad, stride in zip(window.padding, window.stride, strict=True)
        ]
        gradient = np.full((1, *counts, 1), MOST, np.int32)
        [got] = in_c(Case(partial(max_pool_gradient, window=window), [gradient, source]))
        assert got.min() >= 0 and got[0, 2, 2, 0] > 2**29


def test_where_an_output_may_lie() -> None:
    item = layer("pixels")
    make = partial(input_gradient, window=item.window, groups=1, input_shape=item.shape)
    case = Case(make, [integers(15, "int16", item.gradient.shape), item.weights], constants=(1,))
    [view] = views_in(case.module())
    assert view.operand_bytes == item.weights.nbytes
    assert view.overlap_distance(1) is None
    window = Window((3, 3), (2, 1), (1, 1))
    averaged = partial(average_gradient, window=window, input_shape=(1, 5, 6, 3))
    cases = [Case(averaged, [integers(15, "int16", (1, 3, 6, 3))])]
    for name in ("pixels", "depthwise with stride", "groups", "tiles of depthwise"):
        item = layer(name)
        make = partial(input_gradient, window=item.window, groups=item.groups, input_shape=item.shape)
        cases.append(Case(make, [integers(15, "int16", item.gradient.shape), item.weights]))
    for case in cases:
        check_overlap(case.module(), case.inputs, is_tight=False)


@pytest.mark.parametrize("name", ["many channels", "tiles of depthwise", "depthwise with long strides"])
def test_where_an_output_of_words_may_lie(name: str) -> None:
    """Of several tiles or bands the last need little of the gradient, whose memory the output may take."""
    case = input_case(layer(name))
    check_overlap(case.module(), case.inputs, is_tight=False, features=DSP)
    [view] = views_in(case.module(), DSP)
    distance = view.overlap_distance(0)
    assert distance is not None and distance < view.outputs[0].bytes
