"""Layers of which only the geometry is known: kernel by kernel they need what layers with weights need."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.kernel_runner import kernel_call
from tinycc.ops import conv2d, dense, depthwise_conv2d
from tinycc.ops.arithmetic import Assumed, Requantized
from tinycc.ops.conv2d.view import Conv2D
from tinycc.ops.dense.view import Dense
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.kernel_call import KernelCall, Packed
from tinycc.ops.linear import Linear
from tinycc.ops.tensor import Tensor
from tinycc.ops.window import Window
from tinycc.schedule.costs import predicted_instructions

FEATURES = ("dsp", "helium")


@st.composite
def images(draw: st.DrawFn) -> tuple[Tensor, Window, tuple[int, int]]:
    """An input, a window that moves over it, and how many rows and columns come out."""
    sides = [draw(st.integers(1, 3)) for _ in range(2)]
    sizes = [draw(st.integers(side, 12)) for side in sides]
    stride = draw(st.sampled_from([1, 2]))
    padding = [draw(st.integers(0, side - 1)) for side in sides]
    outputs = [
        (size + 2 * pad - side) // stride + 1 for size, pad, side in zip(sizes, padding, sides, strict=True)
    ]
    window = Window((sides[0], sides[1]), (stride, stride), (padding[0], padding[1]))
    source = Tensor((1, *sizes, draw(st.integers(1, 40))), "int8", parameter=0)
    return source, window, (outputs[0], outputs[1])


@st.composite
def layers(draw: st.DrawFn) -> Linear:
    """A convolution, a depthwise convolution or a dense layer without weights."""
    kind = draw(st.sampled_from(["conv2d", "depthwise_conv2d", "dense"]))
    outputs = draw(st.integers(1, 40))
    if kind == "dense":
        vectors, inputs = draw(st.sampled_from([1, 1, 3])), draw(st.integers(1, 150))
        tensors = Tensor((vectors, inputs), "int8", parameter=0), Tensor((vectors, outputs), "int8")
        return Dense(tensors[:1], tensors[1:], Assumed(), kernels=dense.ROOM.kernels)
    source, window, sizes = draw(images())
    if kind == "depthwise_conv2d":
        output = Tensor((1, *sizes, source.channels), "int8")
        return DepthwiseConv2D((source,), (output,), Assumed(), window, kernels=depthwise_conv2d.ROOM.kernels)
    output = Tensor((1, *sizes, outputs), "int8")
    return Conv2D((source,), (output,), Assumed(), window, 1, kernels=conv2d.ROOM.kernels)


def with_weights(layer: Linear, seed: int) -> Linear:
    """The layer with constants that all kernels can do."""
    generator = np.random.default_rng(seed)
    channels = layer.outputs[0].channels
    arithmetic = Requantized(
        weights=generator.integers(-100, 101, layer.weights_shape).astype(np.int8),
        weight_zero_points=np.zeros(channels, np.int64),
        bias=generator.integers(-1000, 1001, channels).astype(np.int32),
        multipliers=generator.uniform(0.001, 0.01, channels),
        output_range=(-128, 127),
        channel_axis=2 if layer.kind == "depthwise_conv2d" else 0,
    )
    return replace(layer, arithmetic=arithmetic)


def stored_bytes(call: KernelCall) -> int:
    """Flash that the constants of a call take once they are packed."""
    arrays = [value.array() if isinstance(value, Packed) else value for value in call.data.values()]
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))


@settings(max_examples=60)
@given(layers(), st.integers(0, 99))
def test_a_layer_without_weights_needs_what_one_with_weights_does(assumed: Linear, seed: int) -> None:
    layer = with_weights(assumed, seed)
    names = [kernel.name for kernel in layer.offered(FEATURES)]
    assert [kernel.name for kernel in assumed.offered(FEATURES)] == names
    assert {"helium", "dsp", "portable"} <= set(names)
    for name in names:
        one, other = replace(assumed, variant=name), replace(layer, variant=name)
        assert one.kernel is other.kernel
        assert (one.scratch_bytes, one.scratch_alignment) == (other.scratch_bytes, other.scratch_alignment)
        assert one.overlap_distance(0) == other.overlap_distance(0)
        assert predicted_instructions(one) == predicted_instructions(other)
        height = one.inputs[0].height
        for call, packed in (
            (one.call(), other.call()),
            (one.row_kernel, other.row_kernel),
            (one.accumulating_kernel(height), other.accumulating_kernel(height)),
        ):
            assert (call is None) == (packed is None)
            if isinstance(call, KernelCall) and isinstance(packed, KernelCall):
                assert call.function == packed.function and call.shape.keys() == packed.shape.keys()
                assert geometry(call) == geometry(packed)
                assert call.data_bytes == packed.data_bytes == stored_bytes(packed)


def geometry(call: KernelCall) -> dict[str, object]:
    """All that a call says of rows."""
    return {name: value for name, value in vars(call).items() if name not in ("shape", "data")}


def test_a_layer_without_weights_has_no_constants() -> None:
    tensors = Tensor((1, 8), "int8", parameter=0), Tensor((1, 4), "int8")
    layer = Dense(tensors[:1], tensors[1:], Assumed(), kernels=dense.ROOM.kernels)
    [weights, *_] = [value for value in kernel_call(layer).data.values() if isinstance(value, Packed)]
    with pytest.raises(ValueError, match="has no constants"):
        weights.array()
