"""Convolution with Helium: windows are laid out as vectors, two by two."""

from tinycc.ops import helium
from tinycc.ops.conv2d.view import Conv2D
from tinycc.ops.helium_linear import HeliumLinear, NarrowHelium
from tinycc.ops.kernel import Scratch
from tinycc.ops.kernel_call import RowCall
from tinycc.runtime_c.constants import constant

# Bytes of windows that the kernel lays out on the stack.
_STACK_BYTES = constant("TINYCC_CONV2D_STACK")


class HeliumConv2D(HeliumLinear[Conv2D]):
    """The windows of two pixels are read before the pixels are written."""

    def fits(self, view: Conv2D) -> bool:
        """Without groups, constants as `helium.fits` says."""
        return view.groups == 1 and super().fits(view)

    def call(self, view: Conv2D) -> RowCall:
        """One call for each output row; the function's name tells where windows are laid out."""
        source, output = view.inputs[0], view.outputs[0]
        inputs = helium.window_inputs(view)
        shape = helium.matrix_shape(view, inputs, self.weight_bits)
        data = helium.matrix_data(view, inputs, self.weight_bits)
        return RowCall(
            header="conv2d_helium.h",
            function=f"tinycc_conv2d_helium{'_scratch' if self.scratch(view).bytes else ''}_int8",
            struct="tinycc_conv2d_helium",
            shape={
                **view.window.kernel_shape(source),
                **{f"matrix.{name}": size for name, size in shape.items()},
            },
            data={
                **{f"matrix.{name}": value for name, value in data.items()},
                "input_zero_point": source.zero_point,
            },
            windows=(view.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def scratch(self, view: Conv2D) -> Scratch:
        """For two windows, where they are not small enough for the stack."""
        windows = 2 * helium.window_inputs(view)
        return Scratch(windows if windows > _STACK_BYTES else 0)

    def overlap(self, view: Conv2D, index: int) -> int:
        """A pixel is written once its window is read."""
        reads = view.window.first_reads(view.inputs[0], view.outputs[0])
        return helium.windowed_overlap(reads, view.outputs[0])


class NarrowHeliumConv2D(NarrowHelium[Conv2D], HeliumConv2D):
    """With weights of four bits, two outputs in a byte."""
