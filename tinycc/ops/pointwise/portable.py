"""Weights times each vector, on any core."""

import numpy as np

from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.linear import LinearView
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.portable_linear import NarrowPortable, PortableLinear
from tinycc.ops.tensor import ITEM_BYTES


class PortablePointwise(PortableLinear[LinearView]):
    """Output by output; the outputs of a vector are written while the vector is still being read."""

    def fits(self, view: LinearView) -> bool:
        """Where pixels are taken one by one."""
        return view.is_pointwise

    def call(self, view: LinearView) -> FlatCall:
        """A column for each vector."""
        source, output = view.inputs[0], view.outputs[0]
        return FlatCall(
            header=view.header("pointwise"),
            function=self.function(view, "pointwise"),
            struct="tinycc_pointwise",
            shape={
                "input_channels": source.channels,
                "output_channels": output.channels,
                **view.arithmetic.zero_point_shape,
            },
            data=self.constants(view),
            inputs=(source.elements,),
            columns=source.elements // source.channels,
            elements=output.elements,
        )

    def overlap(self, view: LinearView, index: int) -> int:
        """The last output of a vector is written once all of it is read."""
        source, output = view.inputs[0], view.outputs[0]
        item = ITEM_BYTES[output.dtype]
        vectors = np.arange(source.elements // source.channels)
        ends = (vectors + 1) * output.channels * item
        return overlap_distance(vectors * source.channels * ITEM_BYTES[source.dtype], ends, ends - item)


class NarrowPortablePointwise(NarrowPortable[LinearView], PortablePointwise[LinearView]):
    """With weights of four bits."""
