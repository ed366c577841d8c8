"""Depthwise convolution on any core."""

from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.portable_linear import NarrowPortable, PortableLinear


class PortableDepthwiseConv2D(PortableLinear[DepthwiseConv2D]):
    """Pixel by pixel, channel by channel."""

    def call(self, view: DepthwiseConv2D) -> RowCall:
        """One call for each output row."""
        source, output = view.inputs[0], view.outputs[0]
        return RowCall(
            header=view.header("depthwise_conv2d"),
            function=self.function(view, "depthwise_conv2d"),
            struct="tinycc_depthwise_conv2d",
            shape={
                **view.window.kernel_shape(source),
                "depth_multiplier": view.depth_multiplier,
                **view.arithmetic.zero_point_shape,
            },
            data={**self.constants(view), "input_zero_point": source.zero_point},
            windows=(view.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def overlap(self, view: DepthwiseConv2D, index: int) -> int:
        """With a depth multiplier of 1, a channel of a pixel is written once its taps are read."""
        if view.depth_multiplier == 1:
            return view.window.channelwise_overlap(view.inputs[0], view.outputs[0])
        return view.window.pixelwise_overlap(view.inputs[0], view.outputs[0])


class NarrowPortableDepthwiseConv2D(NarrowPortable[DepthwiseConv2D], PortableDepthwiseConv2D):
    """With weights of four bits, two channels in a byte."""

    def row_elements(self, view: DepthwiseConv2D) -> int:
        """Weights that begin at a byte together: those of a tap."""
        return view.outputs[0].channels
