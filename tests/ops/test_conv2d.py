"""Convolutions against the integer reference."""

from collections.abc import Sequence

import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.tools.kernel_runner import Features, views_in
from tests.tools.layers import (
    FEATURES,
    ZERO_POINTS,
    Shape,
    Weights,
    check_distance,
    check_reference,
    layer_module,
    windows,
)
from tinycc.errors import UnsupportedError
from tinycc.ops.conv2d.view import Conv2D

Attributes = dict[str, Sequence[int]]


def conv2d_module(
    image: Shape,
    kernel: Shape,
    channels: tuple[int, int],
    attributes: Attributes,
    groups: int = 1,
    **more: object,
) -> tvm.IRModule:
    """channels: of input and output."""

    def product(x: relax.Expr, weights: relax.Expr) -> relax.Expr:
        return relax.op.nn.conv2d(
            x, weights, data_layout="NHWC", kernel_layout="HWIO", groups=groups, **attributes
        )

    weights = Weights((*kernel, channels[0] // groups, channels[1]), channels[1], 3)
    return layer_module(product, (1, *image, channels[0]), weights, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("features", FEATURES)
@settings(max_examples=12)
@given(windows(), st.sampled_from([(1, 1), (3, 5), (4, 2), (8, 3)]), ZERO_POINTS, st.integers(0, 99))
def test_equals_the_reference(
    features: Features,
    window: tuple[Shape, Shape, Attributes],
    channels: tuple[int, int],
    zero_point: int,
    seed: int,
) -> None:
    image, kernel, attributes = window
    module = conv2d_module(image, kernel, channels, attributes, zero_points=(zero_point, -5), seed=seed)
    check_reference(module, "conv2d", seed, features=features)


@pytest.mark.parametrize("features", FEATURES)
def test_1x1_windows_that_skip_pixels_and_read_padding_are_no_pointwise_kernels(features: Features) -> None:
    """Padding makes the output as large as the input, though a stride leaves pixels out."""
    attributes = {"strides": [2, 2], "padding": [2, 2, 2, 2]}
    module = conv2d_module((5, 5), (1, 1), (8, 8), attributes)
    [view] = views_in(module, features)
    assert isinstance(view, Conv2D)
    assert view.inputs[0].shape == view.outputs[0].shape and not view.is_pointwise
    check_reference(module, "conv2d", features=features)


@pytest.mark.parametrize("channels", [(4, 6), (6, 2)])
def test_groups(channels: tuple[int, int]) -> None:
    module = conv2d_module((5, 4), (3, 2), channels, {"padding": [1, 0, 1, 1]}, groups=2)
    check_reference(module, "conv2d")


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3)])
def test_int16_activations(kernel: Shape) -> None:
    check_reference(conv2d_module((4, 5), kernel, (3, 4), {"padding": [1, 1, 1, 1]}, dtype="int16"), "conv2d")


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("activation", [relax.op.nn.relu, lambda x: relax.op.clip(x, 0, 6)])
@pytest.mark.parametrize("output_zero_point", [-128, -5])
def test_activations_are_clamps(activation: object, output_zero_point: int, features: Features) -> None:
    module = conv2d_module(
        (4, 4), (3, 3), (2, 3), {}, activation=activation, zero_points=(3, output_zero_point)
    )
    check_reference(module, "conv2d", features=features)


def test_without_bias() -> None:
    check_reference(conv2d_module((4, 4), (3, 3), (2, 3), {}, has_bias=False), "conv2d")


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize(
    ("image", "kernel", "channels", "attributes"),
    [
        ((4, 5), (1, 1), (6, 3), {}),
        ((4, 5), (1, 1), (3, 6), {}),
        ((1, 1), (1, 1), (6, 9), {}),
        ((6, 5), (3, 3), (3, 4), {"padding": [1, 1, 1, 1]}),
        ((7, 7), (3, 3), (2, 4), {"strides": (2, 2), "padding": [0, 0, 1, 1]}),
        ((5, 6), (2, 3), (3, 2), {"dilation": (2, 1)}),
    ],
)
def test_overlap_distance(
    image: Shape, kernel: Shape, channels: tuple[int, int], attributes: Attributes, features: Features
) -> None:
    check_distance(conv2d_module(image, kernel, channels, attributes), is_tight=False, features=features)


def test_int16_with_zero_points_is_refused() -> None:
    def product(x: relax.Expr, weights: relax.Expr) -> relax.Expr:
        return relax.op.nn.conv2d(x, weights, data_layout="NHWC", kernel_layout="HWIO")

    weights = Weights((1, 1, 2, 2), 2, 3, zero_point=1)
    with pytest.raises(UnsupportedError, match="zero point other than 0"):
        views_in(layer_module(product, (1, 3, 3, 2), weights, dtype="int16"))
