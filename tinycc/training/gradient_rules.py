"""The gradient of each operator: from that of its result to those of its operands.

All gradients are of integers, in the shape of the tensor they belong to. Rounding counts as if it were not
there (straight-through); an element at a bound of its clamp passes nothing on.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import TrainingError
from tinycc.graph import Node
from tinycc.ops.add.view import Add
from tinycc.ops.average_gradient import average_gradient, pixel_counts
from tinycc.ops.average_pool2d.view import AveragePool2D
from tinycc.ops.base import Operator
from tinycc.ops.conv2d.view import Conv2D
from tinycc.ops.dense.view import Dense
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.gradient_integers import widened
from tinycc.ops.input_gradient import input_gradient
from tinycc.ops.lookup.view import Lookup
from tinycc.ops.max_pool2d.view import MaxPool2D
from tinycc.ops.max_pool_gradient import max_pool_gradient, overlap_bits
from tinycc.ops.multiply.view import Multiply
from tinycc.ops.multiply_gradient import multiply_gradient
from tinycc.ops.reduce.view import Reduce
from tinycc.ops.requantize.view import Requantize
from tinycc.ops.tensor import Tensor
from tinycc.ops.window import Window
from tinycc.training.gradients import Gradient, GradientArithmetic
from tinycc.training.layers import geometry_of

# Gradients of operands, by their index among the view's inputs.
Gradients = dict[int, Gradient]
Rule = Callable[[GradientArithmetic, Node, Gradient], Gradients]
BEHIND = "train only layers that come behind it"
# The greatest magnitude of a weight, and of an int8 number less a zero point.
_WEIGHT, _CENTRED = 128, 255


def bounds_of(view: Operator) -> tuple[int, int] | None:
    """The bounds at which an operator's result passes no gradient on; None where it is not clamped."""
    if isinstance(view, Lookup):
        return INTEGER_RANGE["int8"]
    bounds: tuple[int, int] | None = getattr(view, "output_range", None)
    return bounds


def image_of(tensor: Tensor) -> tuple[int, int, int, int]:
    """The shape of a tensor as an image."""
    return 1, tensor.height, tensor.width, tensor.channels


def layer_sums(
    arithmetic: GradientArithmetic,
    node: Node,
    gradient: Gradient,
    factors: np.ndarray,
    bounds: tuple[int, int],
    layer: tuple[Window, int],
) -> Gradient:
    """The gradient of a layer's weighted sums, as an image. layer: its window and its groups."""
    window, groups = layer
    output = node.view.outputs[0]
    taps = output.channels // groups * math.prod(window.kernel)
    pixels = output.height * output.width
    sums = arithmetic.clamped(node, gradient, factors, bounds, worth=taps * _WEIGHT, pixels=pixels)
    return arithmetic.reshaped(sums, image_of(output))


def layer_input_gradient(
    arithmetic: GradientArithmetic,
    node: Node,
    sums: Gradient,
    weights: relax.Expr,
    window: Window,
    groups: int,
) -> Gradient:
    """The gradient of a layer's input, or of those channels of it that there are weights of.

    sums: that of its weighted sums, an image. weights: [outputs, kernel height, kernel width, channels /
        groups].
    """
    source = node.view.inputs[0]
    channels = tvm_adapter.shape_of(weights)[3] * groups
    shape = (*image_of(source)[:3], channels)
    composite = input_gradient(sums.values, weights, window=window, groups=groups, input_shape=shape)
    found = arithmetic.called(composite, sums, [weights])
    return arithmetic.reshaped(found, (*source.shape[:-1], channels))


def _frozen_layer(arithmetic: GradientArithmetic, node: Node, gradient: Gradient) -> Gradients:
    view: Any = node.view
    window, groups, weights = geometry_of(view)
    factors = view.requantized.multipliers.astype(np.float32)
    sums = layer_sums(arithmetic, node, gradient, factors, view.output_range, (window, groups))
    constant = tvm_adapter.make_constant(weights)
    return {0: layer_input_gradient(arithmetic, node, sums, constant, window, groups)}


def _add(arithmetic: GradientArithmetic, node: Node, gradient: Gradient) -> Gradients:
    view: Any = node.view
    output = view.outputs[0]
    found = {}
    for index, (source, sign) in enumerate(zip(view.inputs, (1, view.sign), strict=True)):
        if source.parameter is None:
            continue
        factor = sign * source.real_scale / output.real_scale
        worth = output.elements // source.elements
        part = arithmetic.clamped(node, gradient, factor, view.output_range, worth=worth)
        found[index] = summed(arithmetic, part, source)
    return found


def _multiply(arithmetic: GradientArithmetic, node: Node, gradient: Gradient) -> Gradients:
    view: Any = node.view
    (a, b), output = view.inputs, view.outputs[0]
    factor = a.real_scale * b.real_scale / output.real_scale
    worth = _CENTRED * max(output.elements // source.elements for source in (a, b))
    product = arithmetic.clamped(node, gradient, factor, view.output_range, worth=worth)
    found = {}
    for index, (source, other) in enumerate(((a, b), (b, a))):
        if source.parameter is None:
            continue
        if other.parameter is None:
            raise TrainingError(f"a product with the constant {other} has no gradient: {BEHIND}")
        factors = node.call.args[other.parameter]
        composite = multiply_gradient(product.values, factors, zero_point=other.zero_point)
        found[index] = summed(arithmetic, arithmetic.called(composite, product, [factors]), source)
    return found


def summed(arithmetic: GradientArithmetic, gradient: Gradient, source: Tensor) -> Gradient:
    """The gradient of what was broadcast: the sum over all that it became."""
    shape = tvm_adapter.shape_of(gradient.values)
    aligned = (1,) * (len(shape) - len(source.shape)) + source.shape
    axes = [axis for axis, (size, one) in enumerate(zip(shape, aligned, strict=True)) if size > one]
    if axes:
        emit = arithmetic.writer.emit
        values = widened(partial(emit, "widened"), gradient.values)
        total = emit("summed", relax.op.sum(values, axes, keepdims=True))
        gradient = replace(gradient, values=total)
    return arithmetic.reshaped(gradient, source.shape)


def _lookup(arithmetic: GradientArithmetic, node: Node, gradient: Gradient) -> Gradients:
    view: Any = node.view
    inside = (view.table > INTEGER_RANGE["int8"][0]) & (view.table < INTEGER_RANGE["int8"][1])
    slopes = np.where(inside, view.slopes, 0).astype(np.float32)
    return {0: arithmetic.looked_up(gradient, node.call.args[view.inputs[0].parameter], slopes)}


def _max_pool(arithmetic: GradientArithmetic, node: Node, gradient: Gradient) -> Gradients:
    view: Any = node.view
    source = node.call.args[view.inputs[0].parameter]
    composite = max_pool_gradient(gradient.values, source, window=view.window)
    found = arithmetic.called(composite, gradient, [source])
    return {0: replace(found, offset=found.offset + overlap_bits(view.window))}


def _requantize(arithmetic: GradientArithmetic, node: Node, gradient: Gradient) -> Gradients:
    view: Any = node.view
    return {0: arithmetic.clamped(node, gradient, _rescaling(view), view.output_range)}


def _average_pool(arithmetic: GradientArithmetic, node: Node, gradient: Gradient) -> Gradients:
    view: Any = node.view
    return {0: _averaged(arithmetic, node, gradient, view.window, _rescaling(view))}


def _reduce(arithmetic: GradientArithmetic, node: Node, gradient: Gradient) -> Gradients:
    view: Any = node.view
    source = view.inputs[0]
    if not view.is_over_pixels:
        raise TrainingError(f"a {view.describe()} has no gradient, only one over all pixels: {BEHIND}")
    factor = _rescaling(view) * (1.0 if view.is_mean else float(view.count))
    window = Window(kernel=(source.height, source.width), stride=(1, 1), padding=(0, 0))
    return {0: _averaged(arithmetic, node, gradient, window, factor)}


def _averaged(
    arithmetic: GradientArithmetic, node: Node, gradient: Gradient, window: Window, factor: float
) -> Gradient:
    """The gradient of the input of an average over windows. factor: from its integers to the output's."""
    view: Any = node.view
    source, output = view.inputs[0], view.outputs[0]
    shape, pixels = image_of(source), image_of(output)
    counts = pixel_counts(window, pixels[1:3], shape[1:3])
    rescaled = arithmetic.average_factor(factor, counts)
    sums = arithmetic.reshaped(arithmetic.clamped(node, gradient, rescaled, view.output_range), pixels)
    composite = average_gradient(sums.values, window=window, input_shape=shape)
    return arithmetic.reshaped(arithmetic.called(composite, sums, []), source.shape)


def _rescaling(view: Operator) -> float:
    """From integers of the only input to those of the output."""
    return view.inputs[0].real_scale / view.outputs[0].real_scale


# By the operator's view; what has none cannot lie behind anything that trains.
RULES: dict[type[Operator], Rule] = {
    Conv2D: _frozen_layer,
    DepthwiseConv2D: _frozen_layer,
    Dense: _frozen_layer,
    Add: _add,
    Multiply: _multiply,
    Lookup: _lookup,
    Requantize: _requantize,
    MaxPool2D: _max_pool,
    AveragePool2D: _average_pool,
    Reduce: _reduce,
}


def operand_gradients(arithmetic: GradientArithmetic, node: Node, gradient: Gradient) -> Gradients:
    """The gradients of an operator's operands. TrainingError where there is no rule for it."""
    rule = RULES.get(type(node.view))
    if rule is None:
        raise TrainingError(
            f"{node.view.kind} with the result {node.view.outputs[0]} has no gradient: {BEHIND}"
        )
    return rule(arithmetic, node, gradient)
