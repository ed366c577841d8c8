"""Matrix products of int8 on any core."""

from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.matmul.view import Matmul


class PortableMatmul(Kernel[Matmul]):
    """On any core."""

    def call(self, view: Matmul) -> RowCall:
        """One call for each matrix of the result."""
        a, b = view.inputs
        output = view.outputs[0]
        multiplier, shift = quantize_multiplier(a.real_scale * b.real_scale / output.real_scale)
        return RowCall(
            header="matmul.h",
            function="tinycc_matmul_int8",
            struct="tinycc_matmul",
            shape={"depth": a.channels, "columns": output.channels},
            data={
                "a_zero_point": a.zero_point,
                "b_zero_point": b.zero_point,
                "output_zero_point": output.zero_point,
                "multiplier": multiplier,
                "shift": shift,
                "output_min": view.output_range[0],
                "output_max": view.output_range[1],
            },
            windows=(view.matrices(0), view.matrices(1)),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )
