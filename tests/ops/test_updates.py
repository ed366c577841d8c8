"""Updates of weights and biases, to the bit: in C, on the VM, and in numpy."""

from functools import partial

import numpy as np
import pytest
import torch
from tvm import relax

from tests.reference import gradients as reference
from tests.tools.gradient_layers import NAMES, GradientLayer, layer
from tests.tools.gradients import Case, Function, in_c, module_calling, on_both
from tests.tools.kernel_runner import run_cases, views_in
from tinycc.ops.bias_update import bias_update
from tinycc.ops.update import Rounding, UpdateRounding
from tinycc.ops.weight_update import weight_update

ZERO_POINT = -7
STEP = np.array([12345], np.int32)
RATE = np.array([0.03], np.float32)


def source_of(item: GradientLayer) -> np.ndarray:
    """What a layer was given."""
    return np.random.default_rng(1).integers(-128, 128, item.shape).astype(np.int8)


def scaling_of(item: GradientLayer) -> np.ndarray:
    """What gradients are multiplied by, so that most changes are a few units and some are too large."""
    return np.geomspace(1e-3, 10, len(item.weights)).astype(np.float32)


def weight_case(
    item: GradientLayer, how: UpdateRounding, channels: int | None = None, rate: np.ndarray = RATE
) -> Case:
    """The update of a layer's weights, or of those of the first channels."""
    make = partial(
        weight_update, zero_point=ZERO_POINT, scaling=scaling_of(item), window=item.window,
        groups=item.groups, seed=how.seed, tensor=how.tensor, rounding=how.rounding, low=-127,
    )  # fmt: skip
    source = np.ascontiguousarray(source_of(item)[..., :channels])
    return Case(make, [item.gradient, source, rate, STEP, item.weights])


def new_weights(
    item: GradientLayer, how: UpdateRounding, channels: int | None = None, step: np.ndarray = STEP
) -> np.ndarray:
    """The same in numpy."""
    centred = source_of(item).astype(np.float32) - ZERO_POINT
    depth = item.weights.shape[3]
    delta = reference.weight_gradient(item.gradient, centred, item.window, item.groups, depth)
    delta = (RATE * scaling_of(item)).reshape(-1, 1, 1, 1) * delta
    elements = np.arange(delta.size).reshape(delta.shape)
    changes = how.changes(delta, int(step[0]), 512, elements)
    changed = np.clip(item.weights - changes, -127, 127).astype(np.int8)
    changed = np.where(changes, changed, item.weights)
    if channels is not None and item.groups == 1:
        changed[..., channels:] = item.weights[..., channels:]
    elif channels is not None:
        first = len(changes) // item.groups * (channels // depth)
        changed[first:] = item.weights[first:]
    return changed


def with_short_gradients(item: GradientLayer) -> GradientLayer:
    """Gradients of so few bits that sums are exact, in whatever order they are taken."""
    short = (np.round(item.gradient * 16) / 16).astype(np.float32)
    return GradientLayer(item.name, item.window, item.groups, item.shape, short, item.weights)


def test_weights_of_all_layers_equal_numpy() -> None:
    how = UpdateRounding(seed=99, tensor=3)
    layers = [layer(name) for name in NAMES]
    for item, got in zip(layers, in_c(*(weight_case(item, how) for item in layers)), strict=True):
        np.testing.assert_array_equal(got, new_weights(item, how), err_msg=item.name)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_of_weights_equals_autograd(name: str) -> None:
    item = layer(name)
    window = item.window
    centred = source_of(item).astype(np.float64) - ZERO_POINT
    source, upstream, filters = (
        torch.from_numpy(array.astype(np.float64)).permute(0, 3, 1, 2)
        for array in (centred, item.gradient, item.weights)
    )
    filters.requires_grad_()
    output = torch.nn.functional.conv2d(
        source, filters, None, window.stride, window.padding, window.dilation, item.groups
    )
    exact = torch.autograd.grad(output, filters, upstream)[0].permute(0, 2, 3, 1).numpy()
    depth = item.weights.shape[3]
    got = reference.weight_gradient(item.gradient, centred.astype(np.float32), window, item.groups, depth)
    assert np.linalg.norm(got - exact) < 1e-6 * np.linalg.norm(exact)


@pytest.mark.parametrize(
    ("name", "rounding"), [("depthwise with stride", "stochastic"), ("image", "nearest")]
)
def test_the_vm_updates_weights_alike(name: str, rounding: Rounding) -> None:
    how, item = UpdateRounding(2**32 - 1, 3, rounding), with_short_gradients(layer(name))
    [(got, by_vm)] = on_both(weight_case(item, how))
    np.testing.assert_array_equal(got, new_weights(item, how))
    np.testing.assert_array_equal(by_vm, got)


@pytest.mark.parametrize(("name", "channels"), [("depthwise", 3), ("image", 4), ("groups", 10)])
def test_only_weights_of_the_first_channels_change(name: str, channels: int) -> None:
    how, item = UpdateRounding(seed=1), with_short_gradients(layer(name))
    [(got, by_vm)] = on_both(weight_case(item, how, channels))
    np.testing.assert_array_equal(got, new_weights(item, how, channels))
    np.testing.assert_array_equal(by_vm, got)


def test_weights_that_are_a_state_are_overwritten() -> None:
    how, item = UpdateRounding(seed=-5, tensor=1), layer("image")
    inputs = [item.gradient, source_of(item), RATE, STEP]

    def body(functions: list[Function], *operands: relax.Var) -> list[relax.Expr]:
        updated = functions[0](*operands)
        return [updated, updated]

    module = module_calling([weight_case(item, how).composite()], inputs, body, [item.weights])
    results = run_cases(module, [inputs, [*inputs[:3], STEP + 1]])
    expected = new_weights(item, how)
    for step, [result] in enumerate(results):
        np.testing.assert_array_equal(result, expected)
        after = GradientLayer(item.name, item.window, item.groups, item.shape, item.gradient, expected)
        expected = new_weights(after, how, step=STEP + step + 1)


def bias_case(gradient: np.ndarray, bias: np.ndarray, how: UpdateRounding, **bounds: int) -> Case:
    """The update of a bias, whose scaling is 1."""
    make = partial(
        bias_update, scaling=np.ones(bias.size), seed=how.seed, tensor=how.tensor, rounding=how.rounding,
        **bounds,
    )  # fmt: skip
    return Case(make, [gradient, RATE, STEP, bias])


def test_biases_equal_numpy_and_the_vm() -> None:
    how = UpdateRounding(seed=4, tensor=8)
    generator = np.random.default_rng(3)
    gradient = np.round(generator.normal(size=(1, 3, 4, 5)) * 2**10).astype(np.float32)
    bias = np.array([-70, 3, 65, 2**31 - 1, -(2**31)], np.int32)
    factors = RATE * np.ones(5, np.float32)
    changes = how.changes(factors * reference.bias_gradient(gradient), int(STEP[0]), 2**30, np.arange(5))
    cases = [bias_case(gradient, bias, how), bias_case(gradient, bias, how, low=-60, high=60)]
    bounds = [(-(2**30), 2**30 - 1), (-60, 60)]
    for (low, high), results in zip(bounds, on_both(*cases), strict=True):
        expected = np.clip(np.clip(bias, low, high).astype(np.int64) - changes, low, high)
        for result in results:
            np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_a_change_that_is_no_number_changes_nothing(value: float) -> None:
    item = layer("dense")
    gradient = item.gradient.copy()
    gradient[..., 1] = value
    broken = GradientLayer(item.name, item.window, 1, item.shape, gradient, item.weights)
    how = UpdateRounding()
    rate = np.array([1e30], np.float32)
    weights, bias = in_c(
        weight_case(broken, how, rate=rate),
        Case(
            bias_case(gradient, np.arange(3, dtype=np.int32), how).make,
            [gradient, rate, STEP, np.arange(3, dtype=np.int32)],
        ),
    )
    np.testing.assert_array_equal(weights[1], broken.weights[1])
    assert bias[1] == 1


def test_random_numbers_are_uniform_and_differ_by_all_that_they_depend_on() -> None:
    elements = np.arange(100_000)
    numbers = UpdateRounding(1, 2).uniform(3, elements)
    assert abs(numbers.mean() - 0.5) < 0.005 and abs(numbers.std() - 12**-0.5) < 0.002
    others = [(UpdateRounding(0, 2), 3), (UpdateRounding(1, 1), 3), (UpdateRounding(1, 2), 2)]
    for how, step in others:
        assert abs(np.corrcoef(how.uniform(step, elements), numbers)[0, 1]) < 0.01


def test_overlap_distances() -> None:
    item = layer("groups")
    [view] = views_in(weight_case(item, UpdateRounding()).module())
    assert [view.overlap_distance(index) for index in range(5)] == [None, None, None, None, 0]
    assert view.macs == item.gradient.size * item.weights[0].size
