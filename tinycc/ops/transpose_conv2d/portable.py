"""Transposed convolution on any core."""

from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import Packed, RowCall
from tinycc.ops.row_window import RowWindow
from tinycc.ops.transpose_conv2d.view import TransposeConv2D


class PortableTransposeConv2D(Kernel[TransposeConv2D]):
    """On any core."""

    def call(self, view: TransposeConv2D) -> RowCall:
        """The whole tensor at once."""
        source, output = view.inputs[0], view.outputs[0]
        # Each output sees some of the taps only, so the input's zero point stays out of the bias.
        bias = Packed((output.channels,), "int32", lambda: view.requantized.bias.astype("int32"))
        return RowCall(
            header="transpose_conv2d.h",
            function=f"tinycc_transpose_conv2d_{source.dtype}",
            struct="tinycc_transpose_conv2d",
            shape={
                "input_height": source.height,
                **view.kernel_shape,
                **view.arithmetic.zero_point_shape,
            },
            data={**view.portable_data(), "bias": bias, "input_zero_point": source.zero_point},
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=output.height,
            row_elements=output.elements,
        )
