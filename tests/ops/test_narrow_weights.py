"""Kernels that find two weights of four bits in a byte: the integers of others, in half the flash."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

import tinycc
from tests.ops.test_conv2d import conv2d_module
from tests.ops.test_dense import dense_module
from tests.ops.test_depthwise_conv2d import depthwise_module
from tests.tools.kernel_runner import Features, compile_and_run, dequantized, module_of, quantized, run_plan
from tests.tools.layers import ZERO_POINTS, Shape, check_distance, check_reference, random_inputs, windows
from tests.tools.networks import Network, shared
from tinycc.ops.narrow import NARROW_RANGE, two_in_a_byte
from tinycc.passes import narrow_weights, select_kernels
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan
from tinycc.run import run
from tinycc.schedule.options import ScheduleOptions

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
@settings(max_examples=6)
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
@settings(max_examples=6)
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
@settings(max_examples=6)
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


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize(
    "module",
    [
        conv2d_module((4, 5), (1, 1), (9, 4), {}, weight_range=NARROW_RANGE),
        conv2d_module((6, 5), (3, 3), (3, 4), {"padding": [1, 1, 1, 1]}, weight_range=NARROW_RANGE),
        depthwise_module((6, 5), (3, 3), 5, {"padding": [1, 1, 1, 1]}, weight_range=NARROW_RANGE),
        dense_module((1, 9), 7, weight_range=NARROW_RANGE),
    ],
)
def test_overlap_distance(module: tvm.IRModule, features: Features) -> None:
    check_distance(module, is_tight=False, features=features)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("channels", [3, 8])
def test_dense_layers_by_rows(channels: int, features: Features) -> None:
    """Rows of odd and of even numbers of inputs, which begin in the middle of a byte or at one."""
    network = Network(weight_range=NARROW_RANGE)
    shape = (1, 5, 7, channels)

    def body(x: relax.Expr) -> relax.Expr:
        return network.dense(network.convolution(x, channels, channels, 3), 5 * 7 * channels, 6)

    module, inputs = shared(module_of([(shape, "int8")], body)), random_inputs([(shape, "int8")], 0)
    passes = default_passes("float", ScheduleOptions(form="stream"), features)
    plan = build_plan(tvm.transform.Sequential(passes)(module))
    assert len(plan.steps) == 1
    [result] = run_plan(plan, [inputs], True)[0]
    with tvm.transform.PassContext(disabled_pass=["NarrowWeights"]):
        [expected] = compile_and_run(module, inputs)
    np.testing.assert_array_equal(result, expected)


# Layers of one model: what their kernels begin, repeat and end with is different in each.
WORDS = [4, 12, 24, 29, 44]
MODES: list[tuple[Callable[[relax.Expr], relax.Expr], int]] = [
    (lambda value: value, 5),
    (relax.op.nn.relu, -128),
    (lambda value: relax.op.clip(value, 0, 6), 5),
]


def weights_of(*shape: int) -> relax.Expr:
    values = np.random.default_rng(len(shape)).integers(-8, 8, shape).astype(np.int8)
    return dequantized(values, 0.1)


def all_kernels() -> tuple[tvm.IRModule, list[np.ndarray]]:
    """Layers of many sizes in each of three ways of clamping, and their inputs."""
    shapes: list[Shape] = [(1, 3, 3, count) for count in WORDS]
    shapes += [(1, count) for count in (7, 24, 37)]
    shapes.append((1, 6, 9, 5))

    def layers(x: relax.Expr) -> relax.Expr:
        shape = [int(size) for size in x.ty.shape]
        real = dequantized(x, 0.1, -3)
        if len(shape) == 2:
            return [relax.op.matmul(real, weights_of(shape[1], 6))]
        layout = {"data_layout": "NHWC", "kernel_layout": "HWIO"}
        if shape[1] == 3:
            window = [2, 2] if shape[3] < 16 else [1, 1]
            outputs = 6 + shape[3] // 29 % 2
            return [relax.op.nn.conv2d(real, weights_of(*window, shape[3], outputs), **layout)]
        return [
            relax.op.nn.conv2d(
                real, weights_of(*kernel, 1, shape[3]), groups=shape[3], strides=(stride, stride),
                padding=[kernel[0] // 2, kernel[1] // 2] * 2, **layout,
            )
            for kernel, stride in (((3, 3), 1), ((3, 3), 2), ((5, 5), 1), ((3, 4), 1))
        ]  # fmt: skip

    def body(*inputs: relax.Expr) -> list[relax.Expr]:
        products = [product for x in inputs for product in layers(x)]
        return [
            quantized(activation(product), 1.0, zero) for product in products for activation, zero in MODES
        ]

    typed = [(shape, "int8") for shape in shapes]
    return module_of(typed, body), random_inputs(typed, 0)


@pytest.mark.emulator
@pytest.mark.parametrize(("core", "variant"), [("cortex-m0", "portable_narrow"), ("cortex-m4", "dsp_narrow")])
def test_on_a_core(core: str, variant: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    module, inputs = all_kernels()
    model = tinycc.compile(module, target=core, io="float")
    assert {variant} <= {step.operator.variant for step in model.plan.steps} <= {variant, "portable_blocks"}
    model.export(tmp_path / "model")
    results = run(tmp_path / "model", core, [values[None] for values in inputs]).outputs
    with tvm.transform.PassContext(disabled_pass=["NarrowWeights"]):
        expected = compile_and_run(module, inputs)
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result.reshape(wanted.shape), wanted)
