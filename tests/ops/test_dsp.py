"""Kernels for the DSP extension: chosen where they are right, and right on the cores that have it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax

import tinycc
from tests.ops.test_conv2d import conv2d_module
from tests.ops.test_dense import dense_module
from tests.ops.test_depthwise_conv2d import depthwise_module
from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized, views_in
from tests.tools.layers import check_distance, check_reference, inputs_of, random_inputs
from tests.tools.view_reference import reference_of
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.dsp_layer import DspLayer
from tinycc.ops.dsp_linear import Wide
from tinycc.passes import select_kernels
from tinycc.passes.pipeline import default_passes
from tinycc.run import run

DSP = ("dsp",)
# As if wide weights were a feature of a core.
WIDE = ("dsp", "dsp_wide")
SAME = {"padding": [1, 1, 1, 1]}


def relu(value: relax.Expr) -> relax.Expr:
    return relax.op.nn.relu(value)


# Odd channels, one channel, width 1, windows wider than the row, rows that are no whole words, clamps.
LAYERS = {
    "pointwise": conv2d_module((3, 5), (1, 1), (7, 5), {}),
    "pointwise of many channels": conv2d_module((3, 3), (1, 1), (150, 4), {}),
    "pointwise with a clamp": conv2d_module((4, 4), (1, 1), (16, 8), {}, activation=relu),
    "pointwise of the whole range": conv2d_module(
        (4, 4), (1, 1), (68, 9), {}, activation=relu, zero_points=(-128, -128)
    ),
    "pointwise of an even number of outputs": conv2d_module((3, 3), (1, 1), (36, 6), {}),
    "pointwise of the positive range": conv2d_module(
        (3, 3), (1, 1), (20, 4), {}, activation=relu, zero_points=(-128, -128)
    ),
    "pointwise of one pixel": conv2d_module((1, 1), (1, 1), (13, 6), {}),
    "3x3 of three channels": conv2d_module((7, 8), (3, 3), (3, 8), {**SAME, "strides": (2, 2)}),
    "3x3 of four channels": conv2d_module((5, 5), (3, 3), (4, 6), SAME),
    "3x3 of many channels": conv2d_module((3, 3), (3, 3), (20, 3), SAME),
    "dilated": conv2d_module((7, 9), (2, 3), (4, 4), {"dilation": (2, 3)}),
    "10x4": conv2d_module((13, 8), (10, 4), (1, 4), {"padding": [4, 1, 5, 2], "strides": (2, 2)}),
    "wider than the row": conv2d_module((4, 2), (3, 5), (2, 3), {"padding": [1, 2, 1, 2]}),
    "dense": dense_module((1, 37), 11),
    "dense of large sums": dense_module((1, 1403), 6),
    "dense of vectors": dense_module((3, 16), 8),
    "depthwise 3x3": depthwise_module((6, 9), (3, 3), 5, SAME),
    "depthwise 3x3 with stride 2": depthwise_module((7, 10), (3, 3), 3, {**SAME, "strides": (2, 2)}),
    "depthwise 5x5": depthwise_module((4, 11), (5, 5), 3, {"padding": [2, 2, 2, 2]}),
    "depthwise 7x7": depthwise_module((3, 3), (7, 7), 300, {"padding": [3, 3, 3, 3]}),
    "depthwise 2x4": depthwise_module((3, 1), (2, 4), 2, {"padding": [1, 2, 1, 2]}),
    "depthwise of a long row": depthwise_module((2, 150), (3, 3), 2, SAME),
    "depthwise with a clamp": depthwise_module((5, 6), (3, 3), 4, SAME, activation=relu),
    "depthwise of the whole range": depthwise_module(
        (5, 6), (3, 3), 4, SAME, activation=relu, zero_points=(-128, -128)
    ),
}  # fmt: skip


# Layers that are products with a matrix, of which there are wide ones.
MATRICES = [layer for layer in LAYERS if not layer.startswith("depthwise")]


@pytest.fixture(autouse=True, scope="module")
def first_preference() -> Iterator[None]:
    """Small operators run by DSP kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        patch.setattr(Wide, "needs", "dsp_wide")
        patch.setattr(Wide, "trade", None)
        yield


@pytest.mark.parametrize(
    ("layer", "features"), [*((layer, DSP) for layer in LAYERS), *((layer, WIDE) for layer in MATRICES)]
)
def test_on_the_host(layer: str, features: tuple[str, ...]) -> None:
    [view] = views_in(LAYERS[layer], features)
    assert view.variant == features[-1]
    check_reference(LAYERS[layer], view.kind, features=features)


@pytest.mark.emulator
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7", "cortex-m33"])
@pytest.mark.parametrize("features", [DSP, WIDE])
def test_on_a_core(
    core: str, features: tuple[str, ...], tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    layers = [(layer, LAYERS[layer]) for layer in (LAYERS if features == DSP else MATRICES)]
    for index, (layer, module) in enumerate(layers if core == "cortex-m4" else layers[::5]):
        [view] = views_in(module, features)
        [values] = inputs_of(view, index)
        passes = default_passes("float", features=features)
        tinycc.compile(module, target=core, passes=passes).export(tmp_path / str(index))
        result = run(tmp_path / str(index), core, [values[None]])
        np.testing.assert_array_equal(
            result.outputs[0].reshape(-1), reference_of(view, [values]).reshape(-1), layer
        )


@pytest.mark.emulator
@pytest.mark.parametrize("features", [DSP, WIDE])
def test_any_number_of_words(
    features: tuple[str, ...], tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    """Turns of four and of eight words begin anywhere, in both modes that go by pairs of pixels."""
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    counts = [4 * words for words in range(1, 10)] * 2
    shapes = [((1, 3, 2, count), "int8") for count in counts]

    def body(*inputs: relax.Expr) -> list[relax.Expr]:
        products = [
            relax.op.nn.conv2d(
                dequantized(x, 0.1, -3), dequantized(weights_of(count, 2, 5), 0.1), data_layout="NHWC",
                kernel_layout="HWIO",
            )
            for x, count in zip(inputs, counts, strict=True)
        ]  # fmt: skip
        half = len(products) // 2
        full = [quantized(product, 3.0, 5) for product in products[:half]]
        return full + [quantized(relax.op.nn.relu(product), 3.0, -128) for product in products[half:]]

    module, inputs = module_of(shapes, body), random_inputs(shapes, 0)
    passes = default_passes("float", features=features)
    model = tinycc.compile(module, target="cortex-m4", passes=passes)
    assert {step.operator.variant for step in model.plan.steps} == {features[-1]}
    model.export(tmp_path / "model")
    results = run(tmp_path / "model", "cortex-m4", [values[None] for values in inputs]).outputs
    for result, expected in zip(results, compile_and_run(module, inputs, features=features), strict=True):
        np.testing.assert_array_equal(result[0], expected)


@pytest.mark.parametrize("layer", MATRICES)
def test_wide_weights_need_no_memory(layer: str) -> None:
    [narrow], [wide] = (views_in(LAYERS[layer], features) for features in (DSP, WIDE))
    assert wide.scratch_bytes == narrow.scratch_bytes
    assert wide.overlap_distance(0) == narrow.overlap_distance(0)
    assert narrow.call().data_bytes < wide.call().data_bytes < 2 * narrow.call().data_bytes


@pytest.mark.parametrize("layer", ["pointwise", "3x3 of four channels", "dense", "dense of vectors"])
def test_wide_weights_in_place(layer: str) -> None:
    check_distance(LAYERS[layer], is_tight=False, features=WIDE)


def convolution(weights: np.ndarray, scale: float, bias: np.ndarray, zero_point: int = 0) -> tvm.IRModule:
    """1x1, of pixels with scale 1."""

    def body(x: relax.Expr) -> relax.Expr:
        product = relax.op.nn.conv2d(
            dequantized(x, 1.0, -3), dequantized(weights, 1.0, zero_point), data_layout="NHWC",
            kernel_layout="HWIO",
        )  # fmt: skip
        return quantized(relax.op.add(product, dequantized(bias, 1.0)), scale, 5)

    return module_of([((1, 5, 5, weights.shape[2]), "int8")], body)


def weights_of(inputs: int, outputs: int, value: int = 127) -> np.ndarray:
    return np.full((1, 1, inputs, outputs), value, np.int8)


def test_sums_beyond_24_bits_stay_portable() -> None:
    module = convolution(weights_of(600, 2), 2.0**16, np.zeros(2, np.int32))
    [view] = views_in(module, DSP)
    assert view.variant == "portable"
    check_reference(module, "conv2d", features=DSP)


def test_a_channel_whose_output_never_changes_does_not_count() -> None:
    """Its bias alone has more than 24 bits; the weights move the output by less than a step."""
    bias = np.array([2**30, 3], np.int32)
    module = convolution(weights_of(8, 2), 2.0**25, bias)
    assert check_reference(module, "conv2d", features=DSP).variant == "dsp"


@pytest.mark.parametrize("scale", [1.0, 1.7, 0.9])
def test_factors_around_one(scale: float) -> None:
    """Where nothing is shifted out there is nothing to round; a shift to the left is left to others."""
    module = convolution(weights_of(3, 2, 1), scale, np.array([-7, 9], np.int32))
    view = check_reference(module, "conv2d", features=DSP)
    assert (view.variant == "dsp") == (scale > 1)


@pytest.mark.parametrize(("zero_point", "variant"), [(1, "dsp"), (-1, "portable")])
def test_weights_with_a_zero_point(zero_point: int, variant: str) -> None:
    """Right as long as they fit eight bits without it."""
    module = convolution(weights_of(6, 3, 127), 300.0, np.zeros(3, np.int32), zero_point)
    assert check_reference(module, "conv2d", features=DSP).variant == variant


def test_weights_of_minus_128_stay_portable() -> None:
    module = convolution(weights_of(6, 3, -128), 300.0, np.zeros(3, np.int32))
    assert check_reference(module, "conv2d", features=DSP).variant == "portable"


def test_a_step_between_two_outputs_is_found_again() -> None:
    """A channel whose sums have more than 24 bits, but only two outputs."""
    bias = np.array([26_738_000, -26_738_000], np.int32)
    module = convolution(weights_of(4, 2), 2.0**20, bias)
    assert check_reference(module, "conv2d", features=DSP).variant == "dsp"


# Height and width of the kernel, groups, outputs, of which there are pairs or one more.
OF_LARGE_BIAS = [(1, 1, 6), (1, 1, 3), (3, 1, 3), (3, 3, 3), (5, 3, 3)]


def large_bias_module(kernel: int, groups: int, outputs: int) -> tvm.IRModule:
    """Channels whose sums begin next to the greatest and the least int32, and may go past it."""
    weights = np.arange(kernel * kernel * (3 // groups) * outputs) * 37 % 255 - 127
    bias = np.resize([2**31 - 90, 3, -(2**31) + 1200], outputs).astype(np.int32)

    def body(x: relax.Expr) -> relax.Expr:
        product = relax.op.nn.conv2d(
            dequantized(x, 1.0, -3),
            dequantized(weights.reshape(kernel, kernel, 3 // groups, outputs).astype(np.int8), 1.0),
            data_layout="NHWC", kernel_layout="HWIO", groups=groups, padding=[kernel // 2] * 4,
        )  # fmt: skip
        return quantized(relax.op.add(product, dequantized(bias, 1.0)), 2.0**25, 5)

    return module_of([((1, 5, 7, 3), "int8")], body)


@pytest.mark.parametrize(("kernel", "groups", "outputs"), OF_LARGE_BIAS)
def test_a_large_bias_stays_apart(kernel: int, groups: int, outputs: int) -> None:
    module = large_bias_module(kernel, groups, outputs)
    [view] = views_in(module, DSP)
    assert view.variant == "dsp"
    check_reference(module, view.kind, features=DSP)


@pytest.mark.emulator
def test_a_large_bias_on_a_core(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    for kernel, groups, outputs in OF_LARGE_BIAS[1:]:
        module = large_bias_module(kernel, groups, outputs)
        [view], folder = views_in(module, DSP), tmp_path / f"{kernel}_{groups}"
        [values] = inputs_of(view, 0)
        passes = default_passes("float", features=DSP)
        tinycc.compile(module, target="cortex-m4", passes=passes).export(folder)
        result = run(folder, "cortex-m4", [values[None]])
        np.testing.assert_array_equal(
            result.outputs[0].reshape(-1), reference_of(view, [values]).reshape(-1), folder.name
        )


@pytest.mark.parametrize("kernel", [3, 5])
def test_depthwise_channels_of_constant_output(kernel: int) -> None:
    weights = np.full((kernel, kernel, 1, 3), 5, np.int8)
    bias = np.array([2**21, 3, -(2**22)], np.int32)

    def body(x: relax.Expr) -> relax.Expr:
        product = relax.op.nn.conv2d(
            dequantized(x, 1.0, -3), dequantized(weights, 1.0), data_layout="NHWC", kernel_layout="HWIO",
            groups=3, padding=[kernel // 2] * 4,
        )  # fmt: skip
        return quantized(relax.op.add(product, dequantized(bias, 1.0)), 2.0**10, 5)

    module = module_of([((1, 6, 7, 3), "int8")], body)
    [view] = views_in(module, DSP)
    assert isinstance(view, DepthwiseConv2D) and view.variant == "dsp"
    constant = DspLayer.of(view).is_constant
    assert constant.any() and not constant.all()
    check_reference(module, "depthwise_conv2d", features=DSP)


SCALES = [(0.05, 0.05, 0.1), (0.05, 0.031, 0.07), (0.004, 0.3, 0.31), (0.02, 0.019, 0.02)]


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("zero_points", [(-128, 3, -128), (7, -128, -5)])
@pytest.mark.parametrize("activation", [relu, lambda value: value])
def test_all_sums_of_two_elements(
    scales: tuple[float, float, float],
    zero_points: tuple[int, int, int],
    activation: Callable[[relax.Expr], relax.Expr],
) -> None:
    def body(a: relax.Expr, b: relax.Expr) -> relax.Expr:
        value = relax.op.add(
            dequantized(a, scales[0], zero_points[0]), dequantized(b, scales[1], zero_points[1])
        )
        return quantized(activation(value), scales[2], zero_points[2])

    module = module_of([((1, 256, 256), "int8")] * 2, body)
    [view] = views_in(module, DSP)
    assert view.variant == "dsp"
    a, b = (axis.astype(np.int8) for axis in np.mgrid[-128:128, -128:128])
    [result] = compile_and_run(module, [a[None], b[None]], features=DSP)
    np.testing.assert_array_equal(result, reference_of(view, [a, b]))


@pytest.mark.parametrize("index", [0, 1])
def test_sums_in_place(index: int) -> None:
    def body(a: relax.Expr, b: relax.Expr) -> relax.Expr:
        return quantized(relax.op.add(dequantized(a, 0.1, 3), dequantized(b, 0.2, -3)), 0.3, 1)

    check_distance(module_of([((1, 2, 3, 5), "int8")] * 2, body), index, features=DSP)
