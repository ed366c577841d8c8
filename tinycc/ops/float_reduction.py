"""Means and sums of float32 over all pixels, taken in row by row."""

from tinycc.ops.kernel_call import AccumulatingCall, Value
from tinycc.ops.tensor import ITEM_BYTES, Tensor


def reduction_data(divisor: float, output_range: tuple[float, float]) -> dict[str, Value]:
    """The constants of a kernel that divides sums and clamps them."""
    return {"divisor": divisor, "output_min": output_range[0], "output_max": output_range[1]}


def accumulating_call(
    source: Tensor, output: Tensor, divisor: float, output_range: tuple[float, float]
) -> AccumulatingCall:
    """The call for one row of pixels after the other."""
    return AccumulatingCall(
        header="accumulate_float.h",
        function="tinycc_reduce_rows_float32",
        struct="tinycc_reduce_rows_float",
        shape={"rows": source.height, "width": source.width, "channels": source.channels},
        data=reduction_data(divisor, output_range),
        rows=source.height,
        input_elements=source.width * source.channels,
        row_elements=output.elements,
        accumulator_bytes=source.channels * ITEM_BYTES[source.dtype],
    )
