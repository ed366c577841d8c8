"""Tensors as operators see them."""

import math
from dataclasses import dataclass, replace

import numpy as np

ITEM_BYTES = {
    "int8": 1, "uint8": 1, "bool": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "float32": 4,
    "int64": 8, "uint64": 8, "float64": 8,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor as an operator sees it.

    scale: of an integer tensor that stands for real numbers; None otherwise. A float32 value, or a vector
    of them per
        output channel for weights.
    parameter: which parameter of the composite function it is; None for constants and outputs.
    value: of a constant.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float | np.ndarray | None = None
    zero_point: int = 0
    parameter: int | None = None
    value: np.ndarray | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return self.elements * ITEM_BYTES[self.dtype]

    @property
    def height(self) -> int:
        """Number of rows: the product of all dimensions before the last two."""
        return math.prod(self.shape[:-2])

    @property
    def width(self) -> int:
        """Number of pixels in a row: the last dimension but one, 1 where there is none."""
        return self.shape[-2] if len(self.shape) > 1 else 1

    @property
    def channels(self) -> int:
        """Number of elements in a pixel: the last dimension, 1 for a scalar."""
        return self.shape[-1] if self.shape else 1

    @property
    def real_scale(self) -> float:
        """The scale of a tensor that is quantized as a whole."""
        if not isinstance(self.scale, float):
            raise ValueError("the tensor has no single scale")
        return self.scale

    @property
    def as_int8(self) -> "Tensor":
        """The same real numbers, elements of uint8 less 128; any other tensor as it is."""
        return (
            replace(self, dtype="int8", zero_point=self.zero_point - 128) if self.dtype == "uint8" else self
        )

    def __str__(self) -> str:
        return f"{self.dtype} [{','.join(map(str, self.shape))}]"


def byte_types(source: Tensor, output: Tensor) -> str:
    """Element types as kernels from 8 bits to 8 bits are named after them: "int8", "uint8_int8" ..."""
    return "int8" if source.dtype == output.dtype == "int8" else f"{source.dtype}_{output.dtype}"
