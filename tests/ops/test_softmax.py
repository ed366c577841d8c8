"""Softmax against the integer reference, and near the real function where the output's scale is unusual."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

import tinycc
from tests.reference.fixed_point import INT16
from tests.reference.softmax import softmax_int8, softmax_int16
from tests.tools.kernel_runner import (
    Features,
    check_overlap,
    compile_and_run,
    dequantized,
    module_of,
    quantized,
    views_in,
)
from tinycc.passes import select_kernels
from tinycc.run import run
from tinycc.target import TARGETS

SCALES = st.sampled_from([1e-20, 1e-9, 2e-5, 0.0039, 0.04, 0.1, 0.14217764, 0.5, 1.3, 40.0])


@pytest.fixture(autouse=True, scope="module")
def first_preference() -> Iterator[None]:
    """Small operators run by special kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


def softmax_module(
    shape: tuple[int, ...],
    dtypes: tuple[str, str],
    source: tuple[float, int],
    output: tuple[float, int],
) -> tvm.IRModule:
    return module_of(
        [(shape, dtypes[0])],
        lambda x: quantized(relax.op.nn.softmax(dequantized(x, *source), axis=-1), *output, dtypes[1]),
    )


def random_values(seed: int, shape: tuple[int, ...], dtype: str, spread: float = 1.0) -> np.ndarray:
    """Integers over a part of the type's range, the ends of the range among them."""
    info = np.iinfo(dtype)
    values = np.random.default_rng(seed).uniform(info.min * spread, info.max * spread, shape).astype(dtype)
    values.flat[0], values.flat[-1] = info.max, info.min
    return values


@settings(max_examples=20)
@given(
    st.integers(0, 999),
    st.integers(1, 4),
    st.sampled_from([1, 2, 3, 16, 17, 100, 700]),
    SCALES,
    st.booleans(),
)
def test_int8_equals_the_reference(seed: int, pixels: int, channels: int, scale: float, wide: bool) -> None:
    shape = (1, pixels, channels)
    dtype, output = ("int16", (2.0**-16, -32768)) if wide else ("int8", (2.0**-8, -128))
    values = random_values(seed, shape, "int8", 0.3)
    module = softmax_module(shape, ("int8", dtype), (scale, 5), output)
    [result] = compile_and_run(module, [values])
    real_scale = float(np.float32(scale))
    expected = softmax_int8(values, real_scale, bounds=INT16) if wide else softmax_int8(values, real_scale)
    np.testing.assert_array_equal(result, expected)


# Pixels, channels, input scale and output: exponentials that are kept, computed twice and looked up.
ON_CORES = [
    (5, 2, 0.07, ("int8", 2.0**-8, -128)),
    (3, 16, 0.15, ("int8", 0.005, 3)),
    (1, 17, 0.004, ("int8", 2.0**-8, -128)),
    (1, 1000, 0.1, ("int8", 2.0**-8, -128)),
    (60, 23, 0.1, ("int8", 2.0**-8, -128)),
    (4, 3, 0.5, ("int16", 2.0**-16, -32768)),
    (3, 21, 1.3, ("int16", 2.0**-16, -32768)),
]


def softmax_on_cores(index: int) -> tuple[tvm.IRModule, np.ndarray]:
    pixels, channels, scale, (dtype, *output) = ON_CORES[index]
    shape = (1, pixels, channels)
    module = softmax_module(shape, ("int8", dtype), (scale, 5), (output[0], int(output[1])))
    return module, random_values(index, shape, "int8", 0.3)


@pytest.fixture(scope="module")
def expected_on_cores() -> list[np.ndarray]:
    """What the host computes, once for all cores."""
    results = []
    for index in range(len(ON_CORES)):
        module, values = softmax_on_cores(index)
        results += compile_and_run(module, [values])
    return results


@pytest.mark.emulator
@pytest.mark.parametrize(
    "core", ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m33", "cortex-m55", "rv32imc"]
)
def test_on_a_core(
    core: str, expected_on_cores: list[np.ndarray], tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    for tool in (f"{TARGETS[core].compiler}gcc", TARGETS[core].boards[0].emulator):
        require_tool(tool)
    for index, expected in enumerate(expected_on_cores):
        module, values = softmax_on_cores(index)
        folder = tmp_path / str(index)
        tinycc.compile(module, target=core, io="float").export(folder)
        result = run(folder, core, [values[None]])
        np.testing.assert_array_equal(result.outputs[0].reshape(expected.shape), expected)


@pytest.mark.parametrize("features", [(), ("helium",)])
def test_equal_elements_of_a_long_row_give_least_output(features: Features) -> None:
    module = softmax_module((1, 2000), ("int8", "int8"), (0.1, 0), (2.0**-8, -128))
    [result] = compile_and_run(module, [np.full((1, 2000), 7, np.int8)], features=features)
    assert (result == -128).all()


@settings(max_examples=6)
@given(st.integers(0, 999), st.sampled_from([(60, 23), (1, 1100)]), st.sampled_from([1e-9, 0.04, 1.3]))
def test_helium_equals_the_reference(seed: int, shape: tuple[int, int], scale: float) -> None:
    module = softmax_module(shape, ("int8", "int8"), (scale, 5), (2.0**-8, -128))
    [view] = views_in(module, ("helium",))
    assert view.variant == "helium"
    values = random_values(seed, shape, "int8", 0.3)
    [result] = compile_and_run(module, [values], features=("helium",))
    np.testing.assert_array_equal(result, softmax_int8(values, float(np.float32(scale))))


@settings(max_examples=8)
@given(st.integers(0, 999), st.integers(1, 4), st.sampled_from([1, 2, 3, 12, 1000]), SCALES)
def test_int16_equals_the_reference(seed: int, pixels: int, channels: int, scale: float) -> None:
    shape = (pixels, channels)
    values = random_values(seed, shape, "int16", 0.5)
    module = softmax_module(shape, ("int16", "int16"), (scale / 256, 0), (2.0**-15, 0))
    [result] = compile_and_run(module, [values])
    np.testing.assert_array_equal(result, softmax_int16(values, float(np.float32(scale / 256))))


@pytest.mark.parametrize("output", [(1 / 255, -128), (0.005, 0), (0.0021, -100), (2.0**-8, 0)])
def test_other_output_scales_are_rounded_once(output: tuple[float, int]) -> None:
    values = random_values(1, (1, 40, 5), "int8", 0.4)
    [result] = compile_and_run(softmax_module((1, 40, 5), ("int8", "int8"), (0.05, 3), output), [values])
    powers = np.exp(0.05 * (values - values.max(-1, keepdims=True).astype(float)))
    exact = powers / powers.sum(-1, keepdims=True) / output[0] + output[1]
    assert np.abs(result - np.clip(exact, -128, 127)).max() < 0.51


@pytest.mark.parametrize("dtypes", [("int8", "int8"), ("int16", "int16"), ("int8", "int16")])
def test_overlap_distance(dtypes: tuple[str, str]) -> None:
    output = (2.0**-8, -128) if dtypes[1] == "int8" else (2.0**-15, 0)
    module = softmax_module((1, 6, 5), dtypes, (0.02 if dtypes[0] == "int8" else 0.0001, 0), output)
    check_overlap(module, [random_values(3, (1, 6, 5), dtypes[0])])


def test_overlap_distance_of_pixels_that_are_read_twice() -> None:
    module = softmax_module((1, 3, 17), ("int8", "int16"), (0.02, 0), (2.0**-16, -32768))
    check_overlap(module, [random_values(3, (1, 3, 17), "int8")])


def test_in_place_over_a_dying_input() -> None:
    [view] = views_in(softmax_module((1, 8, 4), ("int8", "int8"), (0.1, 0), (2.0**-8, -128)))
    assert view.kind == "softmax" and view.overlap_distance(0) == 0
    [view] = views_in(softmax_module((1, 8, 4), ("int8", "int16"), (0.1, 0), (2.0**-16, -32768)))
    assert view.overlap_distance(0) == 28
