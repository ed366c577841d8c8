"""Attention, in a float torch graph, becomes the products that it is made of, and its masks are added.

Before: scaled_dot_product_attention(q, k, v, mask); masked_fill(x, mask, -inf)
After:  matmul(softmax(add(matmul(q * scale, transpose(k, -2, -1)), mask), -1), v); add(x, mask)
Requires: an exported module. Masks that depend on the inputs, and groups of queries, are left alone.
"""

import math
from typing import Any

import torch

from tinycc.frontend.torch.fusion import NOTHING, SOFTMAX, value_of
from tinycc.frontend.torch.nodes import arguments, operator
from tinycc.frontend.torch.rewriting import insert_call, insert_constant

aten = torch.ops.aten

ATTENTION, FILLING = "aten.scaled_dot_product_attention.default", "aten.masked_fill.Scalar"


def attention_as_products(model: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """The graph with products and softmax in place of attention, as far as masks are constants."""
    for node in list(model.graph.nodes):
        replace = {
            ATTENTION: _products,
            FILLING: _filled,
            "aten.add.Tensor": _added,
        }.get(operator(node))
        if replace is None:
            continue
        with model.graph.inserting_before(node):
            result = replace(node)
        if result is None:
            continue
        node.replace_all_uses_with(result)
        model.graph.erase_node(node)
        if replace is _products:
            # Its result lies otherwise in memory, which a view may have counted on.
            for view in model.graph.find_nodes(op="call_function", target=aten.view.default):
                view.target = aten.reshape.default
    model.graph.eliminate_dead_code()
    model.recompile()
    return model


def _products(node: torch.fx.Node) -> torch.fx.Node | None:
    """The last of the operators that compute what an attention does; None for one that is left alone."""
    given = arguments(node)
    query, key, value = (given[name] for name in ("query", "key", "value"))
    mask = None
    if given["attn_mask"] is not None:
        mask = _evaluated(given["attn_mask"])
        if mask is None:
            return None
    if given["enable_gqa"] or given["dropout_p"]:
        return None
    tensor, keys = value_of(query), value_of(key)
    assert tensor is not None and keys is not None
    if given["is_causal"]:
        mask = torch.ones(tensor.shape[-2], keys.shape[-2], dtype=torch.bool).tril()
    scale = 1 / math.sqrt(tensor.shape[-1]) if given["scale"] is None else given["scale"]
    # Of the three the query is scaled, as it has no more elements than the products.
    scaled = insert_call(node, aten.mul.Tensor, query, scale)
    scores = insert_call(
        node, aten.matmul.default, scaled, insert_call(node, aten.transpose.int, key, -2, -1)
    )
    if mask is not None:
        closed = mask if mask.is_floating_point() else _closed(~mask)
        scores = insert_call(node, aten.add.Tensor, scores, insert_constant(node, closed))
    return insert_call(node, aten.matmul.default, insert_call(node, aten.softmax.int, scores, -1), value)


def _filled(node: torch.fx.Node) -> torch.fx.Node | None:
    """What is filled with a number beside which nothing counts: that is added."""
    given = arguments(node)
    mask = _evaluated(given["mask"])
    if mask is None or given["value"] > NOTHING or not _is_softmax_of(node):
        return None
    return insert_call(node, aten.add.Tensor, given["self"], insert_constant(node, _closed(mask)))


def _added(node: torch.fx.Node) -> torch.fx.Node | None:
    """The sum of scores and of a constant that is computed."""
    scores, mask = node.args[:2]
    if not isinstance(mask, torch.fx.Node) or mask.op == "get_attr" or not _is_softmax_of(node):
        return None
    value = _evaluated(mask)
    if value is None:
        return None
    return insert_call(node, aten.add.Tensor, scores, insert_constant(node, value))


def _is_softmax_of(node: torch.fx.Node) -> bool:
    return bool(node.users) and all(operator(reader) in SOFTMAX for reader in node.users)


def _closed(mask: torch.Tensor) -> torch.Tensor:
    """Minus infinity where a mask is True, else 0."""
    return torch.zeros(mask.shape).masked_fill(mask, -math.inf)


def _evaluated(node: torch.fx.Node) -> torch.Tensor | None:
    """What a node computes of buffers and numbers alone; None where it reads an input or a parameter."""
    if node.op == "get_attr":
        value = value_of(node)
        return None if isinstance(value, torch.nn.Parameter) else value
    if not callable(node.target):
        return None
    values: dict[torch.fx.Node, Any] = {source: _evaluated(source) for source in node.all_input_nodes}
    if any(value is None for value in values.values()):
        return None
    operands, options = torch.fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
    result = node.target(*operands, **options)
    return result if isinstance(result, torch.Tensor) else None
