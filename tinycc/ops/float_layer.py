"""Layers of float32: how their weights lie, and what their kernels have in common."""

import numpy as np

from tinycc.ops.kernel_call import Packed, Value
from tinycc.ops.linear import Linear
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.tensor import ITEM_BYTES, Tensor
from tinycc.runtime_c.constants import constant

# Outputs, and neighbouring pixels, that are summed together.
OUTPUTS = constant("TINYCC_FLOAT_OUTPUTS")
PIXELS = constant("TINYCC_FLOAT_PIXELS")


def block_data(view: Linear, groups: int = 1) -> dict[str, Value]:
    """The constants of a kernel that takes OUTPUTS outputs of a group together."""
    return {
        "weights": Packed(
            (view.outputs[0].channels * view.taps,), "float32", lambda: in_blocks(view.real.weights, groups)
        ),
        **bias_and_range(view),
    }


def bias_and_range(view: Linear) -> dict[str, Value]:
    """The constants beside the weights."""
    return {
        "bias": view.real.bias.astype(np.float32),
        "output_min": view.real.output_range[0],
        "output_max": view.real.output_range[1],
    }


def in_blocks(weights: np.ndarray, groups: int) -> np.ndarray:
    """Weights [outputs, ...] as blocks [taps, outputs]; the last one of a group may be smaller."""
    parts = []
    for group in np.split(weights.reshape(len(weights), -1), groups):
        parts += [group[first : first + OUTPUTS].T.reshape(-1) for first in range(0, len(group), OUTPUTS)]
    return np.concatenate(parts).astype(np.float32)


def tilewise_overlap(
    first_reads: np.ndarray, output: Tensor, tile: int, *, is_channelwise: bool = False
) -> int:
    """Overlap distance of a kernel that writes up to `tile` neighbours while it reads their windows.

    Which neighbours go together is left open.

    first_reads: for each pixel, in order, the lowest byte that it reads.
    is_channelwise: whether all that is read of a channel is read before that is written, in the order of
        channels; otherwise a pixel is read until its last channel is written.
    """
    item = ITEM_BYTES[output.dtype]
    pixel = output.channels * item
    pixels = np.arange(len(first_reads))
    last = np.minimum(pixels + tile - 1, pixels // output.width * output.width + output.width - 1)
    early = last * pixel + (0 if is_channelwise else pixel - item)
    return overlap_distance(first_reads, (pixels + 1) * pixel, early)
