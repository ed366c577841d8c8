"""Velocities, and weights that change by them: in C, on the VM and in numpy."""

from functools import partial

import numpy as np
import pytest

from tests.reference import gradients as reference
from tests.tools.gradient_layers import NAMES, GradientLayer, layer
from tests.tools.gradients import Case, in_c, on_both
from tests.tools.kernel_runner import views_in
from tinycc.ops.bias_velocity import bias_velocity
from tinycc.ops.update import UpdateRounding
from tinycc.ops.velocity import BIAS_BITS, MOST, WEIGHT_BITS, decay_of
from tinycc.ops.velocity_update import velocity_update
from tinycc.ops.weight_velocity import weight_velocity

ZERO_POINT = -7
RATE = np.array([0.03], np.float32)
EXPONENT, OFFSET = np.array([-40], np.int32), 21
BITS = {"int8": WEIGHT_BITS, "int32": BIAS_BITS}


def source_of(item: GradientLayer) -> np.ndarray:
    """What a layer was given."""
    return np.random.default_rng(1).integers(-128, 128, item.shape).astype(np.int8)


def sums_of(item: GradientLayer, gradient: np.ndarray) -> np.ndarray:
    """The gradient of a layer's weights, of the type of that of its sums."""
    centred = source_of(item).astype(gradient.dtype) - ZERO_POINT
    return reference.weight_gradient(gradient, centred, item.window, item.groups, item.weights.shape[3])


def scaling_of(item: GradientLayer) -> np.ndarray:
    """So that some changes are a fraction of a unit and some are too large."""
    return np.geomspace(1e-3, 3e3, len(item.weights)).astype(np.float32)


def weight_case(item: GradientLayer, *operands: np.ndarray, decay: float) -> Case:
    """operands: the gradient; the velocity; the exponent of integers."""
    gradient, velocity, *exponent = operands
    make = partial(
        weight_velocity, zero_point=ZERO_POINT, scaling=scaling_of(item), window=item.window,
        groups=item.groups, offset=OFFSET if exponent else 0,
    )  # fmt: skip
    kept = decay_of(decay, is_real=not exponent)
    return Case(make, [gradient, source_of(item), RATE, kept, velocity, *exponent])


def integer_velocity(
    before: np.ndarray, decay: float, factors: np.ndarray, sums: np.ndarray, bits: int
) -> np.ndarray:
    """The next velocity in Python's integers; factors: of the first axis."""
    power, kept = int(EXPONENT[0]) + OFFSET + bits, int(decay_of(decay, is_real=False)[0])
    found = []
    for index, (old, total) in enumerate(zip(before.reshape(-1), sums.reshape(-1), strict=True)):
        numerator, denominator = float(factors[index * len(factors) // sums.size]).as_integer_ratio()
        change = (int(total) * numerator << max(power, 0)) // (denominator << max(-power, 0))
        product = int(old) * kept
        left = (abs(product) >> 24) * (1 if product >= 0 else -1)
        found.append(min(max(left + min(max(change, -MOST), MOST), -MOST), MOST))
    return np.array(found, np.int32).reshape(before.shape)


def velocity_like(weights: np.ndarray, dtype: str) -> np.ndarray:
    """Some of it at the bounds."""
    generator = np.random.default_rng(2)
    if dtype == "float32":
        return (generator.normal(size=weights.shape) * 200).astype(np.float32)
    return generator.integers(-MOST, MOST, weights.shape, endpoint=True).astype(np.int32)


@pytest.mark.parametrize("decay", [0.0, 0.9, 1.0])
def test_real_velocities_of_weights_equal_numpy(decay: float) -> None:
    layers = [layer(name) for name in NAMES]
    cases = [
        weight_case(item, item.gradient, velocity_like(item.weights, "float32"), decay=decay)
        for item in layers
    ]
    for item, case, got in zip(layers, cases, in_c(*cases), strict=True):
        factors = (RATE * scaling_of(item)).reshape(-1, 1, 1, 1)
        change = np.clip(factors * sums_of(item, item.gradient), -512, 512)
        expected = np.clip(np.float32(decay) * case.operands[4] + change, -512, 512)
        np.testing.assert_array_equal(got, expected, err_msg=item.name)


def test_integer_velocities_of_weights_equal_pythons_integers_and_the_vm() -> None:
    layers, decay = [layer(name) for name in ("pixels", "image", "groups", "depthwise with stride")], 0.9
    gradients = [np.rint(item.gradient * 2**12).astype(np.int16) for item in layers]
    cases = [
        weight_case(item, gradient, velocity_like(item.weights, "int32"), EXPONENT, decay=decay)
        for item, gradient in zip(layers, gradients, strict=True)
    ]
    for item, gradient, case, results in zip(layers, gradients, cases, on_both(*cases), strict=True):
        sums = sums_of(item, gradient.astype(np.int64))
        expected = integer_velocity(case.operands[4], decay, RATE * scaling_of(item), sums, WEIGHT_BITS)
        for result in results:
            np.testing.assert_array_equal(result, expected, err_msg=item.name)


def test_velocities_of_biases_equal_numpy_and_the_vm() -> None:
    generator, decay, scaling = np.random.default_rng(3), 0.9, np.float32([0.01, 0.3, 1e3, 1e9])
    real = np.round(generator.normal(size=(1, 3, 4, 4)) * 2**10).astype(np.float32)
    whole, velocity = real.astype(np.int16), np.array([0, 5, -7, MOST], np.int32)
    makes = [partial(bias_velocity, scaling=scaling, offset=offset) for offset in (0, OFFSET)]
    on_real, on_whole = on_both(
        Case(makes[0], [real, RATE, decay_of(decay, is_real=True), velocity.astype(np.float32)]),
        Case(makes[1], [whole, RATE, decay_of(decay, is_real=False), velocity, EXPONENT]),
    )
    change = np.clip(RATE * scaling * reference.bias_gradient(real), -(2**30), 2**30)
    held = np.clip(np.float32(decay) * velocity.astype(np.float32) + change, -(2**30), 2**30)
    sums = whole.astype(np.int64).sum((0, 1, 2))
    expected = integer_velocity(velocity, decay, RATE * scaling, sums, BIAS_BITS)
    for by_real, by_whole in zip(on_real, on_whole, strict=True):
        np.testing.assert_array_equal(by_real, held)
        np.testing.assert_array_equal(by_whole, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_change_that_is_no_number_leaves_a_velocity_what_it_was(value: float) -> None:
    item = layer("dense")
    gradient, velocity = item.gradient.copy(), velocity_like(item.weights, "float32")
    gradient[..., 1] = value
    [got] = in_c(weight_case(item, gradient, velocity, decay=1.0))
    np.testing.assert_array_equal(got[1], velocity[1])


@pytest.mark.parametrize("is_due", [1, 0])
def test_weights_and_biases_change_by_velocities_when_it_is_time(is_due: int) -> None:
    generator, update, how = np.random.default_rng(4), np.array([77], np.int32), UpdateRounding(9, 2)
    weights = generator.integers(-128, 128, (3, 2, 2, 5)).astype(np.int8)
    biases = np.append(generator.integers(-1000, 1000, 20), [2**30 - 1, -(2**30)]).astype(np.int32)
    cases = []
    for values in (weights, biases):
        for velocity in (velocity_like(values, "float32"), velocity_like(values, "int32")):
            make = partial(velocity_update, seed=how.seed, tensor=how.tensor)
            cases.append(Case(make, [velocity, np.array([is_due], np.int32), update, values]))
    for case, results in zip(cases, on_both(*cases), strict=True):
        velocity, _, _, values = case.operands
        u, bits = how.uniform(77, np.arange(values.size)).reshape(values.shape), BITS[str(values.dtype)]
        if velocity.dtype == np.int32:
            dropped = (u.astype(np.float64) * 2**bits).astype(np.int64)
            changes = (velocity.astype(np.int64) + dropped) >> bits
        else:
            changes = np.floor(velocity + u).astype(np.int64)
        low, high = (-128, 127) if values.dtype == np.int8 else (-(2**30), 2**30 - 1)
        expected = np.clip(values - changes, low, high) if is_due else values
        for result in results:
            np.testing.assert_array_equal(result, expected)


def test_where_velocities_and_weights_may_lie() -> None:
    item = layer("groups")
    [moves] = views_in(
        weight_case(item, item.gradient, velocity_like(item.weights, "float32"), decay=1.0).module()
    )
    assert [moves.overlap_distance(index) for index in range(5)] == [None, None, None, None, 0]
    assert moves.macs == item.gradient.size * item.weights[0].size
