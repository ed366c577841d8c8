"""The gradient of each operator: from that of its result to those of its operands.

All gradients are of integers, float32, in the shape of the tensor they belong to. Rounding counts as if it
were not there (straight-through); an element at a bound of its clamp passes nothing on.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import TrainingError
from tinycc.graph import Node
from tinycc.ops.add.view import Add
from tinycc.ops.average_gradient import average_gradient
from tinycc.ops.average_pool2d.view import AveragePool2D
from tinycc.ops.base import Operator
from tinycc.ops.clamp_gradient import clamp_gradient
from tinycc.ops.conv2d.view import Conv2D
from tinycc.ops.dense.view import Dense
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.input_gradient import input_gradient
from tinycc.ops.lookup.view import Lookup
from tinycc.ops.max_pool2d.view import MaxPool2D
from tinycc.ops.max_pool_gradient import max_pool_gradient
from tinycc.ops.multiply.view import Multiply
from tinycc.ops.multiply_gradient import multiply_gradient
from tinycc.ops.reduce.view import Reduce
from tinycc.ops.requantize.view import Requantize
from tinycc.ops.table_gradient import table_gradient
from tinycc.ops.tensor import Tensor
from tinycc.ops.window import Window
from tinycc.training.layers import geometry_of
from tinycc.training.writer import StepWriter

# Gradients of operands, by their index among the view's inputs.
Gradients = dict[int, relax.Var]
Rule = Callable[[StepWriter, Node, relax.Var], Gradients]
BEHIND = "train only layers that come behind it"


def clamped(
    writer: StepWriter,
    node: Node,
    gradient: relax.Var,
    factor: float | np.ndarray,
    bounds: tuple[int, int],
) -> relax.Var:
    """The gradient before the result was rescaled by `factor` and clamped to `bounds`."""
    composite = clamp_gradient(gradient, node.variable, factor=factor, low=bounds[0], high=bounds[1])
    return writer.call(composite, (gradient, node.variable))


def image_of(tensor: Tensor) -> tuple[int, int, int, int]:
    """The shape of a tensor as an image."""
    return 1, tensor.height, tensor.width, tensor.channels


def layer_input_gradient(
    writer: StepWriter, node: Node, sums: relax.Var, weights: relax.Expr, window: Window, groups: int
) -> relax.Var:
    """The gradient of a layer's input, or of those channels of it that there are weights of.

    sums: that of its weighted sums. weights: [outputs, kernel height, kernel width, channels / groups].
    """
    source, output = node.view.inputs[0], node.view.outputs[0]
    channels = tvm_adapter.shape_of(weights)[3] * groups
    image = writer.reshaped(sums, image_of(output))
    shape = (*image_of(source)[:3], channels)
    composite = input_gradient(image, weights, window=window, groups=groups, input_shape=shape)
    return writer.reshaped(writer.call(composite, (image, weights)), (*source.shape[:-1], channels))


def _frozen_layer(writer: StepWriter, node: Node, gradient: relax.Var) -> Gradients:
    view: Any = node.view
    window, groups, weights = geometry_of(view)
    factors = view.requantized.multipliers.astype(np.float32)
    sums = clamped(writer, node, gradient, factors, view.output_range)
    constant = tvm_adapter.make_constant(weights)
    return {0: layer_input_gradient(writer, node, sums, constant, window, groups)}


def _add(writer: StepWriter, node: Node, gradient: relax.Var) -> Gradients:
    view: Any = node.view
    output = view.outputs[0]
    found = {}
    for index, (source, sign) in enumerate(zip(view.inputs, (1, view.sign), strict=True)):
        if source.parameter is None:
            continue
        factor = sign * source.real_scale / output.real_scale
        found[index] = summed(writer, clamped(writer, node, gradient, factor, view.output_range), source)
    return found


def _multiply(writer: StepWriter, node: Node, gradient: relax.Var) -> Gradients:
    view: Any = node.view
    (a, b), output = view.inputs, view.outputs[0]
    factor = a.real_scale * b.real_scale / output.real_scale
    product = clamped(writer, node, gradient, factor, view.output_range)
    found = {}
    for index, (source, other) in enumerate(((a, b), (b, a))):
        if source.parameter is None:
            continue
        if other.parameter is None:
            raise TrainingError(f"a product with the constant {other} has no gradient: {BEHIND}")
        operands = (product, node.call.args[other.parameter])
        part = writer.call(multiply_gradient(*operands, zero_point=other.zero_point), operands)
        found[index] = summed(writer, part, source)
    return found


def summed(writer: StepWriter, gradient: relax.Var, source: Tensor) -> relax.Var:
    """The gradient of what was broadcast: the sum over all that it became."""
    shape = tvm_adapter.shape_of(gradient)
    aligned = (1,) * (len(shape) - len(source.shape)) + source.shape
    axes = [axis for axis, (size, one) in enumerate(zip(shape, aligned, strict=True)) if size > one]
    if axes:
        gradient = writer.emit("summed", relax.op.sum(gradient, axes, keepdims=True))
    return writer.reshaped(gradient, source.shape)


def _lookup(writer: StepWriter, node: Node, gradient: relax.Var) -> Gradients:
    view: Any = node.view
    inside = (view.table > INTEGER_RANGE["int8"][0]) & (view.table < INTEGER_RANGE["int8"][1])
    operands = (gradient, node.call.args[view.inputs[0].parameter])
    composite = table_gradient(*operands, table=np.where(inside, view.slopes, 0).astype(np.float32))
    return {0: writer.call(composite, operands)}


def _max_pool(writer: StepWriter, node: Node, gradient: relax.Var) -> Gradients:
    view: Any = node.view
    operands = (gradient, node.call.args[view.inputs[0].parameter])
    return {0: writer.call(max_pool_gradient(*operands, window=view.window), operands)}


def _requantize(writer: StepWriter, node: Node, gradient: relax.Var) -> Gradients:
    view: Any = node.view
    return {0: clamped(writer, node, gradient, _rescaling(view), view.output_range)}


def _average_pool(writer: StepWriter, node: Node, gradient: relax.Var) -> Gradients:
    view: Any = node.view
    source = view.inputs[0]
    sums = clamped(writer, node, gradient, _rescaling(view), view.output_range)
    composite = average_gradient(sums, window=view.window, input_shape=source.shape)
    return {0: writer.call(composite, (sums,))}


def _reduce(writer: StepWriter, node: Node, gradient: relax.Var) -> Gradients:
    view: Any = node.view
    source = view.inputs[0]
    if not view.is_over_pixels:
        raise TrainingError(f"a {view.describe()} has no gradient, only one over all pixels: {BEHIND}")
    factor = _rescaling(view) * (1.0 if view.is_mean else float(view.count))
    sums = clamped(writer, node, gradient, factor, view.output_range)
    pixel = writer.reshaped(sums, (1, 1, 1, source.channels))
    window = Window(kernel=(source.height, source.width), stride=(1, 1), padding=(0, 0))
    composite = average_gradient(pixel, window=window, input_shape=image_of(source))
    return {0: writer.reshaped(writer.call(composite, (pixel,)), source.shape)}


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


def operand_gradients(writer: StepWriter, node: Node, gradient: relax.Var) -> Gradients:
    """The gradients of an operator's operands. TrainingError where there is no rule for it."""
    rule = RULES.get(type(node.view))
    if rule is None:
        raise TrainingError(
            f"{node.view.kind} with the result {node.view.outputs[0]} has no gradient: {BEHIND}"
        )
    return rule(writer, node, gradient)
