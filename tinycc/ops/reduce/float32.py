"""Means and sums of float32."""

from tinycc.ops.float_reduction import accumulating_call, reduction_data
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import AccumulatingCall, RowCall
from tinycc.ops.reduce.view import Reduce
from tinycc.ops.row_window import RowWindow


class FloatReduce(Kernel[Reduce]):
    """Result by result."""

    def call(self, view: Reduce) -> RowCall:
        """The whole tensor at once."""
        return RowCall(
            header="reduce_float.h",
            function="tinycc_reduce_float32",
            struct="tinycc_reduce_float",
            shape=view.strides,
            data=reduction_data(_divisor(view), view.bounds),
            windows=(RowWindow.whole(view.inputs[0]),),
            rows=1,
            columns=view.strides["kept_size0"],
            row_elements=view.outputs[0].elements,
        )

    def accumulate(self, view: Reduce, height: int) -> AccumulatingCall | None:
        """Sums over all pixels, row by row."""
        source, output = view.inputs[0], view.outputs[0]
        if height != source.height or not view.is_over_pixels:
            return None
        return accumulating_call(source, output, _divisor(view), view.bounds)


def _divisor(view: Reduce) -> float:
    return float(view.count) if view.is_mean else 1.0
