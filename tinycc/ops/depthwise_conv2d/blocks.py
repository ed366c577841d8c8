"""Depthwise convolution of whole tensors, in place, by blocks of channels."""

from tinycc.ops.depthwise_conv2d.portable import NarrowPortableDepthwiseConv2D, PortableDepthwiseConv2D
from tinycc.ops.depthwise_conv2d.view import DepthwiseConv2D
from tinycc.ops.kernel import Kernel, Scratch
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.narrow import is_narrow
from tinycc.ops.row_window import RowWindow

# TINYCC_DEPTHWISE_BLOCK.
_CHANNELS = 4


class DepthwiseConv2DByBlocks(Kernel[DepthwiseConv2D]):
    """Four channels of all pixels at a time, from a copy of these.

    Other kernels keep the output some rows of all channels before the input. Weights lie as the portable
    kernel that goes by rows has them.
    """

    name = "portable_blocks"
    trade = "rows"
    overlaps_exactly = True

    def fits(self, view: DepthwiseConv2D) -> bool:
        """int8, a channel to a channel, no more pixels than there were."""
        source, output = view.inputs[0], view.outputs[0]
        return source.dtype == "int8" and view.depth_multiplier == 1 and output.elements <= source.elements

    def call(self, view: DepthwiseConv2D) -> RowCall:
        """The whole tensor at once, a column for each block."""
        source, output, window = view.inputs[0], view.outputs[0], view.window
        by_rows = NarrowPortableDepthwiseConv2D() if is_narrow(view) else PortableDepthwiseConv2D()
        return RowCall(
            header="depthwise_conv2d_blocks.h",
            function=by_rows.function(view, "depthwise_conv2d_blocks"),
            struct="tinycc_depthwise_conv2d_blocks",
            shape={
                "input_height": source.height,
                "input_width": source.width,
                "output_height": output.height,
                "output_width": output.width,
                "channels": source.channels,
                "kernel_height": window.kernel[0],
                "kernel_width": window.kernel[1],
                "stride_height": window.stride[0],
                "stride_width": window.stride[1],
                "dilation_height": window.dilation[0],
                "dilation_width": window.dilation[1],
                "pad_top": window.padding[0],
                "pad_left": window.padding[1],
                **view.arithmetic.zero_point_shape,
            },
            data={**by_rows.constants(view), "input_zero_point": source.zero_point},
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=-(-source.channels // _CHANNELS),
            row_elements=output.elements,
            pixel_columns=0,
        )

    def row_call(self, view: DepthwiseConv2D) -> None:
        """None: a block has channels of all rows."""

    def scratch(self, view: DepthwiseConv2D) -> Scratch:
        """A block of the input."""
        source = view.inputs[0]
        return Scratch(source.height * source.width * _CHANNELS, 1)

    def overlap(self, view: DepthwiseConv2D, index: int) -> int:
        """Over the input itself."""
        return 0
