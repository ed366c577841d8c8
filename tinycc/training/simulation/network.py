"""A network of int8 in torch: the integers of its generated C for many inputs at once, with gradients."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
import tvm

from tinycc.compiler import load
from tinycc.edges import read_edges
from tinycc.errors import UnsupportedError
from tinycc.graph import Node, OperatorGraph, Value
from tinycc.ops.softmax.view import Softmax
from tinycc.ops.tensor import Tensor
from tinycc.run.folder import DeviceTensor
from tinycc.run.tensors import device_arrays
from tinycc.training.layers import Layer, layers_of
from tinycc.training.planned_step import forward_of
from tinycc.training.simulation.layer_output import layer_output
from tinycc.training.simulation.operators import COMPUTE
from tinycc.training.simulation.straight_through import Rounded, straight_through

# Weights and biases, by name: "conv2d_0_weights", "conv2d_0_bias" ...
Parameters = Mapping[str, torch.Tensor]
# Of tensors of the graph, [runs or 1, cases, *shape].
Values = Mapping[Value, torch.Tensor]
# What an operator makes of its operands.
Output = Callable[[Node, list[torch.Tensor]], torch.Tensor]


def weights_name(layer: str) -> str:
    """The parameter that a layer's weights are."""
    return f"{layer}_weights"


def bias_name(layer: str) -> str:
    """The parameter that a layer's bias is."""
    return f"{layer}_bias"


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """The operators of a network, to be run on whole numbers in torch.

    graph: of the module, all of whose operators are composites. layers: those with weights, by name.
    """

    graph: OperatorGraph
    layers: Mapping[str, Layer]

    @classmethod
    def of(cls, module: tvm.IRModule) -> "IntegerNetwork":
        """Of a module whose operators are composites. UnsupportedError for what cannot be simulated."""
        graph = OperatorGraph.of(module)
        layers = layers_of(graph)
        with_weights = {layer.node.variable for layer in layers.values()}
        for node in graph.nodes:
            tensors = [*node.view.inputs, *node.view.outputs]
            is_known = node.variable in with_weights or type(node.view) in COMPUTE
            if not is_known or any(tensor.dtype != "int8" for tensor in tensors):
                raise UnsupportedError(
                    f"{node.view.kind} with the result {node.view.outputs[0]} cannot be simulated in training"
                )
        return cls(graph, layers)

    @classmethod
    def load(cls, model: Any) -> "IntegerNetwork":
        """Of a model file of int8, or what else `tinycc.compile` takes."""
        return cls.of(forward_of(load(model)))

    def read_inputs(self, inputs: Sequence[np.ndarray], device: torch.device | str = "cpu") -> Values:
        """Arrays in the model file's own form, as for `CompiledModel.run`: int8 [1, cases, *shape] for each.

        Raises InputDataError.
        """
        tensors = []
        for edge, variable in zip(read_edges(self.graph.module).inputs, self.graph.parameters, strict=True):
            tensor = self.graph.tensor_of(variable)
            tensors.append(
                DeviceTensor(
                    edge.name, tensor.shape, np.dtype(tensor.dtype), tensor.bytes, edge.scale,
                    edge.zero_point, edge.dtype, edge.shape, edge.permutation,
                )
            )  # fmt: skip
        arrays = device_arrays(tensors, inputs)
        return {
            variable: torch.tensor(array, device=device).reshape(1, -1, *self.graph.tensor_of(variable).shape)
            for array, variable in zip(arrays, self.graph.parameters, strict=True)
        }

    def parameters(self, device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
        """The weights, int8 [1, ...], and biases, int32 [1, outputs], of all layers as the file has them.

        The first axis is that of runs.
        """
        found = {}
        for name, layer in self.layers.items():
            found[weights_name(name)] = torch.tensor(layer.weights, device=device)[None]
            found[bias_name(name)] = torch.tensor(layer.bias, device=device)[None]
        return found

    @cached_property
    def logits(self) -> Tensor:
        """What the loss is of: the first result, or what a softmax makes it of."""
        return self.graph.makers[self.logits_value].view.outputs[0]

    @cached_property
    def logits_value(self) -> Value:
        """The value of the graph that `logits` is."""
        value = self.graph.results[0]
        makers = self.graph.makers
        while value in makers and isinstance(makers[value].view, Softmax):
            value = makers[value].operands[0]
        if value is None or value not in makers:
            raise UnsupportedError("the first result of the model is not computed: there is nothing to learn")
        return value

    def forward(
        self, parameters: Parameters, values: Values, dtype: torch.dtype = torch.float32
    ) -> torch.Tensor:
        """The integers of `logits`, [runs, cases, *shape], of type `dtype`, which gradients have as well.

        parameters: as `parameters()` has them, or such numbers in a floating-point type, to be differentiated
            by: biases in float64, as float32 does not hold all; those of several runs one behind the other.
        values: of the model's inputs, or others that all is computed from (`before`); whole numbers
            [runs or 1, cases, *shape].
        """
        return self.run(values, dtype, [self.logits_value], partial(self._output, parameters))[0]

    def integers(
        self, parameters: Parameters, values: Values, wanted: Iterable[Value]
    ) -> dict[Value, torch.Tensor]:
        """Those of any values of the graph, [runs, cases, *shape], in double; not differentiated."""
        wanted = list(wanted)
        with torch.no_grad():
            found = self.run(values, torch.float64, wanted, partial(self._output, parameters))
            return dict(zip(wanted, found, strict=True))

    def outputs(self, parameters: Parameters, values: Values) -> list[torch.Tensor]:
        """Those of all results of the model."""
        results = [value for value in self.graph.results if value is not None]
        return list(self.integers(parameters, values, results).values())

    def before(self, parameters: Parameters, values: Values, trained: Collection[str]) -> Values:
        """What comes before all that depends on the `trained` parameters, int8: it stays as it is.

        values: of the model's inputs.
        """
        changing = self.changing(trained)
        read = dict.fromkeys(
            value
            for node in _needed(self.graph, [self.logits_value], ())
            if not changing.isdisjoint(node.results)
            for value in node.reads
        )
        wanted = [value for value in read if value not in changing] or [self.logits_value]
        with torch.no_grad():
            computed = self.run(values, torch.float32, wanted, partial(self._output, parameters))
        return {value: result.to(torch.int8) for value, result in zip(wanted, computed, strict=True)}

    def changing(self, trained: Collection[str]) -> set[Value]:
        """The values that depend on the `trained` parameters."""
        found: set[Value] = set()
        for node in self.graph.nodes:
            names = self.parameters_of(node)
            if any(name in trained for name in names) or not found.isdisjoint(node.reads):
                found.update(node.results)
        return found

    def run(
        self, values: Values, dtype: torch.dtype, wanted: Sequence[Value], output: Output
    ) -> list[torch.Tensor]:
        """The integers of `wanted`, as `output` makes them; what nobody reads any more is forgotten."""
        found = {value: tensor.to(dtype) for value, tensor in values.items()}
        device = next(iter(found.values())).device
        nodes = _needed(self.graph, wanted, values)
        last_reader = {value: node for node in nodes for value in node.reads}
        for node in nodes:
            operands = [
                _constant(tensor, device, dtype) if value is None else _shaped(found[value], tensor)
                for value, tensor in zip(node.operands, node.view.inputs, strict=True)
            ]
            found[node.variable] = output(node, operands)
            for value in node.reads:
                if last_reader[value] is node and value not in wanted:
                    del found[value]
        return [found[value] for value in wanted]

    def made(
        self, parameters: Parameters, node: Node, operands: Sequence[torch.Tensor]
    ) -> Rounded | torch.Tensor:
        """What an operator makes: see `operators`."""
        layer = self._layer_of.get(node.index)
        if layer is None:
            made: Rounded | torch.Tensor = COMPUTE[type(node.view)](node.view, *operands)
            return made
        weights, bias = (parameters[name] for name in self.parameters_of(node))
        return layer_output(layer, operands[0], weights, bias)

    def parameters_of(self, node: Node) -> tuple[str, ...]:
        """The names of weights and bias of a layer; () of other operators."""
        layer = self._layer_of.get(node.index)
        return () if layer is None else (weights_name(layer.name), bias_name(layer.name))

    def _output(self, parameters: Parameters, node: Node, operands: Sequence[torch.Tensor]) -> torch.Tensor:
        """What an operator makes, to be differentiated."""
        made = self.made(parameters, node, operands)
        return straight_through(made) if isinstance(made, Rounded) else made

    @cached_property
    def _layer_of(self) -> dict[int, Layer]:
        """The layer that an operator is, by index."""
        return {layer.node.index: layer for layer in self.layers.values()}


def _needed(graph: OperatorGraph, wanted: Iterable[Value], given: Collection[Value]) -> list[Node]:
    """The operators that make what is wanted of what is given, in order."""
    values, nodes = set(wanted).difference(given), []
    for node in reversed(graph.nodes):
        if not values.isdisjoint(node.results):
            nodes.append(node)
            values.update(value for value in node.reads if value not in given)
    return nodes[::-1]


def _shaped(value: torch.Tensor, tensor: Tensor) -> torch.Tensor:
    """In the shape that an operator reads it in."""
    return value.reshape(*value.shape[:2], *tensor.shape)


def _constant(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """The same for all runs and cases."""
    return torch.tensor(tensor.value, device=device, dtype=dtype)[None, None]
