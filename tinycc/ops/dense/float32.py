"""Dense layers of float32."""

from tinycc.ops import float_layer
from tinycc.ops.dense.view import Dense
from tinycc.ops.kernel_call import AccumulatingCall
from tinycc.ops.pointwise.float32 import FloatPointwise


class FloatDense(FloatPointwise[Dense]):
    """A pointwise convolution of as many pixels as there are vectors."""

    def accumulate(self, view: Dense, height: int) -> AccumulatingCall | None:
        """Sums of one vector, an equal part of it after the other."""
        source, output = view.inputs[0], view.outputs[0]
        if view.vectors > 1 or source.elements % height:
            return None
        return AccumulatingCall(
            header="accumulate_float.h",
            function="tinycc_dense_rows_float32",
            struct="tinycc_dense_rows_float",
            shape={
                "rows": height,
                "row_elements": source.elements // height,
                "outputs": output.elements,
            },
            data=float_layer.block_data(view),
            rows=height,
            input_elements=source.elements // height,
            row_elements=output.elements,
            accumulator_bytes=output.bytes,
        )
