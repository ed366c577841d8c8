"""Gradients of a quantized network from the real numbers that its operators' bodies say, by torch's autograd.

It knows nothing of views: composites are gone through operator of Relax by operator of Relax, in float64. A
`quantize` has the integer that the network has computed for its result, and passes gradients straight through
where that is inside its clamp.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional
from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import Value
from tinycc.ops.fixed_point import activation_range
from tinycc.training.simulation import IntegerNetwork

Tensors = dict[str, torch.Tensor]


def real_gradients(
    network: IntegerNetwork, integers: Mapping[Value, torch.Tensor], label: int
) -> tuple[torch.Tensor, Tensors]:
    """The cross entropy of a case, and its gradients by the integers of weights (OHWI) and biases.

    integers: of every value of the graph, [1, ...], in double.
    """
    graph = network.graph
    carriers = {variable: integers[variable] for variable in graph.parameters}
    leaves: Tensors = {}
    names = {layer.node.index: name for name, layer in network.layers.items()}
    for node in graph.nodes:
        function = graph.module[node.call.op]
        body = _Body(function, integers[node.variable], names.get(node.index, ""), leaves)
        for parameter, argument in zip(function.params, node.call.args, strict=True):
            value = carriers[graph.values[argument]]
            body.values[parameter] = value.reshape(tvm_adapter.shape_of(parameter))
        for binding in tvm_adapter.bindings_of(function):
            body.values[binding.var] = body.computed(binding.value)
        carriers[node.variable] = body.values[binding.var]
    output = graph.makers[graph.results[0]].view.outputs[0]
    logits = (carriers[graph.results[0]] - output.zero_point) * output.real_scale
    loss = functional.cross_entropy(logits.reshape(1, -1), torch.tensor([label]))
    found = torch.autograd.grad(loss, list(leaves.values()))
    return loss.detach(), dict(zip(leaves, found, strict=True))


class _Body:
    """The values of a composite's variables.

    result: the integers of its result. layer: its name, "" where it has no weights. leaves: weights and
    biases of all layers, which are added to.
    """

    def __init__(self, function: relax.Function, result: torch.Tensor, layer: str, leaves: Tensors) -> None:
        self.result, self.layer, self.leaves = result, layer, leaves
        calls = [binding.value for binding in tvm_adapter.bindings_of(function)]
        self.layout = next(
            (
                str(call.attrs.kernel_layout)
                for call in calls
                if tvm_adapter.op_name(call) == "relax.nn.conv2d"
            ),
            "",
        )
        self.values: dict[relax.Var, torch.Tensor] = {}
        self.bounds: tuple[float | None, float | None] = (None, None)

    def computed(self, expr: relax.Expr) -> torch.Tensor:
        if isinstance(expr, relax.Var):
            return self.values[expr]
        return getattr(self, tvm_adapter.op_name(expr).rpartition(".")[2])(expr.attrs, *expr.args)

    def dequantize(self, attrs: Any, stored: relax.Expr, scale: relax.Expr, zero_point: relax.Expr) -> Any:
        scales, zero_points = (
            torch.tensor(tvm_adapter.constant_value(item)).double() for item in (scale, zero_point)
        )
        if isinstance(stored, relax.Var):
            return (self.values[stored] - zero_points) * scales
        value = torch.tensor(tvm_adapter.constant_value(stored)).double()
        shape = [1] * value.ndim
        if scales.ndim:
            shape[int(attrs.axis)] = -1
        if self.layer:
            kind = "bias" if value.ndim == 1 else "weights"
            arranged = value if kind == "bias" else self.arranged(value)
            leaf = self.leaves[f"{self.layer}_{kind}"] = arranged.requires_grad_()
            value = leaf if kind == "bias" else self.restored(leaf, value.shape)
        return (value - zero_points.reshape(shape if zero_points.ndim else ())) * scales.reshape(shape)

    def arranged(self, weights: torch.Tensor) -> torch.Tensor:
        """Weights as OHWI."""
        if weights.ndim == 2:
            return weights.T[:, None, None].clone()
        return weights.permute([self.layout.index(axis) for axis in "OHWI"]).clone()

    def restored(self, weights: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        """The other way round."""
        if len(shape) == 2:
            return weights[:, 0, 0].T
        return weights.permute(["OHWI".index(axis) for axis in self.layout])

    def quantize(self, attrs: Any, real: relax.Expr, scale: relax.Expr, zero_point: relax.Expr) -> Any:
        step, zero = (float(tvm_adapter.constant_value(item)) for item in (scale, zero_point))
        low, high = activation_range(*self.bounds, step, int(zero), "int8")
        scaled = self.values[real] / step
        inside = (self.result > low) & (self.result < high)
        return self.result.reshape(scaled.shape) + (scaled - scaled.detach()) * inside.reshape(scaled.shape)

    def relu(self, attrs: Any, real: relax.Expr) -> torch.Tensor:
        """The clamp is that of the quantize behind it."""
        self.bounds = (0.0, None)
        return self.values[real]

    def clip(self, attrs: Any, real: relax.Expr, low: relax.Expr, high: relax.Expr) -> torch.Tensor:
        self.bounds = (float(low.value), float(high.value))
        return self.values[real]

    def conv2d(self, attrs: Any, image: relax.Expr, weights: relax.Expr) -> torch.Tensor:
        top, left, bottom, right = (int(width) for width in attrs.padding)
        padded = functional.pad(self.values[image].permute(0, 3, 1, 2), (left, right, top, bottom))
        strides, dilation = ([int(step) for step in pair] for pair in (attrs.strides, attrs.dilation))
        kernel = self.values[weights].permute([self.layout.index(axis) for axis in "OIHW"])
        return functional.conv2d(
            padded, kernel, None, strides, 0, dilation, int(attrs.groups)
        ).permute(0, 2, 3, 1)  # fmt: skip

    def avg_pool2d(self, attrs: Any, image: relax.Expr) -> torch.Tensor:
        sizes, strides = ([int(step) for step in pair] for pair in (attrs.pool_size, attrs.strides))
        pooled = functional.avg_pool2d(self.values[image].permute(0, 3, 1, 2), sizes, strides)
        return pooled.permute(0, 2, 3, 1)

    def max_pool2d(self, attrs: Any, image: relax.Expr) -> torch.Tensor:
        sizes, strides = ([int(step) for step in pair] for pair in (attrs.pool_size, attrs.strides))
        pooled = functional.max_pool2d(self.values[image].permute(0, 3, 1, 2), sizes, strides)
        return pooled.permute(0, 2, 3, 1)

    def mean(self, attrs: Any, image: relax.Expr) -> torch.Tensor:
        return self.values[image].mean([int(axis) for axis in attrs.axis], keepdim=bool(attrs.keepdims))

    def matmul(self, attrs: Any, a: relax.Expr, b: relax.Expr) -> torch.Tensor:
        return self.values[a] @ self.values[b]

    def add(self, attrs: Any, a: relax.Expr, b: relax.Expr) -> torch.Tensor:
        return self.values[a] + self.values[b]

    def subtract(self, attrs: Any, a: relax.Expr, b: relax.Expr) -> torch.Tensor:
        return self.values[a] - self.values[b]

    def multiply(self, attrs: Any, a: relax.Expr, b: relax.Expr) -> torch.Tensor:
        return self.values[a] * self.values[b]
