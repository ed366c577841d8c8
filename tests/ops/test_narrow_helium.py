"""Helium kernels for weights of four bits: plain C on the host, vector instructions on an emulated core."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ops.test_conv2d import Attributes, conv2d_module
from tests.ops.test_dense import dense_module
from tests.ops.test_depthwise_conv2d import depthwise_module
from tests.tools.kernel_runner import views_in
from tests.tools.layers import Shape, check_distance, check_reference, windows
from tests.tools.on_helium import check_on_helium
from tinycc.ops.helium_linear import NarrowHelium
from tinycc.ops.narrow import NARROW_RANGE
from tinycc.passes import narrow_weights, select_kernels

HELIUM = ("helium",)
SAME = {"padding": [1, 1, 1, 1]}
HALVED = {"padding": [0, 0, 1, 1], "strides": (2, 2)}

dense = partial(dense_module, weight_range=NARROW_RANGE)
conv2d = partial(conv2d_module, weight_range=NARROW_RANGE)
depthwise = partial(depthwise_module, weight_range=NARROW_RANGE)


@pytest.fixture(autouse=True, scope="module")
def every_layer() -> Iterator[None]:
    """Layers of few weights have such kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(narrow_weights, "LEAST_WEIGHTS", 0)
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


def check(module: tvm.IRModule, kind: str, seed: int) -> None:
    """Assert that the layer has a kernel for weights of four bits, which computes what the reference does."""
    assert check_reference(module, kind, seed, features=HELIUM).variant == "helium_narrow"


@settings(max_examples=4)
@given(
    st.integers(1, 3),
    st.sampled_from([1, 5, 8, 16, 23, 24, 40, 64, 100]),
    st.sampled_from([1, 4, 8, 10, 23]),
    st.integers(0, 99),
)
def test_dense(vectors: int, inputs: int, outputs: int, seed: int) -> None:
    check(dense((vectors, inputs), outputs, seed=seed), "dense", seed)


@settings(max_examples=4)
@given(windows(), st.sampled_from([(1, 1), (3, 5), (4, 8), (17, 12)]), st.integers(0, 99))
def test_conv2d(window: tuple[Shape, Shape, Attributes], channels: tuple[int, int], seed: int) -> None:
    image, kernel, attributes = window
    check(conv2d(image, kernel, channels, attributes, seed=seed), "conv2d", seed)


@settings(max_examples=4)
@given(windows(), st.sampled_from([2, 3, 8, 16, 21, 40]), st.integers(0, 99))
def test_depthwise_conv2d(window: tuple[Shape, Shape, Attributes], channels: int, seed: int) -> None:
    image, kernel, attributes = window
    check(depthwise(image, kernel, channels, attributes, seed=seed), "depthwise_conv2d", seed)


def test_outputs_overlap_inputs_as_with_weights_of_eight_bits() -> None:
    check_distance(depthwise((6, 5), (3, 3), 16, SAME), is_tight=False, features=HELIUM)


def test_groups_leave_a_convolution_to_another_kernel() -> None:
    [view] = views_in(conv2d((4, 4), (3, 3), (4, 6), SAME, 2), HELIUM)
    assert view.variant == "portable_narrow"


def test_sums_that_may_leave_32_bits_when_shifted_have_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinycc.ops.helium_linear._TOO_MANY_TAPS", 64)
    [at_most, too_many] = [views_in(dense((1, inputs), 4), HELIUM)[0] for inputs in (63, 64)]
    assert isinstance(at_most.kernel, NarrowHelium)
    assert too_many.variant == "helium"


MODULES: dict[str, Callable[[], tvm.IRModule]] = {
    "rest of inputs and outputs": partial(dense, (2, 21), 7),
    "8 inputs": partial(dense, (3, 8), 16),
    "64 inputs": partial(dense, (3, 64), 10),
    "many inputs": partial(dense, (1, 189), 9),
    "window": partial(conv2d, (7, 5), (3, 3), (5, 9), HALVED),
    "depthwise of 3": partial(depthwise, (6, 1), (4, 1), 3, {}),
    "depthwise 3x3 of 8": partial(depthwise, (9, 7), (3, 3), 8, SAME),
    "depthwise 3x3 of 40": partial(depthwise, (9, 7), (3, 3), 40, HALVED),
    "depthwise of more taps than 16 bits hold": partial(depthwise, (8, 7), (7, 7), 16, {"padding": [3] * 4}),
}


@pytest.mark.emulator
@pytest.mark.parametrize("name", MODULES)
def test_vector_instructions(name: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    check_on_helium(MODULES[name](), "helium_narrow", tmp_path / "out")
