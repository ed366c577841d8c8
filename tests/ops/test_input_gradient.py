"""Gradients of inputs of layers: to the bit as the headers say, and against autograd of torch."""

from functools import partial

import numpy as np
import pytest
import torch

from tests.reference.gradients import input_gradient as reference
from tests.tools.gradients import Case, on_both
from tests.tools.kernel_runner import check_overlap, views_in
from tinycc.ops.input_gradient import input_gradient
from tinycc.ops.window import Window

# Window, groups, input [height, width, channels], outputs.
LAYERS = {
    "pixels": (Window((1, 1), (1, 1), (0, 0)), 1, (3, 3, 7), 5),
    "dense": (Window((1, 1), (1, 1), (0, 0)), 1, (1, 1, 6), 3),
    "pixels with stride": (Window((1, 1), (2, 2), (0, 0)), 1, (5, 4, 6), 5),
    "image": (Window((3, 3), (2, 2), (0, 1)), 1, (6, 7, 5), 4),
    "long strides": (Window((2, 3), (3, 4), (1, 2)), 1, (8, 9, 3), 2),
    "dilated": (Window((3, 2), (1, 2), (2, 1), (2, 3)), 1, (6, 9, 3), 4),
    "dilated against the stride": (Window((3, 3), (2, 3), (3, 2), (3, 2)), 1, (9, 8, 2), 3),
    "groups": (Window((3, 3), (2, 1), (1, 1)), 3, (5, 4, 15), 6),
    "depthwise": (Window((3, 3), (1, 1), (1, 1)), 5, (4, 6, 5), 5),
    "wide depthwise": (Window((7, 5), (1, 1), (3, 2)), 3, (4, 4, 3), 3),
    "depthwise with stride": (Window((5, 3), (2, 2), (2, 0), (1, 2)), 3, (7, 8, 3), 6),
}


def layer(name: str, seed: int = 0) -> tuple[Window, int, tuple[int, ...], np.ndarray, np.ndarray]:
    """Window, groups and input shape of a layer; its gradient, some of it 0, and its weights."""
    window, groups, (height, width, channels), outputs = LAYERS[name]
    sizes = [
        (size + 2 * padding - (taps - 1) * dilation - 1) // stride + 1
        for size, padding, taps, dilation, stride in zip(
            (height, width), window.padding, window.kernel, window.dilation, window.stride, strict=True
        )
    ]
    generator = np.random.default_rng(seed)
    gradient = generator.normal(size=(1, *sizes, outputs)).astype(np.float32)
    gradient[generator.random(gradient.shape) < 0.3] = 0
    weights = generator.integers(-128, 128, (outputs, *window.kernel, channels // groups)).astype(np.int8)
    return window, groups, (1, height, width, channels), gradient, weights


def by_torch(
    window: Window, groups: int, shape: tuple[int, ...], gradient: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """By autograd of float64."""
    source = torch.zeros(shape, dtype=torch.float64).permute(0, 3, 1, 2).requires_grad_()
    filters = torch.from_numpy(weights.astype(np.float64)).permute(0, 3, 1, 2)
    output = torch.nn.functional.conv2d(
        source, filters, None, window.stride, window.padding, window.dilation, groups
    )
    upstream = torch.from_numpy(gradient.astype(np.float64)).permute(0, 3, 1, 2)
    [result] = torch.autograd.grad(output, source, upstream)
    return result.permute(0, 2, 3, 1).numpy()


def case(name: str, constants: tuple[int, ...] = ()) -> Case:
    """The gradient of a layer's input."""
    window, groups, shape, gradient, weights = layer(name)
    make = partial(input_gradient, window=window, groups=groups, input_shape=shape)
    return Case(make, [gradient, weights], constants)


def test_equals_the_order_that_is_stated_and_autograd() -> None:
    results = on_both(*map(case, LAYERS))
    for name, (got, by_vm) in zip(LAYERS, results, strict=True):
        window, groups, shape, gradient, weights = layer(name)
        expected = reference(gradient, weights, window, groups, shape)
        np.testing.assert_array_equal(got, expected, err_msg=name)
        exact = by_torch(window, groups, shape, gradient, weights)
        for result in (got, by_vm):
            assert np.linalg.norm(result - exact) < 1e-6 * np.linalg.norm(exact), name


def test_frozen_weights_are_constants() -> None:
    window, groups, shape, gradient, weights = layer("image")
    [(got, _)] = on_both(case("image", constants=(1,)))
    np.testing.assert_array_equal(got, reference(gradient, weights, window, groups, shape))
    [view] = views_in(case("image", constants=(1,)).module())
    assert view.operand_bytes == weights.nbytes and view.macs == gradient.size * weights[0].size


@pytest.mark.parametrize("name", ["pixels", "depthwise with stride", "groups"])
def test_overlap_distances(name: str) -> None:
    check_overlap(case(name).module(), case(name).inputs, is_tight=False)
