"""Kernels for Helium: their plain C on the host, their vector instructions on an emulated Cortex-M55."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.ops.test_conv2d import Attributes, conv2d_module
from tests.ops.test_dense import dense_module
from tests.ops.test_depthwise_conv2d import depthwise_module
from tests.ops.test_elementwise import binary_module, quantization
from tests.ops.test_pool2d import average_module, inside, maximum_module
from tests.tools.kernel_runner import views_in
from tests.tools.layers import ZERO_POINTS, Shape, check_distance, check_reference, windows
from tests.tools.on_helium import check_on_helium
from tinycc.ops.conv2d.view import Conv2D
from tinycc.passes import select_kernels

HELIUM = ("helium",)
ACTIVATIONS = st.sampled_from([None, relax.op.nn.relu])
SAME = {"padding": [1, 1, 1, 1]}
HALVED = {"padding": [0, 0, 1, 1], "strides": (2, 2)}


@pytest.fixture(autouse=True, scope="module")
def first_preference() -> Iterator[None]:
    """Small operators run by Helium kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


def check(module: tvm.IRModule, kind: str, seed: int = 0) -> None:
    """Assert that the operator has a Helium kernel, which computes what the reference does."""
    assert check_reference(module, kind, seed, features=HELIUM).variant == "helium"


@settings(max_examples=8)
@given(
    st.integers(1, 3),
    st.sampled_from([1, 5, 8, 12, 16, 23, 24, 32, 40, 48, 64, 72, 100]),
    st.sampled_from([1, 3, 4, 5, 8, 10, 16, 23]),
    ACTIVATIONS,
    ZERO_POINTS,
    st.integers(0, 99),
)
def test_dense(
    vectors: int, inputs: int, outputs: int, activation: object, zero_point: int, seed: int
) -> None:
    module = dense_module(
        (vectors, inputs), outputs, zero_points=(zero_point, 4), activation=activation, seed=seed
    )
    check(module, "dense", seed)


@settings(max_examples=8)
@given(
    windows(),
    st.sampled_from([(1, 1), (3, 5), (4, 8), (8, 2), (17, 12)]),
    ACTIVATIONS,
    ZERO_POINTS,
    st.integers(0, 99),
)
def test_conv2d(
    window: tuple[Shape, Shape, Attributes],
    channels: tuple[int, int],
    activation: object,
    zero_point: int,
    seed: int,
) -> None:
    image, kernel, attributes = window
    more = {"zero_points": (zero_point, -5), "activation": activation, "seed": seed}
    check(conv2d_module(image, kernel, channels, attributes, **more), "conv2d", seed)


@settings(max_examples=10)
@given(
    windows(),
    st.sampled_from([2, 3, 4, 8, 16, 21, 24, 40]),
    ACTIVATIONS,
    ZERO_POINTS,
    st.integers(0, 99),
)
def test_depthwise_conv2d(
    window: tuple[Shape, Shape, Attributes], channels: int, activation: object, zero_point: int, seed: int
) -> None:
    image, kernel, attributes = window
    more = {"zero_points": (zero_point, 7), "activation": activation, "seed": seed}
    check(depthwise_module(image, kernel, channels, attributes, **more), "depthwise_conv2d", seed)


@pytest.mark.parametrize("channels", [8, 24])
def test_depthwise_conv2d_of_other_sizes(channels: int) -> None:
    check(depthwise_module((9, 8), (7, 7), channels, {"padding": [3, 3, 3, 3]}), "depthwise_conv2d")
    check(depthwise_module((6, 9), (3, 3), channels, HALVED), "depthwise_conv2d")
    check(depthwise_module((6, 9), (3, 3), channels, SAME), "depthwise_conv2d")


def sum_module(name: str, scales: tuple[float, float], zero_point: int, elements: int = 45) -> tvm.IRModule:
    """Inputs with these scales; the output's zero point is given."""
    quantizations = (
        quantization(scales[0], -3),
        quantization(scales[1], 127),
        quantization(0.31, zero_point),
    )
    return binary_module(name, ((1, elements), (1, elements)), quantizations)


@settings(max_examples=6)
@given(
    st.sampled_from(["add", "subtract"]),
    st.sampled_from([(0.05, 0.05), (0.05, 0.31), (0.31, 0.007)]),
    ZERO_POINTS,
    st.sampled_from([1, 8, 45]),
)
def test_sums(name: str, scales: tuple[float, float], zero_point: int, elements: int) -> None:
    check(sum_module(name, scales, zero_point, elements), "add")


@settings(max_examples=6)
@given(windows(), st.sampled_from([(0.05, 0.05), (0.05, 0.08)]), ZERO_POINTS, st.sampled_from([3, 8, 21]))
def test_averages(
    window: tuple[Shape, Shape, Attributes], scales: tuple[float, float], zero_point: int, channels: int
) -> None:
    check(average_module(*inside(window), scales, (zero_point, zero_point), channels), "average_pool2d")


@settings(max_examples=6)
@given(windows(), st.sampled_from([3, 16, 21]))
def test_maxima(window: tuple[Shape, Shape, Attributes], channels: int) -> None:
    check(maximum_module(*inside(window), channels=channels), "max_pool2d")


@pytest.mark.parametrize("channels", [3, 40])
def test_overlap_distance_of_pooling(channels: int) -> None:
    attributes = {"strides": (2, 1), "padding": [1, 1, 0, 1]}
    window = ((5, 7), (3, 2), attributes)
    check_distance(maximum_module(*window, channels=channels), is_tight=False, features=HELIUM)
    averages = average_module(*window, (0.05, 0.05), (3, 3), channels)
    check_distance(averages, is_tight=False, features=HELIUM)


@pytest.mark.parametrize("index", [0, 1])
def test_overlap_distance_of_sums(index: int) -> None:
    check_distance(sum_module("add", (0.05, 0.31), 3), index, features=HELIUM)


@pytest.mark.parametrize(("shape", "outputs"), [((1, 8), 3), ((3, 3), 8), ((4, 16), 3), ((5, 3), 16)])
def test_overlap_distance_of_dense(shape: Shape, outputs: int) -> None:
    check_distance(dense_module(shape, outputs), is_tight=False, features=HELIUM)


@pytest.mark.parametrize(
    ("image", "kernel", "channels", "attributes"),
    [
        ((4, 5), (1, 1), (16, 3), {}),
        ((4, 5), (1, 1), (3, 16), {}),
        ((6, 5), (3, 3), (3, 4), SAME),
        ((7, 7), (3, 3), (2, 4), HALVED),
        ((5, 6), (2, 3), (3, 20), {"dilation": (2, 1)}),
    ],
)
def test_overlap_distance_of_conv2d(
    image: Shape, kernel: Shape, channels: tuple[int, int], attributes: Attributes
) -> None:
    check_distance(conv2d_module(image, kernel, channels, attributes), is_tight=False, features=HELIUM)


@pytest.mark.parametrize(
    ("image", "kernel", "channels", "attributes"),
    [
        ((6, 5), (3, 3), 16, SAME),
        ((6, 5), (3, 3), 40, SAME),
        ((6, 9), (3, 3), 8, SAME),
        ((7, 7), (3, 3), 20, HALVED),
        ((6, 6), (5, 5), 4, {"padding": [2, 2, 2, 2]}),
    ],
)
def test_overlap_distance_of_depthwise_conv2d(
    image: Shape, kernel: Shape, channels: int, attributes: Attributes
) -> None:
    check_distance(depthwise_module(image, kernel, channels, attributes), is_tight=False, features=HELIUM)


def test_a_channel_with_a_large_bias_that_is_constant_becomes_a_small_one() -> None:
    [view] = views_in(conv2d_module((3, 3), (1, 1), (8, 8), {}), HELIUM)
    assert isinstance(view, Conv2D)
    bias = view.requantized.bias.copy()
    bias[3], bias[5] = 2**30, -(2**30)
    edited = replace(view, arithmetic=replace(view.requantized, bias=bias))
    assert edited.kernel.name == "helium"


def test_weights_with_a_zero_point_have_no_kernel() -> None:
    [view] = views_in(conv2d_module((3, 3), (1, 1), (8, 8), {}))
    assert isinstance(view, Conv2D)
    arithmetic = replace(view.requantized, weight_zero_points=np.ones(8, np.int64))
    assert [kernel.name for kernel in replace(view, arithmetic=arithmetic).offered(HELIUM)] == ["portable"]


PADDED = {"padding": [2, 2, 2, 2]}
RELU = relax.op.nn.relu
MODULES: dict[str, Callable[[], tvm.IRModule]] = {
    "one input": partial(dense_module, (1, 1), 1),
    "rest of inputs and outputs": partial(dense_module, (2, 21), 7),
    "8 inputs": partial(dense_module, (3, 8), 16),
    "24 inputs": partial(dense_module, (2, 24), 8),
    "64 inputs": partial(dense_module, (3, 64), 10),
    "many inputs": partial(dense_module, (3, 157), 9),
    "first layer": partial(conv2d_module, (9, 9), (3, 3), (3, 16), HALVED, activation=RELU),
    "window wider than the row": partial(conv2d_module, (4, 1), (3, 5), (5, 6), {"padding": [1, 2, 1, 2]}),
    "large window": partial(conv2d_module, (5, 5), (3, 3), (40, 9), SAME),
    "dilation": partial(conv2d_module, (8, 8), (3, 3), (3, 5), {"dilation": (2, 2), **PADDED}),
    "depthwise of 8": partial(depthwise_module, (9, 7), (3, 3), 8, SAME, activation=RELU),
    "depthwise of 40": partial(depthwise_module, (9, 7), (3, 3), 40, HALVED),
    "depthwise 5x5 of 16": partial(depthwise_module, (6, 7), (5, 5), 16, PADDED),
    "averages of 11": partial(
        average_module, (7, 6), (3, 2), {"padding": [1, 1, 1, 1]}, (0.05, 0.08), (3, -9), 11
    ),
    "maxima of 21": partial(maximum_module, (7, 6), (3, 2), {"padding": [1, 1, 1, 1]}, channels=21),
    "sum": partial(sum_module, "add", (0.05, 0.31), -128),
    "difference": partial(sum_module, "subtract", (0.31, 0.05), 4),
    "depthwise 4x1 of 3": partial(depthwise_module, (6, 1), (4, 1), 3, {}),
}


@pytest.mark.emulator
@pytest.mark.parametrize("name", MODULES)
def test_vector_instructions(name: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    check_on_helium(MODULES[name](), "helium", tmp_path / "out")
