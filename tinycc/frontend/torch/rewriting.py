"""Writing operators into the graph of an exported torch module."""

from collections.abc import Callable
from typing import Any

import torch

from tinycc.frontend.torch.fusion import value_of


def insert_call(like: torch.fx.Node, target: Callable, *operands: Any) -> torch.fx.Node:
    """A new node that calls an operator, where the graph inserts nodes, as part of the module of `like`."""
    node = like.graph.call_function(target, operands)
    node.meta = {
        "nn_module_stack": like.meta.get("nn_module_stack", {}),
        "val": target(*(value_of(each) if isinstance(each, torch.fx.Node) else each for each in operands)),
    }
    return node


def insert_constant(like: torch.fx.Node, value: torch.Tensor) -> torch.fx.Node:
    """A new buffer of the graph's module, and the node that reads it."""
    model = like.graph.owning_module
    assert model is not None
    name = f"{like.name}_constant"
    model.register_buffer(name, value)
    node = like.graph.get_attr(name)
    node.meta["val"] = value
    return node
