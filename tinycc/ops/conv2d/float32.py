"""Convolution of float32."""

from tinycc.ops import float_layer
from tinycc.ops.conv2d.view import Conv2D
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall


class FloatConv2D(Kernel[Conv2D]):
    """Some outputs of neighbouring pixels at a time."""

    def call(self, view: Conv2D) -> RowCall:
        """One call for each output row."""
        source, output = view.inputs[0], view.outputs[0]
        return RowCall(
            header="conv2d_float.h",
            function="tinycc_conv2d_float32",
            struct="tinycc_conv2d_float",
            shape={
                **view.window.kernel_shape(source),
                "output_channels": output.channels,
                "groups": view.groups,
            },
            data=float_layer.block_data(view, view.groups),
            windows=(view.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def overlap(self, view: Conv2D, index: int) -> int:
        """Channels are written while the windows of their pixels are read."""
        source, output = view.inputs[0], view.outputs[0]
        return float_layer.tilewise_overlap(
            view.window.first_reads(source, output), output, float_layer.PIXELS
        )
