"""Channels without influence on the outputs are gone; the integers that come out are the same."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.assert_pass import assert_becomes
from tests.tools.kernel_runner import dequantized, module_of, quantized, run_plan
from tinycc import tvm_adapter
from tinycc.ops import view_of
from tinycc.ops.base import DEAD_MACS
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps
from tinycc.passes.pipeline import default_passes
from tinycc.passes.remove_dead_channels import RemoveDeadChannels
from tinycc.plan import build_plan

SCALE, ZERO_POINT = 0.05, -128
WEIGHT_SCALE = 0.01
ALIVE, DEAD, SATURATED = 0, -1_000_000, 1_000_000
SHAPE = (1, 6, 5, 4)
Body = Callable[[relax.Expr], relax.Expr | Sequence[relax.Expr]]


def layer(
    x: relax.Expr,
    biases: Sequence[int] | None,
    *,
    channels: int | None = None,
    kernel: int = 1,
    depthwise: bool = False,
    weights: np.ndarray | None = None,
    seed: int = 0,
) -> relax.Expr:
    """A rectified convolution of 4 or more channels, padded to keep its size.

    biases: one for each output channel; None for no bias and `channels` outputs.
    """
    inputs = tvm_adapter.shape_of(x)[3]
    outputs = channels if biases is None else len(biases)
    if weights is None:
        shape = (kernel, kernel, outputs, 1) if depthwise else (kernel, kernel, inputs, outputs)
        weights = np.random.default_rng(seed).integers(-127, 128, shape).astype(np.int8)
    value = relax.op.nn.conv2d(
        dequantized(x, SCALE, ZERO_POINT),
        dequantized(weights, WEIGHT_SCALE),
        padding=[kernel // 2] * 4,
        groups=inputs if depthwise else 1,
        data_layout="NHWC",
        kernel_layout="HWOI" if depthwise else "HWIO",
    )
    if biases is not None:
        bias = dequantized(np.array(biases, np.int32), np.float32(SCALE) * np.float32(WEIGHT_SCALE))
        value = relax.op.add(value, bias)
    return quantized(relax.op.nn.relu(value), SCALE, ZERO_POINT)


def residual(a: relax.Expr, b: relax.Expr) -> relax.Expr:
    total = relax.op.add(dequantized(a, SCALE, ZERO_POINT), dequantized(b, SCALE, ZERO_POINT))
    return quantized(total, SCALE, ZERO_POINT)


def average(x: relax.Expr) -> relax.Expr:
    """Over all pixels."""
    mean = relax.op.nn.avg_pool2d(dequantized(x, SCALE, ZERO_POINT), SHAPE[1:3], layout="NHWC")
    return quantized(mean, SCALE, ZERO_POINT)


def module(body: Body) -> tvm.IRModule:
    """The network, fused."""
    return FuseQuantizedOps()(module_of([(SHAPE, "int8")], body))


def channels(after: tvm.IRModule) -> list[int]:
    """Of each tensor that `main` computes, in order."""
    bindings = tvm_adapter.bindings_of(after["main"])
    return [tvm_adapter.shape_of(item.var)[-1] for item in bindings if isinstance(item.value, relax.Call)]


def emit(value: relax.Expr) -> relax.Expr:
    """The variable of a value, whose shape is known then."""
    builder = relax.BlockBuilder.current()
    assert builder is not None
    return builder.emit(value)


def check_same(before: tvm.IRModule) -> None:
    """The generated C gives the same bytes with and without the pass; the VM runs the result."""
    after = RemoveDeadChannels()(before)
    inputs = [random_inputs(before, seed) for seed in range(3)]
    relax.analysis.well_formed(after)
    run_on_vm(after, inputs[0])
    last = [item for item in default_passes() if item.info.name in ("RewriteInPlace", "OrderOperators")]
    whole, cut = (
        run_plan(build_plan(tvm.transform.Sequential(last)(item)), inputs, sanitize=True)
        for item in (before, after)
    )
    for one, other in zip(whole, cut, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def after_pass(body: Body) -> list[int]:
    """The channels that are left of a network that computes the same."""
    before = module(body)
    check_same(before)
    return channels(RemoveDeadChannels()(before))


EIGHT = [ALIVE, DEAD, ALIVE, DEAD, ALIVE, DEAD, ALIVE, DEAD]


def test_channels_that_are_always_zero_are_removed() -> None:
    assert after_pass(lambda x: layer(emit(layer(x, EIGHT)), [ALIVE] * 3, kernel=3)) == [4, 3]


def test_the_bias_takes_in_other_constants() -> None:
    saturated = [SATURATED if bias else ALIVE for bias in EIGHT]
    assert after_pass(lambda x: layer(emit(layer(x, saturated)), [100] * 3)) == [4, 3]


def test_sums_without_a_bias_get_one() -> None:
    saturated = [SATURATED if bias else ALIVE for bias in EIGHT]
    assert after_pass(lambda x: layer(emit(layer(x, saturated)), None, channels=3)) == [4, 3]


def test_padding_tells_other_constants_from_none() -> None:
    saturated = [SATURATED if bias else ALIVE for bias in EIGHT]
    assert after_pass(lambda x: layer(emit(layer(x, saturated)), [ALIVE] * 3, kernel=3)) == [8, 3]


def test_channels_that_nobody_reads_are_removed() -> None:
    weights = np.ones((1, 1, 8, 3), np.int8)
    weights[:, :, [0, 3, 6, 7]] = 0
    assert after_pass(lambda x: layer(emit(layer(x, [ALIVE] * 8)), [ALIVE] * 3, weights=weights)) == [4, 3]


def test_what_goes_channel_by_channel_loses_the_same_ones() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        wide = emit(layer(x, EIGHT))
        spread = emit(layer(wide, [ALIVE] * 8, depthwise=True, kernel=3))
        largest = emit(relax.op.nn.max_pool2d(spread, (2, 2), padding=[0, 0, 0, 1], layout="NHWC"))
        return layer(largest, [ALIVE] * 2)

    # Of the dead channels' sums, only those with a bias that keeps them at zero are dead.
    assert after_pass(body) == [4, 4, 4, 2]


def test_a_channel_stays_for_any_reader() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        first = emit(layer(x, EIGHT))
        second = emit(layer(x, [ALIVE] * 4 + [DEAD] * 4, seed=1))
        return layer(emit(residual(first, second)), [ALIVE] * 2)

    assert after_pass(body) == [8, 8, 8, 2]


def test_outputs_keep_all_channels() -> None:
    def body(x: relax.Expr) -> list[relax.Expr]:
        hidden = emit(layer(x, EIGHT))
        return [hidden, layer(hidden, [ALIVE] * 2)]

    assert after_pass(body) == [8, 2]


def test_a_vector_of_means_loses_them_too() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        vector = emit(relax.op.reshape(emit(average(emit(layer(x, EIGHT)))), (1, 8)))
        weights = np.random.default_rng(2).integers(-127, 128, (8, 3)).astype(np.int8)
        product = relax.op.matmul(dequantized(vector, SCALE, ZERO_POINT), dequantized(weights, WEIGHT_SCALE))
        return quantized(product, SCALE, 3)

    assert after_pass(body) == [4, 4, 4, 3]


def test_pixels_that_become_channels_stay() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        vector = emit(relax.op.reshape(emit(layer(x, EIGHT)), (1, 240)))
        weights = np.ones((240, 3), np.int8)
        product = relax.op.matmul(dequantized(vector, SCALE, ZERO_POINT), dequantized(weights, WEIGHT_SCALE))
        return quantized(product, SCALE, 3)

    assert after_pass(body) == [8, 240, 3]


def test_a_layer_of_which_nothing_is_needed_stays_narrow() -> None:
    assert after_pass(lambda x: layer(emit(layer(x, [DEAD] * 8)), [500] * 2)) == [4, 2]


def test_a_module_without_dead_channels_is_left_alone() -> None:
    before = module(lambda x: layer(emit(layer(x, [ALIVE] * 8)), [ALIVE] * 2))
    assert_becomes(RemoveDeadChannels(), before, before)


def test_what_is_saved_is_told() -> None:
    """Half of the first layer's outputs, half of the second layer's inputs."""
    before = module(lambda x: layer(emit(layer(x, EIGHT)), [ALIVE] * 3))
    pixels = SHAPE[1] * SHAPE[2]
    after = RemoveDeadChannels()(before)
    assert int(tvm_adapter.attribute(after["main"], DEAD_MACS)) == pixels * (4 * 4 + 4 * 3)


def test_vectors_are_filled() -> None:
    """Helium's sixteen lanes are not left empty."""
    before = module(lambda x: layer(emit(layer(x, [ALIVE, DEAD, DEAD, DEAD] * 8)), [ALIVE] * 2))
    assert channels(RemoveDeadChannels()(before)) == [8, 2]
    assert channels(RemoveDeadChannels(["dsp", "helium"])(before)) == [16, 2]


BIAS = st.sampled_from([ALIVE, ALIVE, 40_000, -40_000, DEAD, SATURATED])
BIASES = st.lists(BIAS, min_size=4, max_size=12)


@settings(max_examples=6)
@given(first=BIASES, last=BIASES, kernel=st.sampled_from([1, 3]), has_skip=st.booleans(), data=st.data())
def test_random_blocks(
    first: list[int], last: list[int], kernel: int, has_skip: bool, data: st.DataObject
) -> None:
    """Expansion, depthwise convolution, projection, with a residual connection or without."""
    middle = data.draw(st.lists(BIAS, min_size=len(first), max_size=len(first)))

    def body(x: relax.Expr) -> relax.Expr:
        wide = emit(layer(x, first))
        spread = emit(layer(wide, middle, depthwise=True, kernel=kernel))
        narrow = emit(layer(spread, last, seed=1))
        if has_skip:
            narrow = emit(residual(narrow, emit(layer(narrow, last[::-1], seed=2))))
        return layer(narrow, [ALIVE] * 3, kernel=kernel, seed=3)

    check_same(module(body))


@pytest.mark.parametrize("bound", [0, 1])
def test_ranges_are_reached(bound: int) -> None:
    """The bounds of a layer of one tap are the outputs for the least and the greatest input."""
    before = module(lambda x: layer(x, [1000, -1000, 0], weights=np.full((1, 1, 4, 3), 9, np.int8)))
    [function] = [item for item in before.functions.values() if tvm_adapter.attribute(item, "Composite")]
    view = view_of(function)
    ranges = view.channel_ranges([ChannelRanges.of(view.inputs[0])])
    value = np.full(SHAPE, (-128, 127)[bound], np.int8)
    [result] = run_on_vm(before, [value])
    np.testing.assert_array_equal(result[0, 0, 0], (ranges.lowest, ranges.highest)[bound])
