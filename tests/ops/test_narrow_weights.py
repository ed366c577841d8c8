"""Kernels that find two weights of four bits in a byte: the integers of others, in half the flash."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ops.test_conv2d import conv2d_module
from tests.ops.test_dense import dense_module
from tests.ops.test_depthwise_conv2d import depthwise_module
from tests.tools.kernel_runner import Features
from tests.tools.layers import ZERO_POINTS, Shape, check_reference, windows
from tinycc.ops.narrow import NARROW_RANGE, two_in_a_byte
from tinycc.passes import narrow_weights, select_kernels

FEATURES: tuple[Features, ...] = ((), ("dsp",))
Attributes = dict[str, Sequence[int]]


@pytest.fixture(autouse=True, scope="module")
def every_layer() -> Iterator[None]:
    """Layers of few weights have such kernels, too, and those of an extension whatever they cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(narrow_weights, "LEAST_WEIGHTS", 0)
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


def check_narrow(module: tvm.IRModule, kind: str, features: Features, seed: int = 0) -> None:
    """Assert that an operator has a kernel for weights of four bits, and that it is right."""
    view = check_reference(module, kind, seed, features=features)
    assert view.variant.endswith("_narrow")


def test_two_weights_lie_in_a_byte() -> None:
    rows = np.array([[-8, 7, 1], [3, -1, 0]])
    assert two_in_a_byte(rows).tolist() == [[0x78, 0x01], [0xF3 - 0x100, 0x00]]


@pytest.mark.parametrize("features", FEATURES)
@settings(max_examples=16)
@given(
    windows(),
    st.sampled_from([(1, 1, 1), (3, 5, 1), (4, 2, 1), (9, 3, 1), (4, 6, 2), (6, 2, 2), (3, 3, 3), (6, 9, 3)]),
    ZERO_POINTS,
    st.integers(0, 99),
)
def test_conv2d(
    features: Features,
    window: tuple[Shape, Shape, Attributes],
    channels: tuple[int, int, int],
    zero_point: int,
    seed: int,
) -> None:
    """Odd channels and odd taps, groups of which an output's weights begin in the middle of a byte."""
    image, kernel, attributes = window
    inputs, outputs, groups = channels
    if groups == inputs:
        groups = 1
    module = conv2d_module(
        image, kernel, (inputs, outputs), attributes, groups, zero_points=(zero_point, -5),
        weight_range=NARROW_RANGE, seed=seed,
    )  # fmt: skip
    check_narrow(module, "conv2d", features, seed)


@pytest.mark.parametrize("features", FEATURES)
@settings(max_examples=16)
@given(windows(), st.sampled_from([2, 3, 7, 8]), st.sampled_from([1, 1, 2]), ZERO_POINTS, st.integers(0, 99))
def test_depthwise_conv2d(
    features: Features,
    window: tuple[Shape, Shape, Attributes],
    channels: int,
    multiplier: int,
    zero_point: int,
    seed: int,
) -> None:
    image, kernel, attributes = window
    module = depthwise_module(
        image, kernel, channels, attributes, multiplier, zero_points=(zero_point, 7),
        weight_range=NARROW_RANGE, seed=seed,
    )  # fmt: skip
    check_reference(module, "depthwise_conv2d", seed, features=features)


@pytest.mark.parametrize("features", FEATURES)
@settings(max_examples=16)
@given(
    st.sampled_from([(1, 1), (1, 7), (1, 60), (3, 16), (2, 37), (1, 2, 3, 5)]),
    st.sampled_from([1, 3, 8]),
    st.booleans(),
    ZERO_POINTS,
    st.integers(0, 99),
)
def test_dense(
    features: Features, shape: Shape, outputs: int, per_channel: bool, zero_point: int, seed: int
) -> None:
    module = dense_module(
        shape, outputs, per_channel=per_channel, zero_points=(zero_point, 4), weight_range=NARROW_RANGE,
        seed=seed,
    )  # fmt: skip
    check_narrow(module, "dense", features, seed)
