"""Bilinear resizing of float32."""

import numpy as np

from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.resize_bilinear.view import ResizeBilinear
from tinycc.ops.resize_positions import Positions
from tinycc.ops.row_window import RowWindow


class FloatResizeBilinear(Kernel[ResizeBilinear]):
    """Channel by channel; positions are exact."""

    def call(self, view: ResizeBilinear) -> RowCall:
        """One call for each output row, with the input rows above and below it."""
        source, output = view.inputs[0], view.outputs[0]
        rows = Positions.of(source.height, output.height, view.coordinates)
        columns = Positions.of(source.width, output.width, view.coordinates)
        left = columns.indices(output.width)
        neighbours = np.clip(np.stack([left, left + 1], axis=1), 0, source.width - 1)
        # Rows before the first one are counted, too: C would round their numbers up.
        above = max(0, -int(rows.indices(1)[0]))
        window = RowWindow(
            input_rows=source.height,
            row_elements=source.width * source.channels,
            rows=2,
            stride=rows.stride,
            pad_top=above,
            offset=rows.offset + above * rows.divisor,
            divisor=rows.divisor,
            as_array=True,
        )
        return RowCall(
            header="resize_bilinear_float.h",
            function="tinycc_resize_bilinear_float32",
            struct="tinycc_resize_bilinear_float",
            shape={"channels": source.channels},
            data={
                "down": rows.fractions(output.height).astype(np.float32),
                "across": columns.fractions(output.width).astype(np.float32),
                "neighbours": neighbours.astype(np.int16),
            },
            windows=(window,),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
            counts_rows=True,
        )
