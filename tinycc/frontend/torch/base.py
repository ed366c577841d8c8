"""What the converters of torch operators have in common. Layouts are torch's, [N, C, (H,) W]."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.torch.nodes import arguments, title

# From a node and TVM's importer to the node's value: an expression, or a list of them for several tensors.
Converter = Callable[[torch.fx.Node, Any], Any]


def source_of(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """The operand that the operator's schema calls "self" or "input"."""
    given = arguments(node)
    return importer.env[given.get("self", given.get("input"))]


def operand(value: Any, importer: Any) -> relax.Expr:
    """A tensor of the program, or a number."""
    return importer.env[value] if isinstance(value, torch.fx.Node) else relax.const(value, "float32")


def emit(importer: Any, value: relax.Expr) -> relax.Expr:
    """The variable that holds `value`."""
    return importer.block_builder.emit(value)


def reshaped(importer: Any, value: relax.Expr, shape: Sequence[int]) -> relax.Expr:
    """`value` with another shape."""
    if tvm_adapter.shape_of(value) == tuple(shape):
        return value
    return emit(importer, relax.op.reshape(value, tuple(shape)))


def each(value: Any, rank: int) -> list[int]:
    """A number for each spatial axis, where one may stand for all; UnsupportedError for other lengths."""
    numbers = listed(value)
    if len(numbers) not in (1, rank):
        raise UnsupportedError(f"{numbers} has not one number for each of {rank} axes")
    return numbers * rank if len(numbers) == 1 else numbers


def listed(value: Any) -> list[int]:
    """A number, or a list of numbers, as a list."""
    return [int(number) for number in value] if isinstance(value, Sequence) else [int(value)]


def axes_of(value: Any, rank: int) -> list[int]:
    """Axes from the front, in order; all of them where none is given. UnsupportedError for one too many."""
    given = list(range(rank)) if value is None or value == [] else listed(value)
    if not all(-rank <= axis < rank for axis in given):
        raise UnsupportedError(f"the axes {value} of a tensor that has {rank} are not supported")
    return sorted(axis % rank for axis in given)


def spatial_of(node: torch.fx.Node, value: relax.Expr, rank: int) -> tuple[int, ...]:
    """The sizes behind batch and channels; UnsupportedError for a tensor without a batch axis."""
    shape = tvm_adapter.shape_of(value)
    if len(shape) != 2 + rank:
        raise UnsupportedError(f"{title(node)}: its input must have a batch axis")
    return shape[2:]
