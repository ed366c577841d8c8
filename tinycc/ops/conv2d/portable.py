"""Convolution on any core."""

from tinycc.ops.conv2d.view import Conv2D
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.portable_linear import NarrowPortable, PortableLinear


class PortableConv2D(PortableLinear[Conv2D]):
    """Pixel by pixel; its output channels are written while its window is still being read."""

    def call(self, view: Conv2D) -> RowCall:
        """One call for each output row."""
        source, output = view.inputs[0], view.outputs[0]
        return RowCall(
            header=view.header("conv2d"),
            function=self.function(view, "conv2d"),
            struct="tinycc_conv2d",
            shape={
                **view.window.kernel_shape(source),
                "output_channels": output.channels,
                "groups": view.groups,
                **view.arithmetic.zero_point_shape,
            },
            data={**self.constants(view), "input_zero_point": source.zero_point},
            windows=(view.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def overlap(self, view: Conv2D, index: int) -> int:
        """The last channel of a pixel is written once all of its window is read."""
        return view.window.pixelwise_overlap(view.inputs[0], view.outputs[0])


class NarrowPortableConv2D(NarrowPortable[Conv2D], PortableConv2D):
    """With weights of four bits."""

    def row_elements(self, view: Conv2D) -> int:
        """Weights that begin at a byte together: those of a kernel row."""
        return view.taps // view.window.kernel[0]
