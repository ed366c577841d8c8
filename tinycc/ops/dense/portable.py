"""Dense layers on any core."""

from tinycc.ops.dense.view import Dense
from tinycc.ops.kernel_call import AccumulatingCall
from tinycc.ops.pointwise.portable import PortablePointwise
from tinycc.ops.portable_linear import NarrowPortable


class PortableDense(PortablePointwise[Dense]):
    """A pointwise convolution of as many pixels as there are vectors."""

    def accumulate(self, view: Dense, height: int) -> AccumulatingCall | None:
        """Sums of one vector, an equal part of it after the other."""
        if not view.accumulates(height):
            return None
        source, output = view.inputs[0], view.outputs[0]
        return AccumulatingCall(
            header="accumulate.h",
            function=self.function(view, "dense_rows"),
            struct="tinycc_dense_rows",
            shape={
                "rows": height,
                "row_elements": source.elements // height,
                "outputs": output.elements,
                **view.arithmetic.zero_point_shape,
            },
            data=self.constants(view),
            rows=height,
            input_elements=source.elements // height,
            row_elements=output.elements,
            accumulator_bytes=4 * output.elements,
        )


class NarrowPortableDense(NarrowPortable[Dense], PortableDense):
    """With weights of four bits."""
