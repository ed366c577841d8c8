"""Weights times each vector, of float32."""

import numpy as np

from tinycc.ops import float_layer
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.linear import LinearView
from tinycc.ops.tensor import ITEM_BYTES


class FloatPointwise(Kernel[LinearView]):
    """Some outputs of neighbouring vectors at a time."""

    def fits(self, view: LinearView) -> bool:
        """Where pixels are taken one by one."""
        return view.is_pointwise

    def call(self, view: LinearView) -> FlatCall:
        """A column for each vector."""
        source, output = view.inputs[0], view.outputs[0]
        return FlatCall(
            header="pointwise_float.h",
            function="tinycc_pointwise_float32",
            struct="tinycc_pointwise_float",
            shape={"input_channels": source.channels, "output_channels": output.channels},
            data=float_layer.block_data(view),
            inputs=(source.elements,),
            columns=source.elements // source.channels,
            elements=output.elements,
        )

    def overlap(self, view: LinearView, index: int) -> int:
        """Outputs are written while their vectors are read."""
        source, output = view.inputs[0], view.outputs[0]
        reads = np.arange(source.elements // source.channels) * source.channels * ITEM_BYTES[source.dtype]
        return float_layer.tilewise_overlap(reads, output, float_layer.PIXELS)
