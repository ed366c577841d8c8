"""Make a training step of an inference: loss, gradients and updates behind the operators of the network.

Before:  main(x, weights, bias, ..., learning_rate, training_step, skipped) -> (y, weights, bias, ...)
After:   main(x, label, weights, ...) -> (loss, weights', bias', ..., learning_rate, training_step + 1,
         skipped'). Where the loss or a gradient has overflowed, the rate of all later updates is 0.
         With momentum or mini-batches velocities change, and weights by these: see updates.py.
Requires: mark_trainable, with velocities where the rule needs them. The loss is of the first result; a
         softmax, or a dequantize, that makes it is left out, as the loss takes logits. Operators that nothing
         trained comes before are not gone through.
Source:  reverse-mode differentiation of the operators' integers, as in MCUNetV3 (Lin et al., "On-device
         training under 256KB memory", 2022), whose graphs overwrite gradients where results are read twice.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import Edge, Edges, read_edges, with_edges
from tinycc.errors import TrainingError
from tinycc.graph import Node, OperatorGraph, Value
from tinycc.ops.checked_rate import checked_rate
from tinycc.ops.cross_entropy import cross_entropy, cross_entropy_gradient
from tinycc.ops.gather import Gather
from tinycc.ops.quantize import Dequantize
from tinycc.ops.softmax.view import Softmax
from tinycc.ops.squared_error import squared_error, squared_error_gradient
from tinycc.ops.tensor import Tensor
from tinycc.ops.trained_layer import TrainedLayer
from tinycc.states import read_states
from tinycc.training.gradient_rules import (
    bounds_of,
    image_of,
    layer_input_gradient,
    layer_sums,
    operand_gradients,
)
from tinycc.training.gradients import ARITHMETICS, Gradient, GradientType
from tinycc.training.scaling import banded
from tinycc.training.update_rule import DEFAULT_RULE, UpdateRule
from tinycc.training.updates import BIAS, WEIGHTS, updates_of
from tinycc.training.writer import StepWriter

Loss = Literal["cross_entropy", "squared_error"]


@tvm.transform.module_pass(opt_level=0, name="BuildBackward")
class BuildBackward:
    """Module pass; see above. Raises TrainingError for an operator without a gradient."""

    def __init__(
        self,
        loss: Loss = "cross_entropy",
        rule: UpdateRule = DEFAULT_RULE,
        gradients: GradientType = "float",
    ) -> None:
        """rule: of updates. gradients: what they are computed in."""
        self.loss, self.rule, self.gradients = loss, rule, gradients

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Write loss, gradients and updates."""
        return _Backward(OperatorGraph.of(module), self.rule, self.loss, self.gradients).built()


class _Backward:
    """The training step of a graph, while it is written.

    gradients: of values, as far as they are known.
    rate: what gradients are multiplied by, once something has overflowed 0.
    """

    def __init__(
        self, graph: OperatorGraph, rule: UpdateRule, loss: Loss, gradient_type: GradientType
    ) -> None:
        self.graph, self.rule, self.loss = graph, rule, loss
        self.writer = StepWriter(graph)
        self.arithmetic = ARITHMETICS[gradient_type](self.writer)
        self.gradients: dict[Value, Gradient] = {}
        *_, self.rate, self.step, self.skipped = graph.states
        told = list(zip(graph.states, read_states(graph.main), strict=True))
        self.trained = [variable for variable, state in told if state.is_trained]
        states = {state.name: variable for variable, state in told}
        self.updates = updates_of(self.writer, rule, states, self.trained)
        self.reached = _behind(graph, self.trained)

    def built(self) -> tvm.IRModule:
        """The module of the step."""
        logits = self.logits()
        maker, shape = self.graph.makers[logits], self.graph.tensor_of(logits).shape
        flat = self.writer.reshaped(maker.variable, (1, math.prod(shape)))
        target, (loss, gradient) = self.losses(flat, maker.view.outputs[0])
        given = self.rate = self.updates.rate_of_example(self.rate)
        self.check(loss)
        self.updates.begin(self.rate)
        gradient = self.writer.reshaped(gradient, shape)
        self.gradients[logits] = self.arithmetic.of_loss(maker, gradient, bounds_of(maker.view))
        for node in reversed(self.graph.nodes):
            if not self.reached.isdisjoint(node.results) and node.variable in self.gradients:
                self.go_through(node)
        one = relax.const(np.array([1], np.int32))
        next_values = self.updates.next_values
        next_values[self.step] = self.writer.emit("next_step", relax.op.add(self.step, one))
        is_skipped = self.writer.emit("is_skipped", relax.op.not_equal(self.rate, given))
        count = self.writer.emit("count", relax.op.astype(is_skipped, "int32"))
        next_values[self.skipped] = self.writer.emit("skipped", relax.op.add(self.skipped, count))
        inputs = self.graph.parameters[: len(self.graph.parameters) - len(self.graph.states)]
        # What a streaming model remembers moves on as in an inference.
        before = tvm_adapter.returned(self.graph.main)[-len(self.graph.states) :]
        states = [
            next_values.get(state, value) for state, value in zip(self.graph.states, before, strict=True)
        ]
        return self.writer.module([*inputs, target, *self.graph.states], [loss, *states], _with_target)

    def losses(self, flat: relax.Var, output: Tensor) -> tuple[relax.Var, tuple[relax.Var, relax.Var]]:
        """The step's last input, and the loss of an output, [1, elements], with its gradient."""
        if self.loss == "cross_entropy":
            target = relax.Var("label", relax.TensorType((1,), "int32"))
            made = [
                make(flat, target, scale=output.real_scale)
                for make in (cross_entropy, cross_entropy_gradient)
            ]
        else:
            target = relax.Var("target", relax.TensorType(tvm_adapter.shape_of(flat), "float32"))
            made = [
                make(flat, target, scale=output.real_scale, zero_point=output.zero_point)
                for make in (squared_error, squared_error_gradient)
            ]
        loss, gradient = (self.writer.call(composite, (flat, target)) for composite in made)
        return target, (loss, gradient)

    def check(self, values: relax.Var) -> None:
        """Update nothing from here on where these have overflowed."""
        operands = (values, self.rate)
        self.rate = self.writer.call(checked_rate(*operands), operands)

    def logits(self) -> Value:
        """What the loss is of: the first result before a softmax or a dequantize."""
        value = self.graph.results[0]
        while value in self.graph.makers and isinstance(self.graph.makers[value].view, Softmax | Dequantize):
            value = self.graph.makers[value].operands[0]
        if value not in self.graph.makers or self.graph.tensor_of(value).dtype != "int8":
            raise TrainingError("the first result of the model is not computed in int8: it has no loss")
        return value

    def go_through(self, node: Node) -> None:
        """Hand the gradient of an operator's result on to its operands, and let what it trains take it."""
        gradient = self.gradients.pop(node.variable)
        if isinstance(node.view, TrainedLayer):
            found = self.train(node, node.view, gradient)
        else:
            found = operand_gradients(self.arithmetic, node, gradient)
        for index, part in found.items():
            value = node.operands[index]
            if value is None or value not in self.reached:
                continue
            shaped = self.arithmetic.reshaped(part, self.graph.tensor_of(value).shape)
            before = self.gradients.get(value)
            self.gradients[value] = shaped if before is None else self.arithmetic.added(before, shaped)

    def train(self, node: Node, layer: TrainedLayer, gradient: Gradient) -> Mapping[int, Gradient]:
        """Update the weights and the bias of a layer; return the gradient of its input, where needed."""
        source, weights, _ = layer.inputs
        operands = [
            None if item.parameter is None else node.call.args[item.parameter] for item in layer.inputs
        ]
        factors = layer.multipliers.astype(np.float32)
        geometry = (layer.window, layer.groups)
        sums = layer_sums(self.arithmetic, node, gradient, factors, layer.output_range, geometry)
        if self.arithmetic.can_overflow:
            self.check(sums.values)
        scales = banded(
            np.broadcast_to(np.asarray(weights.scale), (len(layer.multipliers),)).astype(np.float32)
        )
        # The bias first: the gradient of the input may then be written over that of the sums, unless weights
        # train, whose update has to wait for it.
        if operands[2] is not None:
            scaling = self.scaling(scales * np.float32(source.real_scale))
            self.updates.change(operands[2], BIAS, [sums.values], self.rate, sums, scaling=scaling)
        parts = self.input_gradients(node, layer, sums) if node.operands[0] in self.reached else []
        if operands[1] is not None:
            self.update_weights(node, layer, sums, scales)
        return {0: self.joined(node, parts)} if parts else {}

    def input_gradients(self, node: Node, layer: TrainedLayer, sums: Gradient) -> list[Gradient]:
        """The gradient of a layer's input by the weights as the inference had them.

        Where the weights of some channels train: that of the frozen ones, and that of the others.
        """
        return [
            layer_input_gradient(self.arithmetic, node, sums, weights, layer.window, layer.groups)
            for weights in self.old_weights(node)
        ]

    def joined(self, node: Node, parts: list[Gradient]) -> Gradient:
        """The gradient of a layer's input of what `input_gradients` gives."""
        if len(parts) == 1:
            return parts[0]
        places = self.graph.makers[node.operands[1]].view
        assert isinstance(places, Gather)
        joined = self.writer.emit("gradients", relax.op.concat([part.values for part in parts], -1))
        indices = tvm_adapter.make_constant(places.indices.astype(np.int64))
        values = self.writer.emit("gradient", relax.op.take(joined, indices, -1))
        return replace(parts[0], values=values)

    def old_weights(self, node: Node) -> list[relax.Expr]:
        """The weights of a layer as the inference had them, in parts that are not put together."""
        weights = node.view.inputs[1]
        if weights.value is not None:
            return [tvm_adapter.make_constant(weights.value)]
        maker = self.graph.makers.get(node.operands[1])
        if maker is None:
            return [node.call.args[weights.parameter]]
        assert isinstance(maker.view, Gather)
        if maker.view.axis == 0:  # of a depthwise convolution, whose sums would have to be taken apart
            return [self.writer.again(maker)]
        joined = self.graph.makers[maker.operands[0]]
        frozen, state = joined.view.inputs[0].value, joined.operands[1]
        assert frozen is not None
        return [tvm_adapter.make_constant(frozen), state]

    def update_weights(self, node: Node, layer: TrainedLayer, sums: Gradient, scales: np.ndarray) -> None:
        """Update the weights of a layer, or of those of its channels that train.

        sums: the gradient of its weighted sums, an image. scales: of the weights, float32 [outputs].
        """
        source = node.call.args[layer.inputs[0].parameter]
        state, channels, axis = self.trained_part(node)
        values = sums.values
        groups = layer.groups
        if channels is not None:
            indices = tvm_adapter.make_constant(channels.astype(np.int64))
            # In front of the layer: only what is chosen has to be kept.
            source = self.writer.emit("kept", relax.op.take(source, indices, -1), node.variable)
            if axis == 0:  # depthwise: sums of other channels are of no use
                values = self.writer.emit("sums", relax.op.take(values, indices, -1))
                groups, scales = len(channels), scales[channels]
        image = self.writer.reshaped(
            source, (*image_of(layer.inputs[0])[:3], tvm_adapter.shape_of(source)[-1])
        )
        self.updates.change(
            state,
            WEIGHTS,
            [values, image],
            self.rate,
            sums,
            zero_point=layer.inputs[0].zero_point,
            scaling=self.scaling(scales),
            window=layer.window,
            groups=groups,
            bits=sums.bits,
        )

    def trained_part(self, node: Node) -> tuple[relax.Var, np.ndarray | None, int]:
        """The state of a layer's weights, which channels it is of, None for all, and on which axis.

        What `mark_trainable` writes is undone: a choice of places in frozen weights and those that train.
        """
        value = node.operands[1]
        if value in self.trained:
            assert isinstance(value, relax.Var)
            return value, None, 3
        places = self.graph.makers[value]
        assert isinstance(places.view, Gather)
        joined = self.graph.makers[places.operands[0]]
        state = joined.operands[1]
        assert isinstance(state, relax.Var)
        frozen = joined.view.inputs[0].shape[places.view.axis]
        order = places.view.indices.astype(int)
        return state, np.flatnonzero(order >= frozen), places.view.axis

    def scaling(self, scales: np.ndarray) -> np.ndarray:
        """What gradients of integers of these scales are multiplied by, float32."""
        ones = np.ones_like(scales)
        return (ones / scales**2).astype(np.float32) if self.rule.is_scaled else ones


def _behind(graph: OperatorGraph, trained: Sequence[relax.Var]) -> set[Value]:
    """The values that depend on what trains."""
    reached: set[Value] = set(trained)
    for node in graph.nodes:
        if not reached.isdisjoint(node.reads):
            reached.update(node.results)
    return reached - set(trained)


def _with_target(main: relax.Function) -> relax.Function:
    """`main` of a step with its edges: the network's inputs and what is right, and the loss."""
    edges = read_edges(tvm.IRModule({"main": main}))
    target = main.params[len(edges.inputs)]
    edge = Edge(target.name, tvm_adapter.dtype_of(target), tvm_adapter.shape_of(target))
    return with_edges(main, Edges((*edges.inputs, edge), (Edge("loss", "float32", (1,)),)))
