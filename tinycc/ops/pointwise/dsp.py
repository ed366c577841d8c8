"""Weights times each vector, two by two for pixels and four outputs at a time for one vector."""

import numpy as np

from tinycc.ops import dsp_linear
from tinycc.ops.dsp_linear import DENSE_BLOCK, PAIR, DspLinear, NarrowDsp, Wide
from tinycc.ops.kernel import Scratch
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.linear import LinearView
from tinycc.ops.overlap import overlap_distance


class DspPointwise(DspLinear[LinearView]):
    """Pixels are read before they are written, but for a single one."""

    def fits(self, view: LinearView) -> bool:
        """int8 whose sums have 24 bits, where there are several pixels but for the bias."""
        is_one = view.inputs[0].elements == view.inputs[0].channels
        is_right = dsp_linear.fits(view, self.storage) and not (is_one and dsp_linear.is_large(view))
        return view.is_pointwise and is_right

    def call(self, view: LinearView) -> FlatCall:
        """A column for each vector."""
        source, output = view.inputs[0], view.outputs[0]
        pixels = source.elements // source.channels
        kernel = "dense_dsp" if pixels == 1 else "pointwise_dsp"
        suffix = "_scratch" if self.scratch(view).bytes else ""
        return FlatCall(
            header=f"{kernel}.h",
            function=f"tinycc_{kernel}{suffix}_int8",
            struct=f"tinycc_{kernel}",
            shape={
                "input_channels": source.channels,
                "output_channels": output.channels,
                **dsp_linear.matrix_shape(view, self.storage),
            },
            data=dsp_linear.matrix_data(view, self.storage, DENSE_BLOCK if pixels == 1 else PAIR),
            inputs=(source.elements,),
            columns=pixels,
            elements=output.elements,
        )

    def scratch(self, view: LinearView) -> Scratch:
        """For two widened pixels, where they are too much for the stack."""
        source = view.inputs[0]
        if source.elements == source.channels:
            return Scratch()
        return Scratch(dsp_linear.window_scratch_bytes(source.channels, self.storage))

    def overlap(self, view: LinearView, index: int) -> int:
        """Of a single vector all is read for each block of outputs."""
        source, output = view.inputs[0], view.outputs[0]
        pixels = source.elements // source.channels
        if pixels == 1:
            starts = np.arange(0, output.channels, DENSE_BLOCK)
            ends = np.minimum(starts + DENSE_BLOCK, output.channels)
            return overlap_distance(np.zeros_like(starts), ends, starts)
        written = np.arange(pixels) * output.channels
        return overlap_distance(np.arange(pixels) * source.channels, written + output.channels, written)


class WideDspPointwise(Wide[LinearView], DspPointwise[LinearView]):
    """With wide weights."""


class NarrowDspPointwise(NarrowDsp[LinearView], DspPointwise[LinearView]):
    """With weights of four bits."""
