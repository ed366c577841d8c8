"""SVDF against the integer reference over several inferences, on the host and on emulated cores."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinycc
from tests.reference.fixed_point import INT8, INT16, Quantization
from tests.reference.interpreter import read_graph
from tests.reference.recurrent import SvdfQuantization, svdf
from tests.tools.kernel_runner import Features, check_overlap, run_cases, views_in
from tests.tools.random_model import tied_scale
from tests.tools.states import fill_states, state_values
from tests.tools.tflite_writer import TFLiteWriter
from tests.tools.tflm import needs_tflm, run_tflm
from tinycc.frontend.load import load_model
from tinycc.ops.svdf.view import SVDF
from tinycc.passes import select_kernels
from tinycc.run import run
from tinycc.target import TARGETS

Weights = tuple[np.ndarray, np.ndarray, np.ndarray | None]

INPUTS = 6
FEATURES: tuple[Features, ...] = ((), ("dsp",), ("helium",))


@pytest.fixture(autouse=True, scope="module")
def first_preference() -> Iterator[None]:
    """Small operators run by special kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


def single(value: float) -> float:
    """The float32 nearest to a number."""
    return float(np.float32(value))


def quantization_of(dtype: str, zero_points: tuple[int, int, int]) -> SvdfQuantization:
    """Scales that make use of the range of state and output."""
    wide = dtype == "int16"
    return SvdfQuantization(
        input=Quantization(single(0.03), zero_points[0]),
        feature_scale=single(0.02),
        time_scale=single(0.0001 if wide else 0.02),
        state=Quantization(single(0.00014 if wide else 0.04), zero_points[1]),
        output=Quantization(single(0.15), zero_points[2]),
        state_range=INT16 if wide else INT8,
    )


def weights_of(generator: np.random.Generator, shape: tuple[int, int, int], dtype: str) -> Weights:
    """Weights of the whole range, and a bias; shape: filters, inputs, memory."""
    filters, inputs, memory = shape
    limit = np.iinfo(dtype)
    return (
        generator.integers(-128, 128, (filters, inputs)),
        generator.integers(limit.min, limit.max + 1, (filters, memory)),
        generator.integers(-3000, 3000, filters),
    )


def model_file(weights: Weights, rank: int, dtype: str, scales: SvdfQuantization) -> bytes:
    feature, time, bias = weights
    outputs, states = len(feature) // rank, time.size
    net = TFLiteWriter()
    inputs = [
        net.add_tensor(
            "x", (1, feature.shape[1]), scale=scales.input.scale, zero_point=scales.input.zero_point
        ),
        net.add_tensor("feature", feature.shape, scale=scales.feature_scale, data=feature),
        net.add_tensor("time", time.shape, dtype, scale=scales.time_scale, data=time),
        -1,
        net.add_tensor(
            "state",
            (1, states),
            dtype,
            scale=scales.state.scale,
            zero_point=scales.state.zero_point,
            variable=True,
        ),
    ]
    if bias is not None:
        scale = scales.state.scale * scales.time_scale
        inputs[3] = net.add_tensor("bias", (outputs,), "int32", scale=scale, data=bias)
    y = net.add_tensor("y", (1, outputs), scale=scales.output.scale, zero_point=scales.output.zero_point)
    net.add_operator("SVDF", inputs, [y], "SVDFOptions", Rank=rank)
    return net.finish([inputs[0]], [y])


@needs_tflm
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_the_reference_equals_tflite_micro(dtype: str) -> None:
    """State and output; the product that makes the state lies in the middle between two numbers."""
    generator = np.random.default_rng(0)
    for _ in range(60):
        scales = quantization_of(dtype, (0, 0, 0))
        filters, bias = weights_of(generator, (1, INPUTS, 4), dtype)[:2], np.zeros(1, np.int64)
        value = generator.integers(-128, 128, (1, INPUTS)).astype(np.int8)
        steps = max(1, abs(int((value * filters[0]).sum())))
        largest = 30000 if dtype == "int16" else 120
        state = tied_scale(scales.input.scale * scales.feature_scale, steps, max(steps / largest, 0.1))
        scales = replace(scales, state=Quantization(state), output=Quantization(single(state * 0.5)))
        content = model_file((*filters, bias), 1, dtype, scales)
        [operator] = read_graph(content).operators
        output, states = run_tflm(content, [value[None]], [operator.outputs[0], operator.inputs[4]])
        expected, expected_states = svdf(value, *filters, bias, np.zeros((1, 4)), 1, scales)
        np.testing.assert_array_equal(output[0], expected)
        np.testing.assert_array_equal(states[0], expected_states)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 999),
    st.sampled_from(FEATURES),
    st.sampled_from(["int8", "int16"]),
    st.integers(1, 3),
    st.integers(1, 5),
    st.tuples(st.sampled_from([1, 3, 6, 8, 21]), st.integers(1, 9)),
    st.booleans(),
)
def test_equals_the_reference(
    tmp_path: Path,
    seed: int,
    features: Features,
    dtype: str,
    rank: int,
    outputs: int,
    lengths: tuple[int, int],
    biased: bool,
) -> None:
    generator = np.random.default_rng(seed)
    feature, time, bias = weights_of(generator, (rank * outputs, *lengths), dtype)
    weights = feature, time, bias[:outputs] if bias is not None and biased else None
    scales = quantization_of(dtype, (5, 0 if dtype == "int16" else -7, -20))
    path = tmp_path / "svdf.tflite"
    path.write_bytes(model_file(weights, rank, dtype, scales))
    module = load_model(path)
    [view] = views_in(module, features)
    assert view.variant == (features[0] if features else "portable")
    cases = generator.integers(-128, 128, (6, 1, lengths[0])).astype(np.int8)
    state = np.full((1, time.size), scales.state.zero_point)
    outputs_of_cases = run_cases(module, [[case] for case in cases], features=features)
    for case, [result] in zip(cases, outputs_of_cases, strict=True):
        expected, state = svdf(case, *weights, state, rank, scales)
        np.testing.assert_array_equal(result, expected)


# Inputs, outputs, rank, memory and type of the state: no whole words and vectors, one of everything.
SHAPES = [
    (1, 1, 1, 1, "int8"),
    (21, 5, 2, 7, "int16"),
    (16, 6, 1, 8, "int16"),
    (10, 3, 3, 19, "int8"),
    (40, 9, 1, 12, "int8"),
]


@pytest.mark.emulator
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"])
def test_on_a_core(core: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    shapes = SHAPES[1:3] if core in ("cortex-m7", "cortex-m33") else SHAPES
    for inputs, outputs, rank, memory, dtype in shapes:
        generator = np.random.default_rng(inputs)
        feature, time, bias = weights_of(generator, (rank * outputs, inputs, memory), dtype)
        weights = feature, time, bias[:outputs] if bias is not None else None
        scales = quantization_of(dtype, (5, 0 if dtype == "int16" else -7, -20))
        path, folder = tmp_path / "svdf.tflite", tmp_path / f"{inputs}"
        path.write_bytes(model_file(weights, rank, dtype, scales))
        [view] = views_in(load_model(path), TARGETS[core].features)
        assert view.variant == ("helium" if core == "cortex-m55" else "dsp")
        tinycc.compile(path, target=core, io="int8").export(folder)
        fill_states(folder)
        case = generator.integers(-128, 128, (1, inputs)).astype(np.int8)
        result = run(folder, core, [case[None]])
        expected, _ = svdf(case, *weights, state_values(time.size), rank, scales)
        np.testing.assert_array_equal(result.outputs[0].reshape(1, outputs), expected)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_view(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "svdf.tflite"
    scales = quantization_of(dtype, (0, 0, 0))
    path.write_bytes(model_file((np.ones((8, INPUTS)), np.ones((8, 3)), None), 2, dtype, scales))
    [view] = views_in(load_model(path))
    assert isinstance(view, SVDF)
    assert (view.describe(), view.macs, view.state_count) == ("rank 2, memory 3", 8 * INPUTS + 8 * 3, 1)
    assert [str(tensor) for tensor in view.inputs] == ["int8 [1,6]", f"{dtype} [1,24]"]
    assert view.overlap_distance(0) == 3


@pytest.mark.parametrize("features", FEATURES)
def test_overlap_distance(tmp_path: Path, features: Features) -> None:
    generator = np.random.default_rng(1)
    feature, time = generator.integers(-127, 128, (10, INPUTS)), generator.integers(-127, 128, (10, 2))
    path = tmp_path / "svdf.tflite"
    path.write_bytes(model_file((feature, time, None), 2, "int8", quantization_of("int8", (5, -7, -20))))
    values = generator.integers(-128, 128, (1, INPUTS)).astype(np.int8)
    check_overlap(load_model(path), [values], features=features)


def test_results_that_grow_have_no_special_kernel(tmp_path: Path) -> None:
    scales = replace(quantization_of("int8", (0, 0, 0)), output=Quantization(2.0**-20))
    path = tmp_path / "svdf.tflite"
    path.write_bytes(model_file((np.ones((8, INPUTS)), np.ones((8, 3)), None), 2, "int8", scales))
    [view] = views_in(load_model(path), ("dsp", "helium"))
    assert view.variant == "portable"
