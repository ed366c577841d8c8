"""Updates of weights and biases, to the bit: in C, on the VM, and in numpy."""

from functools import partial

import numpy as np
import pytest

from tests.reference import gradients as reference
from tests.tools.gradient_layers import NAMES, GradientLayer, layer
from tests.tools.gradients import Case, on_both
from tests.tools.kernel_runner import module_of_composite, run_cases, views_in
from tinycc.ops.bias_update import bias_update
from tinycc.ops.update import UpdateRounding
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
        weight_update, zero_point=ZERO_POINT, scaling=scaling_of(item), window=item.window, groups=item.groups,
        seed=how.seed, tensor=how.tensor, rounding=how.rounding, low=-127,
    )  # fmt: skip
    source = np.ascontiguousarray(source_of(item)[..., :channels])
    return Case(make, [item.gradient, source, rate, STEP, item.weights])


def new_weights(item: GradientLayer, how: UpdateRounding, channels: int | None = None) -> np.ndarray:
    """The same in numpy."""
    centred = source_of(item).astype(np.float32) - ZERO_POINT
    depth = item.weights.shape[3]
    delta = reference.weight_gradient(item.gradient, centred, item.window, item.groups, depth)
    delta = (RATE * scaling_of(item)).reshape(-1, 1, 1, 1) * delta
    elements = np.arange(delta.size).reshape(delta.shape)
    changes = how.changes(delta, int(STEP[0]), 512, elements)
    if channels is not None and item.groups == 1:
        changes[..., channels:] = 0
    elif channels is not None:
        changes[len(changes) // item.groups * (channels // depth) :] = 0
    return np.clip(item.weights - changes, -127, 127).astype(np.int8)


def with_short_gradients(item: GradientLayer) -> GradientLayer:
    """Gradients of so few bits that sums are exact, in whatever order they are taken."""
    short = (np.round(item.gradient * 16) / 16).astype(np.float32)
    return GradientLayer(item.name, item.window, item.groups, item.shape, short, item.weights)


def test_weights_of_all_layers_equal_numpy_and_the_vm() -> None:
    how = UpdateRounding(seed=99, tensor=3)
    layers = [layer(name) for name in NAMES]
    exact = [with_short_gradients(item) for item in layers]
    results = on_both(*(weight_case(item, how) for item in (*layers, *exact)))
    for item, (got, by_vm) in zip((*layers, *exact), results, strict=True):
        np.testing.assert_array_equal(got, new_weights(item, how), err_msg=item.name)
        if item in exact:
            np.testing.assert_array_equal(by_vm, got, err_msg=item.name)


@pytest.mark.parametrize(("name", "channels"), [("pixels", 3), ("image", 4), ("groups", 10), ("depthwise", 2)])
def test_only_weights_of_the_first_channels_change(name: str, channels: int) -> None:
    how, item = UpdateRounding(seed=1), with_short_gradients(layer(name))
    [(got, by_vm)] = on_both(weight_case(item, how, channels))
    np.testing.assert_array_equal(got, new_weights(item, how, channels))
    np.testing.assert_array_equal(by_vm, got)


def test_weights_that_are_a_state_are_overwritten() -> None:
    how, item = UpdateRounding(seed=-5, tensor=1), layer("image")
    composite = weight_case(item, how).composite()
    callee = tvm.ir.GlobalVar("update")
    relax.expr._update_type(callee, composite.ty)

    def body(*operands: relax.Var) -> list[relax.Expr]:
        updated = relax.Call(callee, operands, ret_ty=composite.ret_ty)
        return [updated]

    inputs = [item.gradient, source_of(item), RATE, STEP]
    shapes = [(array.shape, str(array.dtype)) for array in inputs]
    module = module_of(shapes, body, [(item.weights.shape, "int8", item.weights)])
