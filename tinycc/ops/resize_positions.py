"""Where resizing takes its elements from, in exact arithmetic.

The names are those of ONNX's Resize, which Relax shares.
"""

from dataclasses import dataclass

import numpy as np

COORDINATES = ("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


@dataclass(frozen=True)
class Positions:
    """Output i lies at input (i * stride + offset) / divisor."""

    stride: int
    offset: int
    divisor: int

    @classmethod
    def of(cls, size: int, outputs: int, coordinates: str) -> "Positions":
        """Positions along an axis of `size` elements; ValueError for coordinates that are not known."""
        if coordinates not in COORDINATES:
            raise ValueError(f"resizing with coordinates {coordinates} is not supported")
        if outputs == 1 and coordinates in ("align_corners", "pytorch_half_pixel"):
            return cls(0, 0, 1)
        if coordinates == "align_corners":
            return cls(size - 1, 0, outputs - 1)
        if coordinates == "asymmetric":
            return cls(size, 0, outputs)
        return cls(2 * size, size - outputs, 2 * outputs)

    def rounded(self, rounding: str) -> "Positions":
        """Positions that are whole numbers once they are rounded down."""
        if rounding not in ROUNDINGS:
            raise ValueError(f"resizing with rounding {rounding} is not supported")
        stride, offset, divisor = self.stride, self.offset, self.divisor
        if rounding.startswith("round") and divisor % 2:
            stride, offset, divisor = 2 * stride, 2 * offset, 2 * divisor
        if rounding.startswith("round"):
            offset += divisor // 2 - (rounding == "round_prefer_floor")
        elif rounding == "ceil":
            offset += divisor - 1
        return Positions(stride, offset, divisor)

    def indices(self, outputs: int) -> np.ndarray:
        """The position of each output, rounded down; beyond the ends of the axis, too."""
        return (np.arange(outputs) * self.stride + self.offset) // self.divisor

    def fractions(self, outputs: int) -> np.ndarray:
        """How far behind that each output lies."""
        return (np.arange(outputs) * self.stride + self.offset) % self.divisor / self.divisor


def nearest_positions(size: int, outputs: int, coordinates: str, rounding: str) -> Positions:
    """Positions of nearest-neighbour resizing."""
    return Positions.of(size, outputs, coordinates).rounded(rounding)
