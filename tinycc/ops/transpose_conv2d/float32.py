"""Transposed convolution of float32."""

from tinycc.ops import float_layer
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.row_window import RowWindow
from tinycc.ops.transpose_conv2d.view import TransposeConv2D


class FloatTransposeConv2D(Kernel[TransposeConv2D]):
    """Some outputs of a pixel at a time."""

    def call(self, view: TransposeConv2D) -> RowCall:
        """One call for each output row, with all input rows that may reach it."""
        source, output = view.inputs[0], view.outputs[0]
        stride, reach = view.stride[0], (view.kernel_size[0] - 1) * view.dilation[0]
        # The first of them is (y + pad_top - reach) / stride, rounded up.
        above = -(-reach // stride)
        window = RowWindow(
            input_rows=source.height,
            row_elements=source.width * source.channels,
            rows=reach // stride + 1,
            pad_top=above,
            offset=view.padding[0] - reach + stride - 1 + above * stride,
            divisor=stride,
            as_array=True,
        )
        return RowCall(
            header="transpose_conv2d_float.h",
            function="tinycc_transpose_conv2d_float32",
            struct="tinycc_transpose_conv2d_float",
            shape=view.kernel_shape,
            data=float_layer.block_data(view, view.groups),
            windows=(window,),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
            counts_rows=True,
        )
