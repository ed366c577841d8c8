"""The reference against TFLM's recorded outputs, and its arithmetic against Python's unbounded integers."""

from __future__ import annotations

import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from . import (
    conversion,
    convolution,
    elementwise,
    fixed_point,
    gemmlowp,
    movement,
    pooling,
    recurrent,
    softmax,
)
from .fixed_point import INT8, INT16, Quantization
from .interpreter import Array, Graph, initial_values, read_graph, run_graph, run_tflite

CORPUS = Path(os.environ.get("TINYCC_CORPUS", Path(__file__).resolve().parents[3] / "shared" / "corpus"))
SLOW = os.environ.get("TINYCC_SLOW") == "1"
# Above 40 M multiply-accumulates; run with TINYCC_SLOW=1.
LARGE_MODELS = ("cfu_hps_2022_01_05_89ops", "cfu_presence_20220117")

needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"no model corpus at {CORPUS}; set TINYCC_CORPUS to its folder"
)


def files(pattern: str) -> list[Path]:
    return sorted(CORPUS.glob(pattern))


def golden(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    with np.load(CORPUS / "golden" / f"{path.stem}.npz") as stored:
        return {name: stored[name] for name in stored.files if name != "source"}


def run_case(graph: Graph, recorded: dict[str, Array], case: int) -> tuple[list[Array], dict[int, Array]]:
    inputs = [recorded[f"in{index}"][case] for index in range(len(graph.inputs))]
    return run_graph(graph, inputs, initial_values(graph))


@needs_corpus
@pytest.mark.parametrize(
    "path", files("tflite/int8/*.tflite") + files("tflite/layers/*.tflite"), ids=lambda path: path.stem
)
def test_model_equals_tflm(path: Path) -> None:
    if path.stem in LARGE_MODELS and not SLOW:
        pytest.skip("more than 40 M multiply-accumulates; set TINYCC_SLOW=1")
    recorded, graph = golden(path), read_graph(path)
    for case in range(8) if SLOW else (0, 5):
        outputs, _ = run_case(graph, recorded, case)
        for index, output in enumerate(outputs):
            expected = recorded.get(f"out{index}_tflm", recorded.get(f"out{index}"))
            assert expected is not None
            np.testing.assert_array_equal(output, expected[case].reshape(output.shape), f"case {case}")


@needs_corpus
@pytest.mark.parametrize("path", files("golden_layers/*.npz"), ids=lambda path: path.stem)
def test_every_operator_equals_tflm(path: Path) -> None:
    model = CORPUS / "tflite" / "int8" / f"{path.stem}.tflite"
    if not model.exists():
        pytest.skip("not an int8 model: its signal operators are refused")
    recorded, graph = golden(model), read_graph(model)
    with np.load(path) as layers:
        for case in (0, 5):
            names = [name for name in layers.files if name.startswith(f"i{case}_op")]
            if not names:
                continue
            _, values = run_case(graph, recorded, case)
            for name in names:
                value = values[int(name.rsplit("_t", 1)[1])]
                np.testing.assert_array_equal(value, layers[name].reshape(value.shape), name)


def seanet_arrays(path: Path, graph: Graph) -> tuple[list[Array], Array]:
    def read(pattern: str) -> Array:
        (found,) = path.parent.glob(pattern)
        return np.loadtxt(found, delimiter=",", dtype=np.int64)

    inputs = [read(f"{path.stem}_input{index}_*.csv") for index in range(len(graph.inputs))]
    return inputs, read(f"{path.stem}_golden_*.csv")


@needs_corpus
@pytest.mark.parametrize("path", files("seanet/*/*.tflite"), ids=lambda path: path.stem)
def test_seanet_equals_golden(path: Path) -> None:
    inputs, expected = seanet_arrays(path, read_graph(path))
    output = run_tflite(path, inputs)[0]
    difference = np.abs(output.astype(np.int64) - expected.reshape(output.shape))
    # leaky_relu18 was recorded with multipliers formed in float32, see activation.leaky_relu.
    assert np.count_nonzero(difference) == (path.stem == "leaky_relu18")
    assert difference.max() <= 1


def exact_double_rounding(x: int, multiplier: int, shift: int) -> int:
    """The two roundings in rational arithmetic: halves up, then halves away from zero."""
    high = math.floor(Fraction(x * 2 ** max(shift, 0) * multiplier, 2**31) + Fraction(1, 2))
    low = Fraction(high, 2 ** max(-shift, 0))
    return int(math.copysign(math.floor(abs(low) + Fraction(1, 2)), low))


def test_multiplication_equals_rational_arithmetic() -> None:
    rng = np.random.default_rng(1)
    for shift in range(-31, 8):
        x = rng.integers(-(2**23), 2**23, 200)
        x[:4] = (0, 1, -1, 2**23 - 1)
        multiplier = int(rng.integers(2**30, 2**31))
        result = fixed_point.multiply_by_quantized_multiplier(x, multiplier, shift)
        assert result.tolist() == [exact_double_rounding(int(v), multiplier, shift) for v in x]


def test_wide_multiplication_equals_integer_arithmetic() -> None:
    rng = np.random.default_rng(2)
    for shift in range(-31, 1):
        x = rng.integers(-(2**40), 2**40, 200) if shift < -10 else rng.integers(-(2**29), 2**29, 200)
        for multiplier in (2**30, 0x7FFEFFFF, 0x7FFF0000, 2**31 - 1, int(rng.integers(2**30, 2**31))):
            reduced = min((multiplier + 2**15) >> 16, 0x7FFF)
            expected = [(int(v) * reduced + (1 << (14 - shift))) >> (15 - shift) for v in x]
            assert all(abs(v) < 2**31 for v in expected)
            result = fixed_point.multiply_by_quantized_multiplier_wide(x, multiplier, shift)
            assert result.tolist() == expected


def test_literal_values() -> None:
    assert fixed_point.quantize_multiplier(1.0) == (2**30, 1)
    assert fixed_point.quantize_multiplier(0.5) == (2**30, 0)
    assert fixed_point.quantize_multiplier(0.75) == (3 * 2**29, 0)
    assert fixed_point.quantize_multiplier(1 - 2.0**-40) == (2**30, 1)
    assert fixed_point.quantize_multiplier(2.0**-33) == (0, 0)
    assert fixed_point.quantize_multiplier(0.0) == (0, 0)
    assert fixed_point.rounding_divide_by_pot([5, 6, -5, -6, 7, -7], 2).tolist() == [1, 2, -1, -2, 2, -2]
    lowest = fixed_point.INT32_MIN
    assert fixed_point.saturating_rounding_doubling_high_mul(
        [lowest, 3, -3], [lowest, 2**30, 2**30]
    ).tolist() == [
        fixed_point.INT32_MAX,
        2,
        -1,
    ]


def test_activation_range() -> None:
    output = Quantization(float(np.float32(0.1)), -10)
    ranges = {
        name: fixed_point.activation_range(name, output) for name in ("none", "relu", "relu6", "relu_n1_to_1")
    }
    assert (ranges["none"].low, ranges["none"].high) == (-128, 127)
    assert (ranges["relu"].low, ranges["relu"].high) == (-10, 127)
    assert (ranges["relu6"].low, ranges["relu6"].high) == (-10, 50)
    assert (ranges["relu_n1_to_1"].low, ranges["relu_n1_to_1"].high) == (-20, 0)


def test_same_padding_puts_the_odd_row_after() -> None:
    assert convolution.same_padding(5, 3, 1, 1) == (1, 1)
    assert convolution.same_padding(6, 3, 2, 1) == (0, 1)
    assert convolution.same_padding(5, 1, 2, 1) == (0, 0)
    assert convolution.same_padding(7, 3, 1, 2) == (2, 2)


def naive_convolution(x: Array, w: Array, window: convolution.Window, zero_point: int) -> Array:
    """Accumulators of an ungrouped convolution by four loops of Python integers."""
    (height, width), (outputs, kernel_h, kernel_w, _) = x.shape[1:3], w.shape
    extents = [(kernel_h - 1) * window.dilation[0] + 1, (kernel_w - 1) * window.dilation[1] + 1]
    sizes = [
        (size + window.pad_before[i] + window.pad_after[i] - extents[i]) // window.stride[i] + 1
        for i, size in enumerate((height, width))
    ]
    result = np.zeros((1, *sizes, outputs), np.int64)
    for y, column, dy, dx in np.ndindex(*sizes, kernel_h, kernel_w):
        row = y * window.stride[0] + dy * window.dilation[0] - window.pad_before[0]
        place = column * window.stride[1] + dx * window.dilation[1] - window.pad_before[1]
        if 0 <= row < height and 0 <= place < width:
            result[0, y, column] += (
                w[:, dy, dx].astype(np.int64) * (x[0, row, place].astype(int) - zero_point)
            ).sum(1)
    return result


@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
@pytest.mark.parametrize("dilation", [(1, 1), (1, 2)])
def test_convolution_equals_loops(stride: tuple[int, int], dilation: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-128, 128, (1, 7, 6, 4)).astype(np.int8)
    w = rng.integers(-127, 128, (6, 3, 2, 4)).astype(np.int8)
    window = convolution.same_window((7, 6), (3, 2), stride, dilation)
    requantize = convolution.convolution_requantization(0.02, [0.01], Quantization(0.3, -5))
    expected = requantize(naive_convolution(x, w, window, 9))
    np.testing.assert_array_equal(convolution.conv2d(x, w, None, 9, window, requantize), expected)

    halves = [
        convolution.conv2d(x[..., part], w[rows, :, :, :2], None, 9, window, requantize)
        for part, rows in ((slice(0, 2), slice(0, 3)), (slice(2, 4), slice(3, 6)))
    ]
    grouped = convolution.conv2d(x, w[..., :2], None, 9, window, requantize)
    np.testing.assert_array_equal(grouped, np.concatenate(halves, axis=3))

    filters = rng.integers(-127, 128, (1, 3, 2, 8)).astype(np.int8)
    depthwise = convolution.depthwise_conv2d(x, filters, None, 9, window, requantize)
    for channel in range(8):
        own = x[..., channel // 2 : channel // 2 + 1]
        single = convolution.conv2d(own, filters[..., channel, None], None, 9, window, requantize)
        np.testing.assert_array_equal(depthwise[..., channel], single[..., 0])


def test_transposed_convolution_is_the_adjoint() -> None:
    """<conv(a), b> = <a, transpose(b)>, on bare accumulators."""
    rng = np.random.default_rng(4)
    window = convolution.same_window((9, 8), (3, 4), (2, 3))
    a = rng.integers(-5, 6, (1, 9, 8, 3))
    w = rng.integers(-5, 6, (2, 3, 4, 3))
    identity = convolution.Requantization(
        np.array(2**30), np.array(1), 0, fixed_point.Range(fixed_point.INT32_MIN, fixed_point.INT32_MAX)
    )
    forward = convolution.conv2d(a, w, None, 0, window, identity)
    b = rng.integers(-5, 6, forward.shape)
    back = convolution.transpose_conv2d(b, w.transpose(3, 1, 2, 0), None, 0, (9, 8), window, identity)
    assert (forward * b).sum() == (a * back).sum()


def test_average_pool_rounds_halves_away_and_ignores_padding() -> None:
    x = np.array([[3, 4], [-3, -4]]).reshape(1, 2, 2, 1)
    window = convolution.Window(stride=(1, 2))
    assert pooling.average_pool2d(x, (1, 2), window).reshape(-1).tolist() == [4, -4]
    padded = convolution.Window((2, 2), (1, 1), (0, 0), (1, 1))
    assert pooling.average_pool2d(np.full((1, 3, 3, 1), 7), (2, 2), padded).reshape(-1).tolist() == [7] * 4
    assert pooling.max_pool2d(np.full((1, 3, 3, 1), -9), (2, 2), padded).reshape(-1).tolist() == [-9] * 4


def test_fixed_point_functions_are_close_to_real_ones() -> None:
    real = np.linspace(-15.9, 15.9, 4001)
    raw = np.round(real * 2**27).astype(np.int64)
    real = raw / 2**27
    np.testing.assert_allclose(gemmlowp.logistic(raw, 4) / 2**31, 1 / (1 + np.exp(-real)), atol=3e-8)
    np.testing.assert_allclose(gemmlowp.tanh(raw, 4) / 2**31, np.tanh(real), atol=2e-7)
    mantissa, bits = gemmlowp.reciprocal(raw[raw > 0], 4)
    np.testing.assert_allclose(mantissa / 2.0**31 / 2.0**bits, 1 / real[raw > 0], rtol=1e-7)


@pytest.mark.parametrize("wide", [False, True])
def test_softmax_is_close_to_the_real_one(wide: bool) -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(-32768, 32768, (20, 10)) if wide else rng.integers(-128, 128, (20, 10))
    scale = 1e-4 if wide else 0.03
    exps = np.exp(scale * (x - x.max(axis=1, keepdims=True)))
    expected = exps / exps.sum(axis=1, keepdims=True)
    if wide:
        np.testing.assert_allclose(softmax.softmax_int16(x, scale) / 32768, expected, atol=3e-4)
    else:
        np.testing.assert_allclose((softmax.softmax_int8(x, scale) + 128) / 256, expected, atol=1 / 256)
        halves = softmax.softmax_int8(x, scale, bounds=INT16)
        np.testing.assert_allclose((halves + 32768) / 65536, expected, atol=2e-5)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
def test_arithmetic_is_within_a_step_of_the_real_one(name: str) -> None:
    rng = np.random.default_rng(6)
    a, b = rng.integers(-128, 128, (4, 5, 6)), rng.integers(-128, 0, (5, 1))
    first, second, output = Quantization(0.05, 3), Quantization(0.02, 4), Quantization(0.1, -7)
    real = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}[name](
        first.scale * (a - first.zero_point), second.scale * (b - second.zero_point)
    )
    result = getattr(elementwise, name)(a, b, (first, second, output))
    expected = np.clip(real / output.scale + output.zero_point, -128, 127)
    assert np.abs(result - expected).max() <= 0.51


def test_resizing() -> None:
    x = np.array([0, 10, 20, 30]).reshape(1, 1, 4, 1)
    nearest = movement.resize_nearest_neighbor(x, (1, 8)).reshape(-1)
    assert nearest.tolist() == [0, 0, 10, 10, 20, 20, 30, 30]
    corners = movement.resize_bilinear(x, (1, 7), align_corners=True).reshape(-1)
    assert corners.tolist() == [0, 5, 10, 15, 20, 25, 30]
    centres = movement.resize_bilinear(x, (1, 2), half_pixel_centers=True).reshape(-1)
    assert centres.tolist() == [5, 25]


def test_quantize_rounds_halves_away_from_zero() -> None:
    output = Quantization(1.0, 3)
    assert conversion.quantize([0.5, 1.5, -0.5, -1.5, 1000.0], output, INT8).tolist() == [4, 5, 2, 1, 127]


def test_svdf_shifts_its_state() -> None:
    one = Quantization(1.0)
    quantization = recurrent.SvdfQuantization(one, 1.0, 1.0, one, one)
    state: Array = np.zeros((1, 6), np.int16)
    results = []
    for value in (1, 2, 3, 4):
        output, state = recurrent.svdf(
            [[value]], [[1], [2]], [[1, 10, 1], [0, 0, 1]], None, state, 2, quantization
        )
        results.append(int(output[0, 0]))
    assert state.tolist() == [[2, 3, 4, 4, 6, 8]]
    assert results == [1 + 2, 10 + 2 + 4, 1 + 20 + 3 + 6, 2 + 30 + 4 + 8]
