"""Depthwise convolution with bias, activation and requantization."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.base import KernelCall, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import activation_range, quantize_multipliers
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.patterns import activated, biased, dequantized, quantized
from tinycc.ops.requantization import bias_of, folded_bias, requantization_factors
from tinycc.ops.tensor import ITEM_BYTES
from tinycc.ops.window import Window


def _is_depthwise(context: PatternCheckContext) -> bool:
    call = context.annotated_expr["convolution"]
    return bool(call.attrs.groups == tvm_adapter.shape_of(call.args[0])[3])


@dataclass(frozen=True, eq=False)
class DepthwiseConv2D(Operator):
    """int8 or int16 NHWC convolution of each channel by itself.

    weights: int8 [kernel height, kernel width, output channels]; output channel c reads input channel
        c // depth_multiplier.
    bias: int32 [output channels], of scale input scale x weight scale.
    multipliers: real requantization factor of each output channel.
    output_range: clamp of the result.
    """

    window: Window
    weights: np.ndarray
    weight_zero_point: int
    bias: np.ndarray
    multipliers: np.ndarray
    output_range: tuple[int, int]

    kind: ClassVar[str] = "depthwise_conv2d"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """The pattern of a convolution, with as many groups as input channels."""
        convolution = is_op("relax.nn.conv2d")(dequantized(), dequantized(is_const()))
        return [
            FusionPattern(
                "tinycc.depthwise_conv2d",
                quantized(activated(biased(convolution))),
                {"convolution": convolution},
                _is_depthwise,
            )
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "DepthwiseConv2D":
        """Read geometry, weights and requantization; the weights come as HWOI or HWIO."""
        call: relax.Call = composite.call("relax.nn.conv2d")
        source, weights, output = (
            composite.tensor(call.args[0]),
            composite.tensor(call.args[1]),
            composite.result(),
        )
        assert weights.value is not None
        kernel = weights.value.reshape(*weights.value.shape[:2], output.channels)
        return cls(
            inputs=(source,),
            outputs=(output,),
            window=Window.of_call(call, (kernel.shape[0], kernel.shape[1])),
            weights=kernel,
            weight_zero_point=weights.zero_point,
            bias=bias_of(composite, output.channels),
            multipliers=requantization_factors(source, weights, output, output.channels),
            output_range=activation_range(
                *composite.activation_bounds(), output.real_scale, output.zero_point, output.dtype
            ),
        )

    @property
    def macs(self) -> int:
        """Every tap of every output element, padding included."""
        return self.outputs[0].elements * self.weights.shape[0] * self.weights.shape[1]

    def overlap_distance(self, index: int) -> int | None:
        """With a depth multiplier of 1, a channel of a pixel is written once its taps are read."""
        source, output = self.inputs[0], self.outputs[0]
        if source.channels == output.channels:
            return self.window.channelwise_overlap(source, output)
        item = ITEM_BYTES[output.dtype]
        ends = (np.arange(output.height * output.width) + 1) * output.channels * item
        return overlap_distance(self.window.first_reads(source, output), ends, ends - item)

    def kernel(self) -> KernelCall:
        """One call for each output row."""
        source, output = self.inputs[0], self.outputs[0]
        multiplier, shift = quantize_multipliers(self.multipliers)
        channel_first = self.weights.transpose(2, 0, 1)
        return KernelCall(
            header="depthwise_conv2d.h",
            function=f"tinycc_depthwise_conv2d_{source.dtype}",
            struct="tinycc_depthwise_conv2d",
            shape={
                "input_width": source.width,
                "input_channels": source.channels,
                "depth_multiplier": output.channels // source.channels,
                "kernel_height": self.window.kernel[0],
                "kernel_width": self.window.kernel[1],
                "stride_width": self.window.stride[1],
                "dilation_width": self.window.dilation[1],
                "pad_left": self.window.padding[1],
                "weight_zero_point": self.weight_zero_point,
            },
            data={
                "weights": self.weights,
                "bias": folded_bias(self.bias, channel_first, source.zero_point, self.weight_zero_point),
                "multiplier": multiplier,
                "shift": shift,
                "input_zero_point": source.zero_point,
                "output_zero_point": output.zero_point,
                "output_min": self.output_range[0],
                "output_max": self.output_range[1],
            },
            windows=(self.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def describe(self) -> str:
        """Kernel, stride and dilation."""
        return self.window.describe()
