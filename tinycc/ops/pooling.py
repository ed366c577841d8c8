"""What average and maximum pooling share."""

from tinycc.ops import dsp, helium
from tinycc.ops.base import PORTABLE, KernelCall
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.tensor import Tensor
from tinycc.ops.window import Window

# Of a sum in 16 bits.
MOST_TAPS = 256
FEATURES = (dsp.FEATURE, helium.FEATURE)
# Channels that are summed at once, and bytes of a sum that is kept from one row to the next.
_SUMS = {PORTABLE: (1, 4), dsp.FEATURE: (4, 2), helium.FEATURE: (8, 2)}


def accumulator_bytes(channels: int, variant: str) -> int:
    """Memory of a kernel that sums channels row by row."""
    together, item = _SUMS[variant]
    return -(-channels // together) * together * item


def suffix_of(variant: str) -> str:
    """What a variant adds to the names of headers and functions."""
    return "" if variant == PORTABLE else f"_{variant}"


def pool_call(
    kind: str,
    variant: str,
    window: Window,
    tensors: tuple[Tensor, Tensor],
    data: dict[str, int],
    *,
    mean_bits: int = 0,
) -> KernelCall:
    """One call for each output row.

    tensors: input and output. data: of the kernel. mean_bits: fractional bits of a mean that is rescaled.
    """
    source, output = tensors
    suffix = suffix_of(variant)
    bounds = data["output_min"], data["output_max"]
    return KernelCall(
        header=f"pool2d{suffix}.h",
        function=f"tinycc_{kind}{suffix}_{source.dtype}",
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
