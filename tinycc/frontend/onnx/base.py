"""An ONNX node as its converter sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError


@dataclass(frozen=True)
class Node:
    """An ONNX node whose inputs are converted; None is an input that is left out.

    shape: of the first result, as ONNX infers it.
    """

    builder: relax.BlockBuilder
    kind: str
    inputs: tuple[relax.Expr | None, ...]
    attributes: Mapping[str, Any]
    results: int
    shape: tuple[int, ...]

    @property
    def source(self) -> relax.Expr:
        """The first input."""
        return self.inputs[0]

    @property
    def source_shape(self) -> tuple[int, ...]:
        """The shape of the first input."""
        return tvm_adapter.shape_of(self.source)

    @property
    def dtype(self) -> str:
        """The element type of the first input."""
        return tvm_adapter.dtype_of(self.source)

    def get(self, index: int) -> relax.Expr | None:
        """An input, None where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int) -> np.ndarray | None:
        """The value of a parameter, None where it is left out."""
        expr = self.get(index)
        return None if expr is None else tvm_adapter.constant_value(expr)

    def emit(self, expr: relax.Expr) -> relax.Expr:
        """`expr` bound to a variable, so that its type is known."""
        return self.builder.emit(expr)

    def axis(self, default: int) -> int:
        """The attribute `axis`, counted from the front; UnsupportedError where there is no such."""
        return self.axes([int(self.attributes.get("axis", default))])[0]

    def axes(self, axes: Any) -> list[int]:
        """Axes of the first input, counted from the front."""
        rank = len(self.source_shape)
        for axis in axes:
            if not -rank <= axis < rank:
                raise UnsupportedError(f"axis {axis} is none of the {rank} of the tensor")
        return [int(axis) % rank for axis in axes]


Convert = Callable[[Node], relax.Expr]
