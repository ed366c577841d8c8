"""What a depthwise convolution is: its geometry, how it is found and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.linear import Linear, read_arithmetic
from tinycc.ops.patterns import activated, biased, dequantized, quantized, real_layers, real_weights
from tinycc.ops.window import Window


def _is_depthwise(context: PatternCheckContext) -> bool:
    """As many groups as input channels; of a single channel an ordinary convolution is the faster kernel."""
    call = context.annotated_expr["product"]
    return bool(call.attrs.groups == tvm_adapter.shape_of(call.args[0])[3] > 1)


@dataclass(frozen=True, eq=False)
class DepthwiseConv2D(Linear):
    """NHWC convolution of each channel by itself.

    Weights are [kernel height, kernel width, output channels]; output channel c reads input channel
    c // depth_multiplier.
    """

    window: Window

    kind: ClassVar[str] = "depthwise_conv2d"
    is_spatial: ClassVar[bool] = True

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """The pattern of a convolution, with as many groups as input channels."""
        convolution = is_op("relax.nn.conv2d")(dequantized(), dequantized(is_const()))
        pattern = quantized(activated(biased(convolution)))
        return [FusionPattern("tinycc.depthwise_conv2d", pattern, {"product": convolution}, _is_depthwise)]

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """The same of real numbers."""
        convolution = is_op("relax.nn.conv2d")(wildcard(), real_weights())
        return real_layers("tinycc.depthwise_conv2d", convolution, _is_depthwise)

    @classmethod
    def from_composite(cls, composite: Composite) -> "DepthwiseConv2D":
        """Read geometry, weights (HWOI or HWIO) and arithmetic."""
        call = composite.call("relax.nn.conv2d")
        source, output = composite.tensor(call.args[0]), composite.result()
        arithmetic = read_arithmetic(
            composite,
            source,
            call.args[1],
            lambda weights: weights.reshape(*weights.shape[:2], output.channels),
            channel_axis=2,
        )
        height, width, _ = arithmetic.weights.shape
        return cls((source,), (output,), arithmetic, Window.of_call(call, (height, width)))

    @property
    def weights_shape(self) -> tuple[int, ...]:
        """Output channels last."""
        return (*self.window.kernel, self.outputs[0].channels)

    @property
    def depth_multiplier(self) -> int:
        """Output channels for each input channel."""
        return self.outputs[0].channels // self.inputs[0].channels

    @property
    def macs(self) -> int:
        """Every tap of every output element, padding included."""
        return self.outputs[0].elements * self.taps

    @property
    def padded_macs(self) -> int:
        """All taps of windows that reach out of the input."""
        source, output = self.inputs[0], self.outputs[0]
        inside = self.window.pixels_inside(source, output)
        return (output.height * output.width - inside) * output.channels * self.taps

    @property
    def is_channelwise(self) -> bool:
        """With a depth multiplier of 1."""
        return self.depth_multiplier == 1

    @property
    def reads_padding(self) -> bool:
        """Where a window reaches out of the input."""
        return not self.window.is_inside(self.inputs[0], self.outputs[0])

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """Of the sums, one channel each."""
        if self.is_real:
            return super().channel_ranges(inputs)
        channels = self.outputs[0].channels
        weights = self.requantized.shifted_weights.reshape(-1, channels).T
        bounds = [
            np.repeat(bound, self.depth_multiplier).reshape(channels, 1, 1)
            for bound in (inputs[0].lowest, inputs[0].highest)
        ]
        return self.summed_ranges(weights[:, :, np.newaxis], ChannelRanges(*bounds))

    def sums(self, source: np.ndarray) -> np.ndarray:
        """Channel by channel."""
        output, kernel = self.outputs[0], self.requantized.shifted_weights
        windows = np.repeat(self.window.laid_out(source, output), self.depth_multiplier, -1)
        return np.einsum("yxtc,tc->yxc", windows, kernel.reshape(-1, output.channels))

    def describe(self) -> str:
        """Kernel, stride and dilation."""
        return self.window.describe()
