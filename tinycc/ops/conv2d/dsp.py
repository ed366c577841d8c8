"""Convolution with the DSP extension: windows are widened to 16 bits, two by two."""

from tinycc.ops import dsp_linear
from tinycc.ops.conv2d.view import Conv2D
from tinycc.ops.dsp_linear import DspLinear, NarrowDsp, Wide
from tinycc.ops.kernel import Scratch
from tinycc.ops.kernel_call import RowCall


class DspConv2D(DspLinear[Conv2D]):
    """The windows of two pixels are read before the pixels are written."""

    def fits(self, view: Conv2D) -> bool:
        """int8 without groups whose sums have 24 bits, but for the bias."""
        return view.groups == 1 and dsp_linear.fits(view, self.storage)

    def call(self, view: Conv2D) -> RowCall:
        """One call for each output row; the function's name tells where windows are widened."""
        source, output = view.inputs[0], view.outputs[0]
        return RowCall(
            header="conv2d_dsp.h",
            function=f"tinycc_conv2d_dsp{'_scratch' if self.scratch(view).bytes else ''}_int8",
            struct="tinycc_conv2d_dsp",
            shape={
                **view.window.kernel_shape(source),
                "output_channels": output.channels,
                **dsp_linear.matrix_shape(view, self.storage),
            },
            data=dsp_linear.matrix_data(view, self.storage),
            windows=(view.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def scratch(self, view: Conv2D) -> Scratch:
        """For widened windows; they are gathered where taps are not whole words."""
        is_gathered = view.inputs[0].channels % 4 != 0
        return Scratch(dsp_linear.window_scratch_bytes(view.taps, self.storage, is_gathered=is_gathered))

    def overlap(self, view: Conv2D, index: int) -> int:
        """A pixel is written once its window is read."""
        return view.window.windowwise_overlap(view.inputs[0], view.outputs[0])


class WideDspConv2D(Wide[Conv2D], DspConv2D):
    """With wide weights."""


class NarrowDspConv2D(NarrowDsp[Conv2D], DspConv2D):
    """With weights of four bits."""
