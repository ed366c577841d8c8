"""SVDF against the integer reference over several inferences."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference.fixed_point import INT8, INT16, Quantization
from tests.reference.recurrent import SvdfQuantization, svdf
from tests.tools.kernel_runner import check_overlap, run_cases, views_in
from tests.tools.tflite_writer import TFLiteWriter
from tinycc.frontend.load import load_model
from tinycc.ops.svdf import SVDF

INPUTS = 6


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


def model_file(
    weights: tuple[np.ndarray, np.ndarray, np.ndarray | None], rank: int, dtype: str, scales: SvdfQuantization
) -> bytes:
    feature, time, bias = weights
    outputs, states = len(feature) // rank, time.size
    net = TFLiteWriter()
    inputs = [
        net.add_tensor("x", (1, INPUTS), scale=scales.input.scale, zero_point=scales.input.zero_point),
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


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 999),
    st.sampled_from(["int8", "int16"]),
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(1, 4),
    st.booleans(),
)
def test_equals_the_reference(
    tmp_path: Path, seed: int, dtype: str, rank: int, outputs: int, memory: int, biased: bool
) -> None:
    generator = np.random.default_rng(seed)
    limit = np.iinfo(dtype).max
    feature = generator.integers(-127, 128, (rank * outputs, INPUTS))
    time = generator.integers(-limit, limit + 1, (rank * outputs, memory))
    bias = generator.integers(-3000, 3000, outputs) if biased else None
    scales = quantization_of(dtype, (5, 0 if dtype == "int16" else -7, -20))
    path = tmp_path / "svdf.tflite"
    path.write_bytes(model_file((feature, time, bias), rank, dtype, scales))
    cases = generator.integers(-128, 128, (6, 1, INPUTS)).astype(np.int8)
    state = np.full((1, time.size), scales.state.zero_point)
    outputs_of_cases = run_cases(load_model(path), [[case] for case in cases])
    for case, [result] in zip(cases, outputs_of_cases, strict=True):
        expected, state = svdf(case, feature, time, bias, state, rank, scales)
        np.testing.assert_array_equal(result, expected)


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


def test_overlap_distance(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    feature, time = generator.integers(-127, 128, (10, INPUTS)), generator.integers(-127, 128, (10, 2))
    path = tmp_path / "svdf.tflite"
    path.write_bytes(model_file((feature, time, None), 2, "int8", quantization_of("int8", (5, -7, -20))))
    check_overlap(load_model(path), [generator.integers(-128, 128, (1, INPUTS)).astype(np.int8)])
