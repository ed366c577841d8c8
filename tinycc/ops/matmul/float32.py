"""Matrix products of float32."""

import numpy as np

from tinycc.ops import float_layer
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.matmul.view import Matmul
from tinycc.ops.row_window import ColumnWindow
from tinycc.ops.tensor import ITEM_BYTES


class FloatMatmul(Kernel[Matmul]):
    """Some outputs of neighbouring vectors at a time."""

    def call(self, view: Matmul) -> RowCall:
        """One call for each matrix of the result."""
        a, output = view.inputs[0], view.outputs[0]
        return RowCall(
            header="matmul_float.h",
            function="tinycc_matmul_float32",
            struct="tinycc_matmul_float",
            shape={"inner": a.channels, "outputs": output.channels},
            data={"output_min": view.output_range[0], "output_max": view.output_range[1]},
            windows=(view.matrices(0, ColumnWindow(a.width)), view.matrices(1)),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def overlap(self, view: Matmul, index: int) -> int | None:
        """Outputs are written while their vectors of `a` are read; what serves several is read again."""
        a, output = view.inputs[0], view.outputs[0]
        if index or a.height != output.height:
            return None
        reads = np.arange(a.height * a.width) * a.channels * ITEM_BYTES[a.dtype]
        return float_layer.tilewise_overlap(reads, output, float_layer.PIXELS)
