"""What kernels of average and maximum pooling share, and of other sums over pixels."""

from typing import ClassVar

from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.tensor import Tensor
from tinycc.ops.window import Window
from tinycc.runtime_c.constants import constant

# Of a sum in 16 bits.
MOST_TAPS = constant("TINYCC_CHANNEL_SUMS_TAPS")


class Sums:
    """How a kernel sums channels, and keeps sums from one row to the next.

    suffix: of headers and functions. together: channels that are summed at once. item: bytes of a sum.
    """

    suffix: ClassVar[str] = ""
    together: ClassVar[int] = 1
    item: ClassVar[int] = 4

    @classmethod
    def accumulator_bytes(cls, channels: int) -> int:
        """Memory of the sums of so many channels."""
        return -(-channels // cls.together) * cls.together * cls.item


class DspSums(Sums):
    """With the DSP extension."""

    suffix: ClassVar[str] = "_dsp"
    together: ClassVar[int] = constant("TINYCC_DSP_CHANNELS")
    item: ClassVar[int] = 2


class HeliumSums(Sums):
    """With Helium."""

    suffix: ClassVar[str] = "_helium"
    together: ClassVar[int] = constant("TINYCC_SUMMED_CHANNELS")
    item: ClassVar[int] = 2


def float_pool_call(
    name: str, window: Window, tensors: tuple[Tensor, Tensor], output_range: tuple[float, float]
) -> RowCall:
    """One call for each output row of a kernel of float32; see pool_call."""
    source, output = tensors
    return RowCall(
        header="pool2d_float.h",
        function=f"tinycc_{name}_float32",
        struct="tinycc_pool2d_float",
        shape=window.kernel_shape(source),
        data={"output_min": output_range[0], "output_max": output_range[1]},
        windows=(window.rows_of(source),),
        rows=output.height,
        columns=output.width,
        row_elements=output.width * output.channels,
    )


def pool_call(
    name: str,
    suffix: str,
    window: Window,
    tensors: tuple[Tensor, Tensor],
    data: dict[str, int],
    *,
    mean_bits: int = 0,
) -> RowCall:
    """One call for each output row.

    name: of the kernel. suffix: of headers and functions. tensors: input and output. data: of the kernel.
    mean_bits: fractional bits of a mean that is rescaled.
    """
    source, output = tensors
    bounds = data["output_min"], data["output_max"]
    return RowCall(
        header=f"pool2d{suffix}.h",
        function=f"tinycc_{name}{suffix}_{source.dtype}",
        struct="tinycc_pool2d",
        shape={
            **window.kernel_shape(source),
            "mean_bits": mean_bits,
            "is_inside": int(window.is_inside(source, output)),
            "is_clamped": int(bounds != INTEGER_RANGE[output.dtype]),
        },
        data=dict(data),
        windows=(window.rows_of(source),),
        rows=output.height,
        columns=output.width,
        row_elements=output.width * output.channels,
    )
