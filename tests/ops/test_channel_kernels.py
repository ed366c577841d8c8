"""Pooling and sums of several channels in a register, for the DSP extension and Helium: host and cores."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

import tinycc
from tests.ops.test_pool2d import Attributes, average_module, inside, maximum_module
from tests.ops.test_reduce import reduce_module
from tests.tools.kernel_runner import dequantized, module_of, quantized, views_in
from tests.tools.layers import ZERO_POINTS, Shape, check_distance, check_reference, inputs_of, windows
from tests.tools.view_reference import reference_of
from tinycc.codegen.folder import KERNELS
from tinycc.passes import select_kernels
from tinycc.run import run
from tinycc.run.host import SANITIZERS
from tinycc.run.toolchain import host_compiler

FEATURES = ("dsp", "helium")
CORES = {"cortex-m4": "dsp", "cortex-m7": "dsp", "cortex-m33": "dsp", "cortex-m55": "helium"}
SAME = (0.05, 0.05), (3, 3)
RESCALED = (0.05, 0.08), (3, -9)
AROUND = {"padding": [1, 1, 1, 1]}

# Odd channels, one channel, width 1, windows wider than the row, rows at odd addresses, padding on all sides.
LAYERS = {
    "averages 2x2 of 24": average_module((6, 8), (2, 2), {"strides": (2, 2)}, *SAME, 24),
    "averages of 11": average_module((7, 6), (3, 2), AROUND, *RESCALED, 11),
    "averages of one channel": average_module((5, 7), (3, 3), AROUND, *SAME, 1),
    "averages of all pixels": average_module((16, 16), (16, 16), {}, *SAME, 7),
    "averages of a column": average_module((9, 1), (4, 1), {"strides": (3, 1)}, *SAME, 5),
    "averages wider than the row": average_module((4, 2), (2, 5), {"padding": [1, 2, 1, 2]}, *SAME, 10),
    "maxima 2x2 of 16": maximum_module((6, 8), (2, 2), {"strides": (2, 2)}, channels=16),
    "maxima of 21": maximum_module((7, 6), (3, 2), AROUND, channels=21),
    "maxima of two channels": maximum_module((5, 5), (3, 3), {"padding": [0, 1, 2, 2]}, channels=2),
    "maxima of a column": maximum_module((9, 1), (3, 1), {"strides": (3, 1)}, channels=6),
    "maxima wider than the row": maximum_module((4, 2), (2, 5), {"padding": [1, 2, 1, 2]}, channels=5),
    "mean of pixels": reduce_module((1, 3, 7, 21), (1, 2), True, (3, -5), 0.05),
    "mean of pixels to a smaller scale": reduce_module((1, 3, 7, 21), (1, 2), True, (3, -5), 0.01),
    "mean of two pixels": reduce_module((1, 3, 2, 9), (2,), True, (-128, 127), 0.05),
    "sum of many pixels": reduce_module((1, 20, 15, 10), (1, 2), False, (0, 4), 7.0),
    "mean of rows": reduce_module((1, 5, 3, 4), (1,), True, (7, 7), 0.06),
    "mean of channels": reduce_module((1, 3, 4, 37), (3,), True, (5, 3), 0.02),
    "sum of columns and channels": reduce_module((1, 4, 3, 11), (2, 3), False, (-3, 0), 0.3),
    "mean of a large tensor": reduce_module((1, 40, 40, 1), (1, 2, 3), True, (-1, 0), 0.01),
    "maxima with gaps": maximum_module(
        (8, 9), (2, 3), {"dilation": (3, 2), "padding": [0, 2, 0, 2]}, channels=9
    ),
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def first_preference() -> Iterator[None]:
    """Small operators run by these kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("layer", LAYERS)
def test_on_the_host(layer: str, feature: str) -> None:
    [view] = views_in(LAYERS[layer])
    assert check_reference(LAYERS[layer], view.kind, features=(feature,)).variant == feature


@settings(max_examples=6)
@given(windows(), st.sampled_from([SAME, RESCALED]), st.integers(1, 9))
def test_averages(
    window: tuple[Shape, Shape, Attributes],
    quantization: tuple[tuple[float, float], tuple[int, int]],
    channels: int,
) -> None:
    module = average_module(*inside(window), *quantization, channels)
    check_reference(module, "average_pool2d", features=("dsp",))


@settings(max_examples=6)
@given(windows(), st.integers(1, 9))
def test_maxima(window: tuple[Shape, Shape, Attributes], channels: int) -> None:
    check_reference(maximum_module(*window, channels=channels), "max_pool2d", features=("dsp",))


@pytest.mark.parametrize("feature", FEATURES)
def test_averages_with_a_clamp(feature: str) -> None:
    def body(x: relax.Expr) -> relax.Expr:
        mean = relax.op.nn.avg_pool2d(dequantized(x, 0.05, 3), (2, 2), layout="NHWC", strides=(2, 2))
        return quantized(relax.op.clip(mean, -0.1, 0.2), 0.05, 3)

    check_reference(module_of([((1, 8, 8, 9), "int8")], body), "average_pool2d", features=(feature,))


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("channels", [1, 3, 8, 21])
@pytest.mark.parametrize(
    ("image", "kernel", "attributes"),
    [
        ((6, 5), (2, 2), {"strides": (2, 2)}),
        ((6, 5), (3, 3), AROUND),
        ((5, 7), (3, 2), {"strides": (2, 1), "padding": [1, 1, 0, 1]}),
    ],
)
def test_overlap_distance(
    image: Shape, kernel: Shape, attributes: Attributes, channels: int, feature: str
) -> None:
    maxima = maximum_module(image, kernel, attributes, channels=channels)
    averages = average_module(image, kernel, attributes, *SAME, channels)
    # Windows side by side: the first write may be later than what is promised.
    is_tight = "padding" in attributes
    check_distance(maxima, is_tight=is_tight, features=(feature,))
    check_distance(averages, is_tight=is_tight, features=(feature,))


@settings(max_examples=10)
@given(
    st.sampled_from([(1, 4, 5, 12), (1, 1, 9, 8), (1, 16, 17, 9)]),
    st.sampled_from([(1, 2), (1,), (2,), (3,), (2, 3), (1, 2, 3)]),
    st.booleans(),
    ZERO_POINTS,
    st.sampled_from([0.02, 0.05, 1.0]),
    st.sampled_from(FEATURES),
)
def test_means_and_sums(shape: Shape, axes: Shape, mean: bool, zero: int, scale: float, feature: str) -> None:
    check_reference(reduce_module(shape, axes, mean, (zero, 4), scale), "reduce", features=(feature,))


_MEANS = """
#include <stdio.h>
#include "dsp/dsp_channels.h"
#include "helium/helium_channels.h"
#include "portable/pool2d.h"

int main(void)
{
    const tinycc_pool2d_shape shape = {0};
    const tinycc_pool2d_data data = {0};
    for (int32_t count = 1; count <= 256; ++count) {
        for (int32_t sum = -128 * count; sum <= 127 * count; ++sum) {
            const uint32_t half = (uint32_t)sum & 0xFFFFU;
            const tinycc_dsp_sums pairs = {half << 16 | (half ^ 1U), half};
            const uint32_t means = tinycc_dsp_means(pairs, tinycc_channel_reciprocal(count));
            tinycc_helium_sums sums = tinycc_helium_sums_none();
            sums.lane[0] = (int16_t)sum;
            int8_t lanes[8];
            tinycc_store_means(lanes, sums, tinycc_channel_reciprocal(count), 8);
            const int32_t expected = tinycc_pool2d_mean(sum, count, &shape, &data);
            if ((int8_t)(means >> 16 & 0xFFU) != expected || (int8_t)(means >> 8 & 0xFFU) != expected ||
                lanes[0] != expected) {
                printf("%d / %d\\n", (int)sum, (int)count);
                return 1;
            }
        }
    }
    return 0;
}
"""


def test_means_of_all_sums(tmp_path: Path) -> None:
    """Halves away from zero, as a division has them."""
    (tmp_path / "means.c").write_text(_MEANS, encoding="utf-8")
    command = [host_compiler(), "-std=c99", *SANITIZERS, f"-I{KERNELS}", "means.c", "-o", "means"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run(["./means"], cwd=tmp_path, capture_output=True, text=True).stdout == ""


@pytest.mark.emulator
@pytest.mark.parametrize("core", CORES)
def test_on_a_core(core: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    for index, (layer, module) in enumerate(LAYERS.items()):
        check_on_core(module, core, tmp_path / str(index), layer)


def check_on_core(module: tvm.IRModule, core: str, folder: Path, name: str) -> None:
    """Assert that an emulated core runs the kernel of its own and gives what the reference does."""
    [view] = views_in(module, (CORES[core],))
    assert view.variant == CORES[core]
    inputs = inputs_of(view, 1)
    tinycc.compile(module, target=core, io="float").export(folder)
    result = run(folder, core, [array[None] for array in inputs])
    assert result.warnings == ""
    expected = reference_of(view, inputs)
    np.testing.assert_array_equal(result.outputs[0].reshape(expected.shape), expected, name)
