"""Layers that train: to the bit as their header says, by the kernels of any core and by those for DSP."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tvm import relax

import tinycc
from tests.reference.fixed_point import multiply_by_quantized_multiplier
from tests.tools.gradient_layers import NAMES, GradientLayer, layer
from tests.tools.gradients import Case
from tests.tools.kernel_runner import check_overlap, compile_and_run, views_in
from tinycc.ops.tensor import Tensor
from tinycc.ops.trained_layer import TrainedLayer, trained_layer
from tinycc.passes.pipeline import default_passes
from tinycc.run import run

DSP = ("dsp",)
# Odd numbers of pixels, inputs that are no whole words, odd numbers of outputs.
BY_DSP = (
    "pixels", "many channels", "many inputs", "depthwise", "wide depthwise", "tiles of depthwise",
    "depthwise with long strides", "dilated depthwise",
)  # fmt: skip


def case_of(item: GradientLayer) -> Case:
    """The layer, of zero points other than 0, with a clamp, and constant weights and bias."""
    generator = np.random.default_rng(1)
    outputs = item.gradient.shape[-1]
    scales = generator.uniform(0.002, 0.02, outputs).astype(np.float32)
    # A channel whose factor is too small for a multiplier.
    scales[-1] = 1e-12
    make = partial(
        _composite,
        output=Tensor(item.gradient.shape, "int8", 0.2, 5),
        source=Tensor(item.shape, "int8", 0.05, -7),
        window=item.window,
        groups=item.groups,
        weight_scales=scales,
        bounds=(-20.0, 20.0),
    )
    source = generator.integers(-128, 128, item.shape).astype(np.int8)
    bias = generator.integers(-9000, 9000, (outputs,)).astype(np.int32)
    return Case(make, [source, item.weights, bias], constants=(1, 2))


def _composite(*operands: relax.Expr, **options: Any) -> relax.Function:
    return trained_layer(operands, **options)


def expected_of(case: Case, view: TrainedLayer) -> np.ndarray:
    """The layer in numpy, by integers."""
    source, weights, bias = (array.astype(np.int64) for array in case.operands)
    output, groups = view.outputs[0], view.groups
    windows = view.window.laid_out(source - view.inputs[0].zero_point, output)
    by_group = windows.reshape(*windows.shape[:3], groups, -1)
    filters = weights.reshape(groups, -1, windows.shape[2], by_group.shape[-1])
    sums = np.einsum("yxtgi,goti->yxgo", by_group, filters).reshape(output.shape) + bias
    scaled = multiply_by_quantized_multiplier(sums, *view.fixed_point) + output.zero_point
    return np.clip(scaled, *view.output_range).astype(np.int8)


@pytest.mark.parametrize("name", NAMES)
def test_equals_integers_in_numpy(name: str) -> None:
    case = case_of(layer(name))
    [view] = views_in(case.module(), DSP)
    assert isinstance(view, TrainedLayer)
    assert view.variant == ("dsp" if name in BY_DSP else "portable")
    for features in {(), DSP if name in BY_DSP else ()}:
        [got] = compile_and_run(case.module(), case.inputs, features=features)
        np.testing.assert_array_equal(got, expected_of(case, view), str(features))


@pytest.mark.parametrize(
    ("name", "features"),
    [("pixels", ()), ("pixels", DSP), ("image", ()), ("tiles of depthwise", ()), ("depthwise", DSP)],
)
def test_overlap_distances(name: str, features: tuple[str, ...]) -> None:
    case = case_of(layer(name))
    check_overlap(case.module(), case.inputs, is_tight=False, features=features)


@pytest.mark.emulator
def test_on_a_core(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    for name in BY_DSP:
        case = case_of(layer(name))
        [view] = views_in(case.module(), DSP)
        assert isinstance(view, TrainedLayer)
        passes = default_passes("float", features=DSP)
        tinycc.compile(case.module(), target="cortex-m4", passes=passes).export(tmp_path / name)
        result = run(tmp_path / name, "cortex-m4", [case.inputs[0][None]])
        expected = expected_of(case, view)
        np.testing.assert_array_equal(result.outputs[0].reshape(expected.shape), expected, name)
