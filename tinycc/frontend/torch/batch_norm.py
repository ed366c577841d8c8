"""Batch normalization that follows no layer becomes a layer of its own, in a float torch graph.

Before: relu(batch_norm(cat(x, y)))
After:  relu(conv2d(cat(x, y), weights [C, 1, 1, 1], bias [C], groups=C))
Requires: an exported module in evaluation; what normalizes by the statistics of a batch is left alone.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from tinycc.frontend.torch.fusion import functional, value_of
from tinycc.frontend.torch.nodes import GETITEM, arguments
from tinycc.frontend.torch.operators import BATCH_NORMS, WEIGHTED
from tinycc.frontend.torch.rewriting import insert_call

aten = torch.ops.aten


def batch_norms_as_layers(model: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """The graph with depthwise convolutions in place of the normalizations that follow no layer."""
    for node in list(model.graph.nodes):
        if functional(node) not in BATCH_NORMS or arguments(node).get("training", False):
            continue
        source = node.args[0]
        if functional(source) in WEIGHTED and len(source.users) == 1:
            continue
        for result in list(_results(node)):
            with model.graph.inserting_before(result):
                result.replace_all_uses_with(_layer(model, node, source))
    model.graph.eliminate_dead_code()
    model.recompile()
    return model


def factor_and_offset(
    given: dict[str, Any], constant: Callable[[torch.fx.Node], Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a normalization multiplies each channel by and what it adds, both [channels].

    given: the arguments of its node. constant: gives the tensor [channels] of an operand.
    """
    mean, variance = constant(given["running_mean"]), constant(given["running_var"])
    factor = torch.rsqrt(variance + given["eps"])
    if given["weight"] is not None:
        factor = factor * constant(given["weight"])
    bias = 0.0 if given["bias"] is None else constant(given["bias"])
    return factor, bias - mean * factor


def _results(node: torch.fx.Node) -> Iterator[torch.fx.Node]:
    """The normalized tensor: the node, or the first of what it gives."""
    if isinstance(node.meta.get("val"), torch.Tensor):
        yield node
    else:
        yield from (user for user in node.users if functional(user) == GETITEM and user.args[1] == 0)


def _layer(model: torch.fx.GraphModule, node: torch.fx.Node, source: torch.fx.Node) -> torch.fx.Node:
    """The convolution with windows of one pixel that computes what `node` does."""
    factor, offset = factor_and_offset(arguments(node), value_of)
    value = value_of(source)
    assert value is not None
    dimensions = max(value.dim() - 2, 1)
    weights = factor.reshape(-1, 1, *(1,) * dimensions).detach().clone()

    def constant(name: str, tensor: torch.Tensor) -> torch.fx.Node:
        model.register_buffer(f"{node.name}_{name}", tensor)
        result = model.graph.get_attr(f"{node.name}_{name}")
        result.meta["val"] = value.new_empty(tensor.shape)
        return result

    is_vector = value.dim() == 2
    image = insert_call(node, aten.unsqueeze.default, source, -1) if is_vector else source
    convolution = aten.conv2d.default if dimensions == 2 else aten.conv1d.default
    zeros, ones = [0] * dimensions, [1] * dimensions
    operands = (constant("factor", weights), constant("offset", offset.detach().clone()))
    layer = insert_call(node, convolution, image, *operands, ones, zeros, ones, factor.numel())
    return insert_call(node, aten.squeeze.dim, layer, -1) if is_vector else layer
