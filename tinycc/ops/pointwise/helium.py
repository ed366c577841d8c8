"""Weights times each vector, with vector instructions for two pixels and four outputs at a time."""

import numpy as np

from tinycc.ops import helium
from tinycc.ops.helium_linear import HeliumLinear, NarrowHelium
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.linear import LinearView


class HeliumPointwise(HeliumLinear[LinearView]):
    """Two pixels are computed together, wherever a row of them starts."""

    def fits(self, view: LinearView) -> bool:
        """Constants as `helium.fits` says."""
        return view.is_pointwise and super().fits(view)

    def call(self, view: LinearView) -> FlatCall:
        """A column for each vector."""
        source, output = view.inputs[0], view.outputs[0]
        return FlatCall(
            header="pointwise_helium.h",
            function="tinycc_pointwise_helium_int8",
            struct="tinycc_pointwise_helium",
            shape=helium.matrix_shape(view, source.channels, self.weight_bits),
            data=helium.matrix_data(view, source.channels, self.weight_bits),
            inputs=(source.elements,),
            columns=source.elements // source.channels,
            elements=output.elements,
        )

    def overlap(self, view: LinearView, index: int) -> int:
        """The last outputs of a pair of pixels are written once both are read."""
        source = view.inputs[0]
        reads = np.arange(source.elements // source.channels) * source.channels
        return helium.pairwise_overlap(reads, view.outputs[0])


class NarrowHeliumPointwise(NarrowHelium[LinearView], HeliumPointwise[LinearView]):
    """With weights of four bits, two outputs in a byte."""
