"""What layers with weights compute with, apart from the geometry of which inputs an output is a sum of."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinycc.ops.fixed_point import INTEGER_RANGE, quantize_multipliers


class Arithmetic:
    """What kernels ask of any arithmetic; weights without a zero point.

    weight_bits: what weights need; those of 4 bits have kernels that find two in a byte.
    """

    weight_bits: int = 8

    def meets(self, condition: Callable[[], bool]) -> bool:
        """Whether the constants are as a kernel needs them."""
        return condition()

    @property
    def zero_points_differ(self) -> bool:
        """Whether the weights of some channels have another zero point than those of others."""
        return False

    @property
    def zero_point_shape(self) -> dict[str, int]:
        """What a portable kernel's geometry says of the weights' zero points."""
        return {"weight_zero_point": 0}


@dataclass(frozen=True, eq=False)
class Requantized(Arithmetic):
    """output = clamp(zero point + requantize(bias + sum(input x weights))).

    An int8 layer sums in int32 and rounds twice; an int16 layer (16x8) sums in int64, keeps 15 bits of its
    multipliers and rounds once.

    weights: int8, in the layout of the layer's view.
    weight_zero_points: int64 [output channels].
    bias: int32 [output channels], of scale input scale x weight scale.
    multipliers: real requantization factor of each output channel, float64.
    output_range: clamp of the result.
    channel_axis: of the weights, that of the output channels.
    weight_bits: 4 where all weights are known to be in [-8, 7] without a zero point.
    """

    weights: np.ndarray
    weight_zero_points: np.ndarray
    bias: np.ndarray
    multipliers: np.ndarray
    output_range: tuple[int, int]
    channel_axis: int = 0
    weight_bits: int = 8

    @property
    def shifted_weights(self) -> np.ndarray:
        """The weights less their zero points, int64."""
        shape = [1] * self.weights.ndim
        shape[self.channel_axis] = -1
        return self.weights.astype(np.int64) - self.weight_zero_points.reshape(shape)

    @property
    def by_channel(self) -> np.ndarray:
        """The same, output channels first."""
        return np.moveaxis(self.shifted_weights, self.channel_axis, 0)

    @property
    def zero_points_differ(self) -> bool:
        """Whether the weights of some channels have another zero point than those of others."""
        return bool((self.weight_zero_points != self.weight_zero_points[0]).any())

    @property
    def zero_point_shape(self) -> dict[str, int]:
        """What a portable kernel's geometry says of the weights' zero points."""
        if self.zero_points_differ:
            return {"weight_zero_point": 0, "zero_points_differ": 1}
        return {"weight_zero_point": int(self.weight_zero_points[0])}

    def fixed_point(self, dtype: str) -> tuple[np.ndarray, np.ndarray]:
        """Multiplier, int32, and shift, int8, of each output channel, for outputs of an element type."""
        multiplier, shift = quantize_multipliers(self.multipliers)
        if dtype == "int16":
            multiplier = np.where(
                multiplier < 0x7FFF0000, (multiplier.astype(np.int64) + 2**15) >> 16, 0x7FFF
            )
        return multiplier.astype(np.int32), shift


@dataclass(frozen=True, eq=False)
class Real(Arithmetic):
    """output = clamp(bias + sum(input x weights)), in float32 and in no certain order.

    weights: float32, in the layout of the layer's view.
    bias: float32 [output channels].
    output_range: clamp of the result; infinite where there is none.
    channel_axis: of the weights, that of the output channels.
    """

    weights: np.ndarray
    bias: np.ndarray
    output_range: tuple[float, float]
    channel_axis: int = 0


@dataclass(frozen=True)
class Assumed(Arithmetic):
    """Int8 arithmetic of a layer without weights: they are assumed to be as every kernel needs them.

    Such a layer has no constants, only their sizes.
    """

    output_range: tuple[int, int] = INTEGER_RANGE["int8"]

    def meets(self, condition: Callable[[], bool]) -> bool:
        """Always."""
        return True
