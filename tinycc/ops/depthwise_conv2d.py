"""Depthwise convolution with bias, activation and requantization."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops import dsp, helium
from tinycc.ops.base import KernelCall
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.linear import Linear, linear_fields
from tinycc.ops.patterns import activated, biased, dequantized, quantized
from tinycc.ops.window import Window

# The largest window of the Helium kernel.
_HELIUM_TAPS = 64
# Limits of depthwise_conv2d_dsp.h: words on the stack, words of weights, outputs in a block.
_DSP_WORDS, _DSP_TAPS, _DSP_BLOCK = 104, 25, 5
# Longer tiles save little, and in place they keep the output further behind the input.
_DSP_TILE = 40


def _is_depthwise(context: PatternCheckContext) -> bool:
    """As many groups as input channels; of a single channel an ordinary convolution is the faster kernel."""
    call = context.annotated_expr["convolution"]
    return bool(call.attrs.groups == tvm_adapter.shape_of(call.args[0])[3] > 1)


@dataclass(frozen=True, eq=False)
class DepthwiseConv2D(Linear):
    """int8 or int16 NHWC convolution of each channel by itself.

    weights: [kernel height, kernel width, output channels]; output channel c reads input channel
        c // depth_multiplier.
    """

    window: Window

    kind: ClassVar[str] = "depthwise_conv2d"
    channel_axis: ClassVar[int] = 2

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """The pattern of a convolution, with as many groups as input channels."""
        convolution = is_op("relax.nn.conv2d")(dequantized(), dequantized(is_const()))
        pattern = quantized(activated(biased(convolution)))
        return [
            FusionPattern("tinycc.depthwise_conv2d", pattern, {"convolution": convolution}, _is_depthwise)
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "DepthwiseConv2D":
        """Read geometry, weights (HWOI or HWIO) and requantization."""
        call = composite.call("relax.nn.conv2d")
        source, (weights, zero_points) = composite.tensor(call.args[0]), composite.weights(call.args[1])
        assert weights.value is not None
        fields = linear_fields(composite, source, weights, zero_points)
        kernel = weights.value.reshape(*weights.value.shape[:2], len(fields["bias"]))
        window = Window.of_call(call, (kernel.shape[0], kernel.shape[1]))
        return cls(**fields, weights=kernel, window=window)

    @property
    def depth_multiplier(self) -> int:
        """Output channels for each input channel."""
        return self.outputs[0].channels // self.inputs[0].channels

    @property
    def macs(self) -> int:
        """Every tap of every output element, padding included."""
        return self.outputs[0].elements * self.weights.shape[0] * self.weights.shape[1]

    @property
    def is_channelwise(self) -> bool:
        """With a depth multiplier of 1."""
        return self.depth_multiplier == 1

    @property
    def reads_padding(self) -> bool:
        """Where a window reaches out of the input."""
        return self.window.is_padded(self.inputs[0], self.outputs[0])

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """Of the sums, one channel each."""
        channels = len(self.bias)
        weights = self.shifted_weights.reshape(-1, channels).T
        bounds = [
            np.repeat(bound, self.depth_multiplier).reshape(channels, 1, 1)
            for bound in (inputs[0].lowest, inputs[0].highest)
        ]
        return self.summed_ranges(weights[:, :, np.newaxis], ChannelRanges(*bounds))

    def sums(self, source: np.ndarray) -> np.ndarray:
        """Channel by channel."""
        output, kernel = self.outputs[0], self.shifted_weights
        windows = np.repeat(self.window.laid_out(source, output), self.depth_multiplier, -1)
        return np.einsum("yxtc,tc->yxc", windows, kernel.reshape(-1, output.channels))

    def has_variant(self, feature: str) -> bool:
        """Helium and the DSP extension: a channel to a channel, windows of some size."""
        height, width = self.window.kernel
        if self.depth_multiplier != 1:
            return False
        if feature == helium.FEATURE:
            # Two products fit 16 bits.
            is_small = height * width <= _HELIUM_TAPS
            return is_small and int(self.weights.min()) > -128 and helium.fits(self)
        return (
            feature == dsp.FEATURE
            and self.inputs[0].dtype == "int8"
            and self.window.dilation[1] == 1
            and height * width <= 2 * _DSP_TAPS - 1
            and self._dsp_tile > 0
            and self._dsp.fits
        )

    @property
    def scratch_bytes(self) -> int:
        """Helium: a pixel of padding."""
        channels = self.inputs[0].channels
        return -(-channels // helium.CHANNELS) * helium.CHANNELS if self.variant == helium.FEATURE else 0

    @property
    def _helium_pixels(self) -> int:
        """How many pixels next to each other are sixteen channels."""
        channels = self.inputs[0].channels
        return (
            helium.CHANNELS // channels
            if self.window.stride[1] == 1 and helium.CHANNELS % channels == 0
            else 1
        )

    @cached_property
    def _dsp(self) -> dsp.DspLayer:
        return dsp.DspLayer.of(self)

    @property
    def _dsp_tile(self) -> int:
        """Output pixels whose columns of one channel fit on the stack; less than 1 where there is no room."""
        words = (self.window.kernel[0] + 1) // 2
        columns, width = _DSP_WORDS // words - 1, self.outputs[0].width
        most = min((columns - self.window.kernel[1]) // self.window.stride[1] + 1, _DSP_TILE)
        return -(-width // -(-width // most)) if most > 0 else 0

    def overlap_distance(self, index: int) -> int | None:
        """With a depth multiplier of 1, a channel of a pixel is written once its taps are read."""
        if self.variant == helium.FEATURE:
            reads = self.window.first_reads(self.inputs[0], self.outputs[0])
            return helium.channelwise_overlap(reads, self.outputs[0], self._helium_pixels)
        if self.variant == dsp.FEATURE:
            return self.window.tilewise_overlap(self.inputs[0], self.outputs[0], self._dsp_tile)
        if self.depth_multiplier == 1:
            return self.window.channelwise_overlap(self.inputs[0], self.outputs[0])
        return self.window.pixelwise_overlap(self.inputs[0], self.outputs[0])

    def kernel(self) -> KernelCall:
        """One call for each output row."""
        if self.variant == helium.FEATURE:
            return self._helium_kernel()
        source, output = self.inputs[0], self.outputs[0]
        return KernelCall(
            **(self._dsp_kernel() if self.variant == dsp.FEATURE else self._portable_kernel()),
            windows=(self.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def _helium_kernel(self) -> KernelCall:
        source, output = self.inputs[0], self.outputs[0]
        shape = self.window.kernel_shape(source)
        shape["channels"] = shape.pop("input_channels")
        return KernelCall(
            header="depthwise_conv2d_helium.h",
            function="tinycc_depthwise_conv2d_helium_int8",
            struct="tinycc_depthwise_conv2d_helium",
            shape={
                **shape,
                "pixels": self._helium_pixels,
                "rectified": int(helium.is_rectified(self)),
            },
            data={**helium.channel_data(self, self._helium_pixels), "input_zero_point": source.zero_point},
            windows=(self.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def _portable_kernel(self) -> dict[str, Any]:
        source = self.inputs[0]
        return {
            "header": self.header("depthwise_conv2d"),
            "function": f"tinycc_depthwise_conv2d_{source.dtype}",
            "struct": "tinycc_depthwise_conv2d",
            "shape": {
                **self.window.kernel_shape(source),
                "depth_multiplier": self.depth_multiplier,
                **self.zero_point_shape,
            },
            "data": {**self.linear_data(), "input_zero_point": source.zero_point},
        }

    def _dsp_kernel(self) -> dict[str, Any]:
        shape = self.window.kernel_shape(self.inputs[0])
        del shape["dilation_width"]
        tile = self._dsp_tile
        # Padding is left out where each output's part of it is known: where they are done all at once.
        is_relative = (
            self.window.kernel != (3, 3)
            and tile == self.outputs[0].width <= _DSP_BLOCK
            and self._dsp.fits_relative
        )
        # As few outputs as possible are done twice.
        block = min(range(min(tile, _DSP_BLOCK), 0, -1), key=lambda size: -(-tile // size) * size)
        return {
            "header": "depthwise_conv2d_dsp.h",
            "function": "tinycc_depthwise_conv2d_dsp_int8",
            "struct": "tinycc_depthwise_conv2d_dsp",
            "shape": {
                **shape,
                "tile": tile,
                "block": block,
                "mode": self._dsp.mode,
                "is_relative": int(is_relative),
            },
            "data": self._dsp.channel_data(self.window.kernel, is_relative=is_relative),
        }

    def describe(self) -> str:
        """Kernel, stride and dilation."""
        return self.window.describe()
