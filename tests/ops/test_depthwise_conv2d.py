"""Depthwise convolutions against the integer reference."""

from collections.abc import Sequence

import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.tools.kernel_runner import Features
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

Attributes = dict[str, Sequence[int]]


def depthwise_module(
    image: Shape, kernel: Shape, channels: int, attributes: Attributes, multiplier: int = 1, **more: object
) -> tvm.IRModule:
    """channels: of the input; multiplier: outputs of each."""

    def product(x: relax.Expr, weights: relax.Expr) -> relax.Expr:
        return relax.op.nn.conv2d(
            x, weights, data_layout="NHWC", kernel_layout="HWIO", groups=channels, **attributes
        )

    weights = Weights((*kernel, 1, channels * multiplier), channels * multiplier, 3)
    return layer_module(product, (1, *image, channels), weights, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("features", FEATURES)
@settings(max_examples=16)
@given(windows(), st.sampled_from([2, 3, 8]), st.sampled_from([1, 1, 2]), ZERO_POINTS, st.integers(0, 99))
def test_equals_the_reference(
    features: Features,
    window: tuple[Shape, Shape, Attributes],
    channels: int,
    multiplier: int,
    zero_point: int,
    seed: int,
) -> None:
    image, kernel, attributes = window
    more = {"zero_points": (zero_point, 7), "seed": seed}
    module = depthwise_module(image, kernel, channels, attributes, multiplier, **more)
    check_reference(module, "depthwise_conv2d", seed, features=features)


def test_int16_activations() -> None:
    module = depthwise_module((5, 4), (3, 3), 3, {"padding": [1, 1, 1, 1]}, dtype="int16")
    check_reference(module, "depthwise_conv2d")


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize(
    ("image", "kernel", "multiplier", "attributes"),
    [
        ((6, 5), (3, 3), 1, {"padding": [1, 1, 1, 1]}),
        ((7, 7), (3, 3), 1, {"strides": (2, 2), "padding": [0, 0, 1, 1]}),
        ((6, 6), (5, 5), 1, {"padding": [2, 2, 2, 2]}),
        ((5, 5), (3, 3), 2, {"padding": [1, 1, 1, 1]}),
        ((4, 6), (1, 1), 1, {}),
        ((3, 140), (2, 2), 1, {}),
    ],
)
def test_overlap_distance(
    image: Shape, kernel: Shape, multiplier: int, attributes: Attributes, features: Features
) -> None:
    """In place costs a row and a bit, or two; a channel is written as soon as its taps are read."""
    module = depthwise_module(image, kernel, 3, attributes, multiplier)
    check_distance(module, is_tight=multiplier == 1, features=features)
