"""Depthwise convolution with Helium: sixteen channels of a pixel at a time, or several pixels of fewer."""

from tinycc.ops import helium
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.helium_linear import HeliumLinear, NarrowHelium
from tinycc.ops.kernel import Scratch
from tinycc.ops.kernel_call import RowCall
from tinycc.runtime_c.constants import constant

# The largest window.
_TAPS = constant("TINYCC_DEPTHWISE_TAPS")


class HeliumDepthwiseConv2D(HeliumLinear[DepthwiseConv2D]):
    """A vector of channels is written once its taps are read."""

    def fits(self, view: DepthwiseConv2D) -> bool:
        """A channel to a channel, windows of some size; two products fit 16 bits."""
        is_small = view.window.kernel[0] * view.window.kernel[1] <= _TAPS
        return (
            view.depth_multiplier == 1
            and is_small
            and view.arithmetic.meets(lambda: int(view.requantized.weights.min()) > -128)
            and super().fits(view)
        )

    def call(self, view: DepthwiseConv2D) -> RowCall:
        """One call for each output row."""
        source, output = view.inputs[0], view.outputs[0]
        shape = view.window.kernel_shape(source)
        shape["channels"] = shape.pop("input_channels")
        return RowCall(
            header="depthwise_conv2d_helium.h",
            function="tinycc_depthwise_conv2d_helium_int8",
            struct="tinycc_depthwise_conv2d_helium",
            shape={
                **shape,
                "pixels": _pixels(view),
                "rectified": int(helium.is_rectified(view)),
                "weight_bits": self.weight_bits,
            },
            data={
                **helium.channel_data(view, _pixels(view), self.weight_bits),
                "input_zero_point": source.zero_point,
            },
            windows=(view.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def scratch(self, view: DepthwiseConv2D) -> Scratch:
        """A pixel of padding."""
        return Scratch(-(-view.inputs[0].channels // helium.CHANNELS) * helium.CHANNELS)

    def overlap(self, view: DepthwiseConv2D, index: int) -> int:
        """By vectors."""
        reads = view.window.first_reads(view.inputs[0], view.outputs[0])
        return helium.channelwise_overlap(reads, view.outputs[0], _pixels(view))


class NarrowHeliumDepthwiseConv2D(NarrowHelium[DepthwiseConv2D], HeliumDepthwiseConv2D):
    """With weights of four bits, two taps in a byte."""


def _pixels(view: DepthwiseConv2D) -> int:
    """How many pixels next to each other are sixteen channels."""
    channels = view.inputs[0].channels
    is_whole = view.window.stride[1] == 1 and helium.CHANNELS % channels == 0
    return helium.CHANNELS // channels if is_whole else 1
