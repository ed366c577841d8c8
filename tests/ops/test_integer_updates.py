"""Updates by gradients of integers, to the bit: in C, on the VM, and in numpy."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.reference import gradients as reference
from tests.tools.gradient_layers import NAMES, GradientLayer, layer
from tests.tools.gradients import Case, in_c, on_both, on_core
from tests.tools.kernel_runner import views_in
from tinycc.ops.bias_update import bias_update
from tinycc.ops.update import UpdateRounding
from tinycc.ops.weight_update import weight_update

ZERO_POINT = -7
DSP = ("dsp",)
# Even and odd numbers of pixels and inputs, and a single one.
BY_DSP = ("pixels", "many channels", "dense")
STEP = np.array([12345], np.int32)
EXPONENT, OFFSET = np.array([-40], np.int32), 21


def gradient_of(item: GradientLayer) -> np.ndarray:
    """Of a layer's sums, int16."""
    return np.clip(np.rint(item.gradient * 2**13), -(2**15), 2**15 - 1).astype(np.int16)


def source_of(item: GradientLayer) -> np.ndarray:
    """What a layer was given."""
    return np.random.default_rng(1).integers(-128, 128, item.shape).astype(np.int8)


def scaling_of(outputs: int) -> np.ndarray:
    """So that some change by a fraction of a unit and others by more than there is."""
    return np.geomspace(1e-2, 3e3, outputs).astype(np.float32)


def changes(
    sums: np.ndarray, factors: np.ndarray, how: UpdateRounding, exponent: int, bound: int, step: int
) -> np.ndarray:
    """floor(factor * sum * 2**exponent + u) in Python's integers. factors: float32, of the first axis."""
    random = how.uniform(step, np.arange(sums.size)).astype(np.float64) * 2**24
    found = []
    for index, (total, u) in enumerate(zip(sums.reshape(-1), random.reshape(-1), strict=True)):
        factor = factors[index * len(factors) // sums.size]
        if not np.isfinite(factor):
            factor = np.float32(0)
        numerator, denominator = float(factor).as_integer_ratio()
        product, places = int(total) * numerator, exponent + 24 - (denominator.bit_length() - 1)
        delta = product << places if places > 0 else product >> -places
        delta = min(max(delta, -(bound << 24)), bound << 24)
        found.append((delta + int(u)) >> 24)
    return np.array(found).reshape(sums.shape)


def weight_case(
    item: GradientLayer,
    how: UpdateRounding,
    channels: int | None = None,
    rate: float = 0.03,
    exponent: np.ndarray = EXPONENT,
) -> Case:
    """The update of a layer's weights, or of those of the first channels."""
    make = partial(
        weight_update, zero_point=ZERO_POINT, scaling=scaling_of(len(item.weights)), window=item.window,
        groups=item.groups, seed=how.seed, tensor=how.tensor, rounding=how.rounding, low=-127, offset=OFFSET,
    )  # fmt: skip
    source = np.ascontiguousarray(source_of(item)[..., :channels])
    return Case(make, [gradient_of(item), source, np.array([rate], np.float32), STEP, item.weights, exponent])


def new_weights(
    item: GradientLayer, how: UpdateRounding, rate: float = 0.03, exponent: np.ndarray = EXPONENT
) -> np.ndarray:
    """The same in numpy."""
    centred, gradient = source_of(item).astype(np.int64) - ZERO_POINT, gradient_of(item).astype(np.int64)
    sums = reference.weight_gradient(gradient, centred, item.window, item.groups, item.weights.shape[3])
    factors = np.float32(rate) * scaling_of(len(item.weights))
    found = changes(sums, factors, how, int(exponent[0]) + OFFSET, 512, int(STEP[0]))
    return np.where(found, np.clip(item.weights - found, -127, 127), item.weights).astype(np.int8)


def test_weights_of_all_layers_equal_numpy() -> None:
    how = UpdateRounding(seed=99, tensor=3)
    layers = [layer(name) for name in NAMES]
    for item, got in zip(layers, in_c(*(weight_case(item, how) for item in layers)), strict=True):
        expected = new_weights(item, how)
        np.testing.assert_array_equal(got, expected, err_msg=item.name)
        assert (got != item.weights).any() and (got == item.weights).any(), item.name


@pytest.mark.emulator
def test_weights_by_pairs_of_pixels(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    how, layers = UpdateRounding(seed=5, tensor=1), [layer(name) for name in BY_DSP]
    cases = [weight_case(item, how) for item in layers] + [weight_case(layer("image"), how)]
    variants = [views_in(case.module(), DSP)[0].variant for case in cases]
    assert variants == ["dsp"] * len(layers) + ["portable"]
    found = zip(layers, in_c(*cases[:-1], features=DSP), on_core(tmp_path, *cases[:-1]), strict=True)
    for item, by_c, by_core in found:
        expected = new_weights(item, how)
        np.testing.assert_array_equal(by_c, expected, err_msg=item.name)
        np.testing.assert_array_equal(by_core, expected.reshape(-1), err_msg=item.name)


def test_the_vm_updates_weights_alike() -> None:
    hows = {
        "depthwise with stride": UpdateRounding(2**32 - 1, 3),
        "image": UpdateRounding(7, 1, "nearest"),
        "groups": UpdateRounding(1),
    }
    cases = [weight_case(layer(name), how) for name, how in hows.items()]
    for (name, how), results in zip(hows.items(), on_both(*cases), strict=True):
        for result in results:
            np.testing.assert_array_equal(result, new_weights(layer(name), how), err_msg=name)


def test_only_weights_of_the_first_channels_change() -> None:
    how, parts = UpdateRounding(seed=1), {"depthwise": 3, "image": 4, "groups": 10}
    cases = [weight_case(layer(name), how, channels) for name, channels in parts.items()]
    for (name, channels), results in zip(parts.items(), on_both(*cases), strict=True):
        item = layer(name)
        expected = new_weights(item, how)
        if item.groups == 1:
            expected[..., channels:] = item.weights[..., channels:]
        else:
            first = len(expected) // item.groups * (channels // item.weights.shape[3])
            expected[first:] = item.weights[first:]
        for result in results:
            np.testing.assert_array_equal(result, expected, err_msg=name)


def test_changes_of_any_size_are_held() -> None:
    """To nothing where they are far too small, and to the bounds where they are too large."""
    how, item = UpdateRounding(seed=3), layer("dense")
    powers = [np.array([power], np.int32) for power in (-400, -75, -21, 40, 256, 300)]
    cases = [weight_case(item, how, exponent=power) for power in powers]
    for power, results in zip(powers, on_both(*cases), strict=True):
        for result in results:
            np.testing.assert_array_equal(result, new_weights(item, how, exponent=power))


def test_any_rate_is_taken_at_its_word() -> None:
    """One that is no finite number changes nothing, nor does one that is none once it is scaled."""
    how, item, rates = UpdateRounding(seed=3), layer("dense"), (0.0, -0.03, 1e-42, 3e38, np.inf, np.nan)
    cases = [weight_case(item, how, rate=rate) for rate in rates]
    for rate, results in zip(rates, on_both(*cases), strict=True):
        with np.errstate(over="ignore"):
            expected = new_weights(item, how, rate)
        for result in results:
            np.testing.assert_array_equal(result, expected, err_msg=str(rate))


def test_sums_over_many_pixels_are_exact() -> None:
    """Of more products than an int32 holds, all of the most there is."""
    pixels = 2**16
    gradient = np.full((1, 256, 256, 1), 2**15 - 1, np.int16)
    source = np.full((1, 256, 256, 1), -128, np.int8)
    gradient[0, 0, 0] = -(2**15)
    how, power = UpdateRounding(rounding="nearest"), np.array([-39], np.int32)
    window = layer("pixels").window
    make = partial(
        weight_update, zero_point=127, scaling=np.float32([50]), window=window, groups=1, seed=0, tensor=0,
        rounding="nearest",
    )  # fmt: skip
    one, weights = np.array([1], np.float32), np.zeros((1, 1, 1, 1), np.int8)
    biases = partial(bias_update, scaling=np.float32([1000]), seed=0, tensor=0, rounding="nearest")
    got, bias = in_c(
        Case(make, [gradient, source, one, STEP, weights, power]),
        Case(biases, [gradient, one, STEP, np.zeros(1, np.int32), power]),
    )
    total = np.array([(2**15 - 1) * (pixels - 1) - 2**15])
    assert got == -changes(-255 * total, np.float32([50]), how, -39, 512, 0)
    assert bias == -changes(total, np.float32([1000]), how, -39, 2**30, 0)


def test_biases_equal_numpy_and_the_vm() -> None:
    how = UpdateRounding(seed=4, tensor=8)
    gradient = np.random.default_rng(3).integers(-(2**15), 2**15, (1, 3, 4, 5)).astype(np.int16)
    bias = np.array([-70, 3, 65, 2**31 - 1, -(2**31)], np.int32)
    rate, scaling = np.array([3], np.float32), np.float32([0.01, 0.3, 1e7, 1e20, 3e38])
    sums = gradient.astype(np.int64).sum((0, 1, 2))
    with np.errstate(over="ignore"):
        found = changes(sums, rate * scaling, how, 2, 2**30, int(STEP[0]))
    for bounds in ((-(2**30), 2**30 - 1), (-60, 60)):
        make = partial(
            bias_update, scaling=scaling, seed=4, tensor=8, low=bounds[0], high=bounds[1], offset=5
        )
        expected = np.clip(np.clip(bias, *bounds).astype(np.int64) - found, *bounds)
        for result in on_both(Case(make, [gradient, rate, STEP, bias, np.array([-3], np.int32)]))[0]:
            np.testing.assert_array_equal(result, expected)


@pytest.mark.emulator
def test_biases_by_pairs_of_outputs(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    gradient = np.random.default_rng(3).integers(-(2**15), 2**15, (1, 3, 4, 6)).astype(np.int16)
    scaling = np.geomspace(1e-3, 30, 6).astype(np.float32)
    make = partial(bias_update, scaling=scaling, seed=4, tensor=8, offset=5)
    bias, one, power = np.arange(-3, 3, dtype=np.int32), np.ones(1, np.float32), np.array([-9], np.int32)
    case = Case(make, [gradient, one, STEP, bias, power])
    assert views_in(case.module(), ("dsp",))[0].variant == "dsp"
    [portable] = in_c(case)
    assert (portable != bias).any()
    np.testing.assert_array_equal(in_c(case, features=("dsp",))[0], portable)
    np.testing.assert_array_equal(on_core(tmp_path, case)[0], portable)


def test_where_new_weights_may_lie() -> None:
    [view] = views_in(weight_case(layer("groups"), UpdateRounding()).module())
    assert [view.overlap_distance(index) for index in range(6)] == [None, None, None, None, 0, None]
