"""All converters of torch operators, each held to the shape and the type that torch says.

None of TVM's own is used: it has no padding by name, reads pools that round up in its own way, and imports
adaptive pooling, splits and slices as operators that the normal form does not have.
"""

from typing import Any

import torch
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import ModelError, TinyccError, UnsupportedError
from tinycc.frontend.torch import arithmetic, layers, movement
from tinycc.frontend.torch.base import Converter
from tinycc.frontend.torch.nodes import STORED_TYPES, title

CONVERTERS: dict[str, Converter] = {
    **layers.CONVERTERS,
    **arithmetic.CONVERTERS,
    **movement.CONVERTERS,
}


def checked(convert: Converter) -> Converter:
    """`convert`, whose results must have the shapes and types of the node's; its errors name the node."""

    def converted(node: torch.fx.Node, importer: Any) -> Any:
        expected = node.meta["val"]
        tensors = [expected] if isinstance(expected, torch.Tensor) else list(expected)
        # Of several results those count that somebody takes.
        taken: set[Any] = {0} if expected is tensors[0] else {reader.args[1] for reader in node.users}
        if any(tensors[place].numel() == 0 for place in taken):
            raise UnsupportedError(f"{title(node)} gives a tensor without elements")
        try:
            result = convert(node, importer)
        except TinyccError as error:
            if title(node) in str(error):
                raise
            raise type(error)(f"{title(node)}: {error}") from error
        for value, tensor in zip(result if isinstance(result, list) else [result], tensors, strict=False):
            _compare(node, value, tensor)
        return result

    return converted


def _compare(node: torch.fx.Node, value: relax.Expr, tensor: torch.Tensor) -> None:
    """ModelError where an imported tensor is not what torch says."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    expected = f"{STORED_TYPES.get(tensor.dtype, (dtype, 0))[0]} {[int(size) for size in tensor.shape]}"
    imported = f"{tvm_adapter.dtype_of(value)} {list(tvm_adapter.shape_of(value))}"
    if imported != expected:
        raise ModelError(f"{title(node)} was read as {imported}, where torch has {expected}")
