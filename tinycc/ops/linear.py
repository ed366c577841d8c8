"""What convolutions and dense layers have in common: constant weights, a bias, requantization.

An int8 layer sums in int32 and rounds twice; an int16 layer (16x8) sums in int64, keeps 15 bits of its
multipliers and rounds once.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tinycc.ops.base import KernelCall, Operator, RowWindow
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import INTEGER_RANGE, activation_range, quantize_multipliers
from tinycc.ops.folded_bias import folded_bias
from tinycc.ops.integer_arithmetic import requantize
from tinycc.ops.tensor import Tensor


@dataclass(frozen=True, eq=False)
class Linear(Operator):
    """Weighted sums of the input: output = clamp(zero point + requantize(bias + sum(input x weights))).

    weights: int8, in the kernel's layout.
    weight_zero_points: int64 [output channels].
    bias: int32 [output channels], of scale input scale x weight scale.
    multipliers: real requantization factor of each output channel, float64.
    output_range: clamp of the result.
    """

    weights: np.ndarray
    weight_zero_points: np.ndarray
    bias: np.ndarray
    multipliers: np.ndarray
    output_range: tuple[int, int]

    # Of the weights, that of the output channels.
    channel_axis: ClassVar[int] = 0

    @property
    def shifted_weights(self) -> np.ndarray:
        """The weights less their zero points, int64."""
        shape = [1] * self.weights.ndim
        shape[self.channel_axis] = -1
        return self.weights.astype(np.int64) - self.weight_zero_points.reshape(shape)

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

    def header(self, name: str) -> str:
        """The header of the kernel called `name` for this layer's element type."""
        return f"{name}.h" if self.inputs[0].dtype == "int8" else f"{name}_{self.inputs[0].dtype}.h"

    def linear_data(self) -> dict[str, int | float | np.ndarray]:
        """The kernel's constants; the bias takes in the input's zero point."""
        source, output = self.inputs[0], self.outputs[0]
        by_channel = np.moveaxis(self.shifted_weights, self.channel_axis, 0)
        multiplier, shift = quantize_multipliers(self.multipliers)
        if output.dtype == "int16":
            multiplier = np.where(
                multiplier < 0x7FFF0000, (multiplier.astype(np.int64) + 2**15) >> 16, 0x7FFF
            )
        differing: dict[str, np.ndarray] = {}
        if self.zero_points_differ:
            differing["weight_zero_points"] = self.weight_zero_points.astype(np.int16)
        return {
            "weights": self.weights,
            "bias": folded_bias(self.bias, by_channel, source.zero_point),
            "multiplier": multiplier.astype(np.int32),
            "shift": shift,
            "output_zero_point": output.zero_point,
            "output_min": self.output_range[0],
            "output_max": self.output_range[1],
            **differing,
        }

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
        multiplier, shift = quantize_multipliers(self.multipliers)
        bounds = []
        for choose in (np.minimum, np.maximum):
            sums = self.bias.astype(np.int64) + choose(*products).sum(axis=(1, 2))
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
        sums = sums.reshape(output.shape) + self.bias
        if abs(sums).max() > INTEGER_RANGE["int32"][1]:
            return None
        scaled = np.frompyfunc(requantize, 3, 1)(sums, *quantize_multipliers(self.multipliers))
        return np.clip(scaled.astype(np.int64) + output.zero_point, *self.output_range).astype(np.int8)

    def pointwise_call(self) -> KernelCall:
        """A dense layer or a 1x1 convolution: weights times each vector along the last axis, in one row."""
        source, output = self.inputs[0], self.outputs[0]
        return KernelCall(
            header=self.header("pointwise"),
            function=f"tinycc_pointwise_{source.dtype}",
            struct="tinycc_pointwise",
            shape={
                "input_channels": source.channels,
                "output_channels": output.channels,
                **self.zero_point_shape,
            },
            data=self.linear_data(),
            windows=(RowWindow.whole(source),),
            rows=1,
            is_flat=True,
            columns=source.elements // source.channels,
            row_elements=output.elements,
        )


def linear_fields(
    composite: Composite, source: Tensor, weights: Tensor, zero_points: np.ndarray
) -> dict[str, Any]:
    """The fields of `Linear` but the weights; scales are multiplied in double, as TFLite Micro does it."""
    output = composite.result()
    channels = output.channels
    if source.dtype == "int16" and (source.zero_point or output.zero_point or zero_points.any()):
        raise ValueError("int16 tensors have a zero point other than 0")
    bounds = activation_range(
        *composite.activation_bounds(), output.real_scale, output.zero_point, output.dtype
    )
    scales = np.asarray(weights.scale, np.float32).astype(np.float64).reshape(-1)
    factors = np.float64(source.real_scale) * scales / np.float64(output.real_scale)
    return {
        "inputs": (source,),
        "outputs": (output,),
        "weight_zero_points": np.broadcast_to(zero_points, (channels,)),
        "bias": _bias(composite, channels),
        "multipliers": np.broadcast_to(factors, (channels,)),
        "output_range": bounds,
    }


def _bias(composite: Composite, channels: int) -> np.ndarray:
    """The constant that is added before the activation; zeros where there is none."""
    for call in composite.calls("relax.add"):
        bias = composite.tensor(call.args[1]).value
        if bias is not None:
            return np.broadcast_to(bias.reshape(-1), (channels,))
    return np.zeros(channels, np.int32)
