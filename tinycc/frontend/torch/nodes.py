"""What one node of a torch.export program says: its operator, its arguments by name, its shape."""

from typing import Any

import torch

QUANTIZE = "quantized_decomposed.quantize_per_"
DEQUANTIZE = "quantized_decomposed.dequantize_per_"
QUANTIZATIONS = {
    f"quantized_decomposed.{name}"
    for name in (
        "quantize_per_tensor.default", "quantize_per_tensor.tensor", "quantize_per_tensor.tensor2",
        "quantize_per_channel.default", "dequantize_per_tensor.default", "dequantize_per_tensor.tensor",
        "dequantize_per_tensor.tensor2", "dequantize_per_channel.default",
    )
}  # fmt: skip
# A node that takes one tensor of several.
GETITEM = "<built-in function getitem>"

# Integer types of PT2E: what they are stored as, and the shift that takes.
STORED_TYPES = {
    torch.int8: ("int8", 0),
    torch.uint8: ("int8", 128),
    torch.int16: ("int16", 0),
    torch.int32: ("int32", 0),
}


def operator(node: torch.fx.Node) -> str:
    """What a node calls, e.g. "aten.conv2d.default"; "" for inputs, constants and the output."""
    return str(node.target) if node.op == "call_function" else ""


def title(node: torch.fx.Node) -> str:
    """How a node is named in messages."""
    kind = operator(node).split(".")
    return f"{kind[1] if len(kind) > 1 else node.op} {node.name!r}"


def is_quantize(node: torch.fx.Node) -> bool:
    """Whether a node makes integers of real numbers."""
    return operator(node).startswith(QUANTIZE)


def is_dequantize(node: torch.fx.Node) -> bool:
    """Whether a node makes real numbers of integers."""
    return operator(node).startswith(DEQUANTIZE)


def arguments(node: torch.fx.Node) -> dict[str, Any]:
    """The arguments of a node by the names of the operator's schema, defaults filled in."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]
    values = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    values |= {argument.name: value for argument, value in zip(schema, node.args, strict=False)}
    return values | dict(node.kwargs)


def shape_of(node: torch.fx.Node) -> tuple[int, ...]:
    """The static shape of a node's tensor."""
    return tuple(int(size) for size in node.meta["val"].shape)
