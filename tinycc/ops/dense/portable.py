"""Dense layers on any core."""

from tinycc.ops.dense.view import Dense
from tinycc.ops.kernel_call import AccumulatingCall
from tinycc.ops.pointwise.portable import PortablePointwise


class PortableDense(PortablePointwise[Dense]):
    """A pointwise convolution of as many pixels as there are vectors."""

    def accumulate(self, view: Dense, height: int) -> AccumulatingCall | None:
        """Sums of one vector, an equal part of it after the other."""
        return accumulating_call(view, height) if view.accumulates(height) else None


def accumulating_call(view: Dense, height: int) -> AccumulatingCall:
    """The call for one of `height` parts of a vector after the other."""
    source, output = view.inputs[0], view.outputs[0]
    return AccumulatingCall(
        header="accumulate.h",
        function="tinycc_dense_rows_int8",
        struct="tinycc_dense_rows",
        shape={
            "rows": height,
            "row_elements": source.elements // height,
            "outputs": output.elements,
            **view.arithmetic.zero_point_shape,
        },
        data=view.portable_data(),
        rows=height,
        input_elements=source.elements // height,
        row_elements=output.elements,
        accumulator_bytes=4 * output.elements,
    )
