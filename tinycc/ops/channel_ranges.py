"""What values the channels of a tensor can take."""

from dataclasses import dataclass

import numpy as np

from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.tensor import Tensor

# Of element types that have no channels to save: real numbers and flags.
_UNBOUNDED = (-(2**62), 2**62)


@dataclass(frozen=True, eq=False)
class ChannelRanges:
    """Bounds of each channel of a tensor, both included: int64 [channels].

    They hold for every input of the model.
    """

    lowest: np.ndarray
    highest: np.ndarray

    @classmethod
    def of(cls, tensor: Tensor) -> "ChannelRanges":
        """All that the element type can hold."""
        low, high = INTEGER_RANGE.get(tensor.dtype, _UNBOUNDED)
        return cls(np.full(tensor.channels, low, np.int64), np.full(tensor.channels, high, np.int64))

    @property
    def is_constant(self) -> np.ndarray:
        """Which channels have one value, whatever the input: bool [channels]."""
        return self.lowest == self.highest

    def clamped(self, low: int, high: int) -> "ChannelRanges":
        """The bounds after a clamp."""
        return ChannelRanges(np.clip(self.lowest, low, high), np.clip(self.highest, low, high))

    def joined(self, value: int) -> "ChannelRanges":
        """The bounds where some elements are `value` instead."""
        return ChannelRanges(np.minimum(self.lowest, value), np.maximum(self.highest, value))
