"""What convolutions and dense layers have in common: constant weights, a bias, and their arithmetic."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from tvm import relax

from tinycc.ops.arithmetic import Assumed, Real, Requantized
from tinycc.ops.base import WEIGHT_BITS
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.evaluable import Evaluable
from tinycc.ops.fixed_point import INTEGER_RANGE, activation_range, quantize_multipliers
from tinycc.ops.folded_bias import folded_bias
from tinycc.ops.integer_arithmetic import requantize
from tinycc.ops.kernel_call import Packed, Value
from tinycc.ops.tensor import Tensor


@dataclass(frozen=True, eq=False)
class Linear(ChannelDependence, Evaluable):
    """Weighted sums of the input. Which inputs are summed is geometry, and how is arithmetic."""

    arithmetic: Requantized | Assumed | Real

    @property
    @abstractmethod
    def weights_shape(self) -> tuple[int, ...]:
        """Of the weights, in the layout of the view."""

    @property
    def taps(self) -> int:
        """Weights of each output channel."""
        return math.prod(self.weights_shape) // self.outputs[0].channels

    @property
    def output_range(self) -> tuple[int, int]:
        """Clamp of the result, where that is of integers."""
        if isinstance(self.arithmetic, Real):
            raise ValueError(f"a {self.kind} of real numbers has no range of integers")
        return self.arithmetic.output_range

    @property
    def is_pointwise(self) -> bool:
        """Whether each output pixel depends on the input pixel of the same index alone, and on all of it."""
        return False

    @property
    def requantized(self) -> Requantized:
        """The arithmetic with its constants; ValueError where they are only assumed, or real."""
        if not isinstance(self.arithmetic, Requantized):
            raise ValueError(f"a {self.kind} whose weights are assumed or real has no constants of integers")
        return self.arithmetic

    @property
    def real(self) -> Real:
        """The arithmetic of real numbers; ValueError where it is that of integers."""
        if not isinstance(self.arithmetic, Real):
            raise ValueError(f"a {self.kind} of integers has no real numbers")
        return self.arithmetic

    @property
    def is_real(self) -> bool:
        """Whether it computes with real numbers."""
        return isinstance(self.arithmetic, Real)

    @property
    def folded_bias(self) -> np.ndarray:
        """The bias, int32, with the input's zero point taken in."""
        return folded_bias(self.requantized.bias, self.requantized.by_channel, self.inputs[0].zero_point)

    def header(self, name: str) -> str:
        """The header of the portable kernel called `name` for this layer's element type."""
        return f"{name}.h" if self.inputs[0].dtype == "int8" else f"{name}_{self.inputs[0].dtype}.h"

    def portable_data(self) -> dict[str, Value]:
        """The constants of portable kernels; the bias takes in the input's zero point."""
        output = self.outputs[0]
        channels = (output.channels,)
        data: dict[str, Value] = {
            "weights": Packed(self.weights_shape, "int8", lambda: self.requantized.weights),
            "bias": Packed(channels, "int32", lambda: self.folded_bias),
            "multiplier": Packed(channels, "int32", lambda: self.requantized.fixed_point(output.dtype)[0]),
            "shift": Packed(channels, "int8", lambda: self.requantized.fixed_point(output.dtype)[1]),
            "output_zero_point": output.zero_point,
            "output_min": self.output_range[0],
            "output_max": self.output_range[1],
        }
        if self.arithmetic.zero_points_differ:
            data["weight_zero_points"] = self.requantized.weight_zero_points.astype(np.int16)
        return data

    def summed_ranges(self, weights: np.ndarray, source: ChannelRanges) -> ChannelRanges:
        """What the outputs can be.

        weights: int64 [output channels, taps, channels], less their zero point.
        source: of the input; its channels broadcast to those of the weights.
        """
        output = self.outputs[0]
        if output.dtype != "int8":
            return ChannelRanges.of(output)
        zero_point = self.inputs[0].zero_point
        if self.reads_padding:
            source = source.joined(zero_point)
        products = [weights * (bound - zero_point) for bound in (source.lowest, source.highest)]
        multiplier, shift = quantize_multipliers(self.requantized.multipliers)
        bounds = []
        for choose in (np.minimum, np.maximum):
            sums = self.requantized.bias.astype(np.int64) + choose(*products).sum(axis=(1, 2))
            if (abs(sums) << np.maximum(shift, 0)).max() > INTEGER_RANGE["int32"][1]:
                return ChannelRanges.of(output)
            scaled = [requantize(*map(int, item)) for item in zip(sums, multiplier, shift, strict=True)]
            bounds.append(np.array(scaled) + output.zero_point)
        return ChannelRanges(*bounds).clamped(*self.output_range)

    def sums(self, source: np.ndarray) -> np.ndarray | None:
        """Weighted sums, without the bias, of an input less its zero point: int64 of the output's shape.

        None where nothing computes them at compile time.
        """
        return None

    def evaluated(self) -> np.ndarray | None:
        """int8 sums, as long as they fit 32 bits."""
        source, output = self.inputs[0], self.outputs[0]
        if source.value is None or source.dtype != "int8" or output.dtype != "int8":
            return None
        sums = self.sums(source.value.astype(np.int64) - source.zero_point)
        if sums is None:
            return None
        sums = sums.reshape(output.shape) + self.requantized.bias
        if abs(sums).max() > INTEGER_RANGE["int32"][1]:
            return None
        scaled = np.frompyfunc(requantize, 3, 1)(sums, *quantize_multipliers(self.requantized.multipliers))
        return np.clip(scaled.astype(np.int64) + output.zero_point, *self.output_range).astype(np.int8)


# Of kernels that several of such layers share.
LinearView = TypeVar("LinearView", bound=Linear, contravariant=True)


def read_arithmetic(
    composite: Composite,
    source: Tensor,
    weights: relax.Expr,
    arrange: Callable[[np.ndarray], np.ndarray],
    channel_axis: int = 0,
) -> Requantized | Real:
    """The arithmetic of a composite: real where nothing quantizes its result.

    weights: a constant, or a dequantize of one. arrange: brings it into the layout of the view.
    """
    if composite.result().scale is not None:
        return _requantized(composite, source, weights, arrange, channel_axis)
    values = arrange(composite.real_constant(weights))
    bias = composite.added_constant()
    channels = (composite.result().channels,)
    return Real(
        weights=values,
        bias=np.broadcast_to(np.float32(0) if bias is None else bias.reshape(-1), channels),
        output_range=composite.real_range(),
        channel_axis=channel_axis,
    )


def _requantized(
    composite: Composite,
    source: Tensor,
    weights: relax.Expr,
    arrange: Callable[[np.ndarray], np.ndarray],
    channel_axis: int,
) -> Requantized:
    """Scales are multiplied in double, as TFLite Micro does it."""
    scales, zero_points = composite.weights(weights)
    assert scales.value is not None
    output = composite.result()
    channels = output.channels
    if source.dtype == "int16" and (source.zero_point or output.zero_point or zero_points.any()):
        raise ValueError("int16 tensors have a zero point other than 0")
    bounds = activation_range(
        *composite.activation_bounds(), output.real_scale, output.zero_point, output.dtype
    )
    stored = np.asarray(scales.scale, np.float32).astype(np.float64).reshape(-1)
    factors = np.float64(source.real_scale) * stored / np.float64(output.real_scale)
    bias = composite.added_constant()
    return Requantized(
        weights=arrange(scales.value),
        weight_zero_points=np.broadcast_to(zero_points, (channels,)),
        bias=np.broadcast_to(np.int32(0) if bias is None else bias.reshape(-1), (channels,)),
        multipliers=np.broadcast_to(factors, (channels,)),
        output_range=bounds,
        channel_axis=channel_axis,
        weight_bits=int(str(composite.attribute(WEIGHT_BITS) or Requantized.weight_bits)),
    )
