"""Layers with weights as modules in the normal form, and the checks that all operators are put to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from hypothesis import strategies as st
from tvm import relax

from tests.tools.kernel_runner import (
    Features,
    check_overlap,
    compile_and_run,
    dequantized,
    module_of,
    quantized,
    views_in,
)
from tests.tools.view_reference import reference_of
from tinycc.ops.base import Operator

Shape = tuple[int, ...]
Product = Callable[[relax.Expr, relax.Expr], relax.Expr]

INPUT_SCALE, OUTPUT_SCALE = 0.05, 0.31
# Cores without extensions and with one: operators may have a kernel for each.
FEATURES: tuple[Features, ...] = ((), ("dsp",))
ZERO_POINTS = st.sampled_from([-128, -3, 0, 127])


def random_inputs(shapes: Sequence[tuple[Shape, str]], seed: int) -> list[np.ndarray]:
    """Integers of the whole range, its ends among them."""
    generator = np.random.default_rng(seed)
    arrays = []
    for shape, dtype in shapes:
        limits = np.iinfo(dtype)
        values = generator.integers(limits.min, limits.max + 1, shape).astype(dtype)
        values.flat[:2] = (limits.min, limits.max)[: values.size]
        arrays.append(values)
    return arrays


def inputs_of(view: Operator, seed: int) -> list[np.ndarray]:
    """Random values for the inputs of an operator that are no constants."""
    parameters = {tensor.parameter: tensor for tensor in view.inputs if tensor.parameter is not None}
    return random_inputs(
        [(parameters[index].shape, parameters[index].dtype) for index in sorted(parameters)], seed
    )


def check_reference(module: tvm.IRModule, kind: str, seed: int = 0, *, features: Features = ()) -> Operator:
    """Assert that a module is one operator of this kind and computes what the reference does.

    features: of a core; the operator may have a kernel for it.
    """
    [view] = views_in(module, features)
    assert view.kind == kind
    inputs = inputs_of(view, seed)
    [result] = compile_and_run(module, inputs, features=features)
    expected = reference_of(
        view, [inputs[tensor.parameter] for tensor in view.inputs if tensor.parameter is not None]
    )
    np.testing.assert_array_equal(result, expected)
    return view


def check_distance(
    module: tvm.IRModule,
    index: int = 0,
    seed: int = 0,
    *,
    is_tight: bool = True,
    features: Features = (),
) -> None:
    """`check_overlap` on random values."""
    [view] = views_in(module, features)
    check_overlap(module, inputs_of(view, seed), index, is_tight=is_tight, features=features)


@dataclass(frozen=True)
class Weights:
    """How a layer's weights are made.

    channels: of the output. channel_axis: of the weights, for a scale of each channel; None for a single one.
    """

    shape: Shape
    channels: int
    channel_axis: int | None = None
    zero_point: int = 0


def layer_module(
    product: Product,
    shape: Shape,
    weights: Weights,
    *,
    dtype: str = "int8",
    zero_points: tuple[int, int] = (3, -5),
    activation: Callable[[relax.Expr], relax.Expr] | None = None,
    has_bias: bool = True,
    weight_range: tuple[int, int] = (-127, 127),
    seed: int = 0,
) -> tvm.IRModule:
    """quantize(activation(product(dequantize(x), dequantize(weights)) + bias)).

    dtype: of input and output; int16 has zero points of 0. weight_range: what weights may be, ends included.
    """
    generator = np.random.default_rng(seed)
    input_zero, output_zero = zero_points if dtype == "int8" else (0, 0)
    low, high = weight_range
    values = generator.integers(low, high + 1, weights.shape).astype(np.int8)
    count = () if weights.channel_axis is None else weights.channels
    scale = np.asarray(generator.uniform(0.002, 0.02, count), np.float32)
    bias = generator.integers(-5000, 5000, weights.channels).astype(np.int32)
    step = 2.0**-8 if dtype == "int16" else 1.0

    def body(x: relax.Expr) -> relax.Expr:
        real_weights = dequantized(values, scale, weights.zero_point, weights.channel_axis or 0)
        value = product(dequantized(x, INPUT_SCALE * step, input_zero), real_weights)
        if has_bias:
            real_bias = dequantized(bias, np.float32(INPUT_SCALE * step) * scale, 0, 0)
            value = relax.op.add(value, real_bias)
        if activation is not None:
            value = activation(value)
        return quantized(value, OUTPUT_SCALE * step, output_zero, dtype)

    return module_of([(shape, dtype)], body)


@st.composite
def windows(draw: st.DrawFn) -> tuple[Shape, Shape, dict[str, Sequence[int]]]:
    """Height and width of an input, of a window, and the attributes of its Relax call.

    The window may be larger than the input, and lie in the padding altogether.
    """
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    padding = [draw(st.integers(0, 3)) for _ in range(4)]
    extent = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    image = tuple(
        draw(st.integers(max(1, extent[axis] - padding[axis] - padding[axis + 2]), 7)) for axis in (0, 1)
    )
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    return image, kernel, {"strides": stride, "padding": padding, "dilation": dilation}
