"""Scaled dot-product attention, in a float torch graph, becomes the products that it is made of.

Before: scaled_dot_product_attention(q, k, v)
After:  matmul(softmax(matmul(q * scale, transpose(k, -2, -1)), -1), v)
Requires: an exported module. Masks, causal ones too, are left alone: no int8 stands for minus infinity.
"""

import math

import torch

from tinycc.frontend.torch.fusion import value_of
from tinycc.frontend.torch.nodes import arguments, operator
from tinycc.frontend.torch.rewriting import insert_call

aten = torch.ops.aten


def attention_as_products(model: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """The graph with products and a softmax in place of each attention without a mask."""
    for node in list(model.graph.nodes):
        if operator(node) != "aten.scaled_dot_product_attention.default":
            continue
        given = arguments(node)
        if given["attn_mask"] is not None or given["is_causal"] or given["enable_gqa"]:
            continue
        with model.graph.inserting_before(node):
            node.replace_all_uses_with(_products(node))
        model.graph.erase_node(node)
        # Its result lies otherwise in memory, which a view may have counted on.
        for view in model.graph.find_nodes(op="call_function", target=aten.view.default):
            view.target = aten.reshape.default
    model.recompile()
    return model


def _products(node: torch.fx.Node) -> torch.fx.Node:
    """The last of the operators that compute what `node` does."""
    given = arguments(node)
    query, key, value = (given[name] for name in ("query", "key", "value"))
    tensor = value_of(query)
    assert tensor is not None
    scale = 1 / math.sqrt(tensor.shape[-1]) if given["scale"] is None else given["scale"]
    # Of the three the query is scaled, as it has no more elements than the products.
    scaled = insert_call(node, aten.mul.Tensor, query, scale)
    products = insert_call(
        node, aten.matmul.default, scaled, insert_call(node, aten.transpose.int, key, -2, -1)
    )
    return insert_call(node, aten.matmul.default, insert_call(node, aten.softmax.int, products, -1), value)
