"""What a convolution is: its geometry, how it is found and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.linear import Linear, read_arithmetic
from tinycc.ops.patterns import activated, biased, dequantized, quantized, real_layers, real_weights
from tinycc.ops.window import Window


def _is_channels_last(context: PatternCheckContext) -> bool:
    """In the layouts of the normal form, wherever the output channels of weights are."""
    attrs = context.annotated_expr["product"].attrs
    weights = str(attrs.kernel_layout).replace("O", "")
    return bool(attrs.data_layout == attrs.out_layout == "NHWC") and weights == "HWI"


@dataclass(frozen=True, eq=False)
class Conv2D(Linear):
    """NHWC convolution.

    Weights are [output channels, kernel height, kernel width, input channels / groups].
    """

    window: Window
    groups: int

    kind: ClassVar[str] = "conv2d"
    is_spatial: ClassVar[bool] = True

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(bias + conv2d(dequantize(x), dequantize(weights))))."""
        convolution = is_op("relax.nn.conv2d")(dequantized(), dequantized(is_const()))
        return [FusionPattern("tinycc.conv2d", quantized(activated(biased(convolution))))]

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """activation(bias + conv2d(x, weights))."""
        convolution = is_op("relax.nn.conv2d")(wildcard(), real_weights())
        return real_layers("tinycc.conv2d", convolution, _is_channels_last)

    @classmethod
    def from_composite(cls, composite: Composite) -> "Conv2D":
        """Read geometry, weights (HWIO; HWOI of a depthwise convolution of one channel), arithmetic."""
        call = composite.call("relax.nn.conv2d")
        source, axis = composite.tensor(call.args[0]), str(call.attrs.kernel_layout).index("O")
        arithmetic = read_arithmetic(
            composite, source, call.args[1], lambda weights: np.moveaxis(weights, axis, 0)
        )
        _, height, width, _ = arithmetic.weights.shape
        return cls(
            (source,),
            (composite.result(),),
            arithmetic,
            window=Window.of_call(call, (height, width)),
            groups=int(call.attrs.groups),
        )

    @property
    def weights_shape(self) -> tuple[int, ...]:
        """Output channels first."""
        return (self.outputs[0].channels, *self.window.kernel, self.inputs[0].channels // self.groups)

    @property
    def macs(self) -> int:
        """Every tap of every output element, padding included."""
        return self.outputs[0].elements * self.taps

    @property
    def mixing_weights(self) -> np.ndarray | None:
        """Integers without groups."""
        if self.groups > 1 or self.is_real:
            return None
        outputs, inputs = self.outputs[0].channels, self.inputs[0].channels
        return self.requantized.shifted_weights.reshape(outputs, -1, inputs)

    @property
    def reads_padding(self) -> bool:
        """Where a window reaches out of the input."""
        return not self.window.is_inside(self.inputs[0], self.outputs[0])

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """Of the sums, without groups."""
        weights = self.mixing_weights
        return super().channel_ranges(inputs) if weights is None else self.summed_ranges(weights, inputs[0])

    def sums(self, source: np.ndarray) -> np.ndarray:
        """Group by group."""
        output, kernel = self.outputs[0], self.requantized.shifted_weights
        windows = self.window.laid_out(source, output).reshape(
            -1, kernel[0, ..., 0].size, self.groups, kernel.shape[3]
        )
        weights = kernel.reshape(self.groups, -1, kernel[0, ..., 0].size, kernel.shape[3])
        return np.einsum("ptgc,gotc->pgo", windows, weights)

    @property
    def is_pointwise(self) -> bool:
        """Whether each output pixel depends on the input pixel of the same index alone, and on all of it."""
        same_pixels = self.inputs[0].shape[:-1] == self.outputs[0].shape[:-1] and not self.reads_padding
        return same_pixels and self.window.kernel == (1, 1) and self.groups == 1

    def describe(self) -> str:
        """Kernel, stride, dilation and groups."""
        return self.window.describe() + (f" groups {self.groups}" if self.groups > 1 else "")
