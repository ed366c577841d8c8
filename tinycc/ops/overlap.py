"""How close behind its reads an operator may write: the overlap distance."""

import numpy as np

from tinycc.ops.base import Operator
from tinycc.ops.tensor import ITEM_BYTES, Tensor

# Attribute of a composite function: how many bytes the output must start before each operand, by index.
OVERLAP_DISTANCES = "overlap_distances"


def overlap_distance(reads: np.ndarray, write_ends: np.ndarray, early_write_ends: np.ndarray) -> int:
    """The least number of bytes by which an output must start before its dying input.

    An operator runs in steps t = 0, 1, ... (say, output pixels). All positions are bytes from the start of
    the input (reads) or of the output (writes).

    reads[t]: lowest input byte that step t reads.
    write_ends[t]: end of the bytes written up to the end of step t.
    early_write_ends[t]: end of the bytes written before the last read of step t.

    A write at output byte b lands on input byte b - distance, which must not be read any more. The
    result may be negative: the output may then even start that much behind the input's start.
    """
    later_reads = np.minimum.accumulate(reads[::-1])[::-1]
    distance = int(np.max(early_write_ends - later_reads))
    if len(reads) > 1:
        distance = max(distance, int(np.max(write_ends[:-1] - later_reads[1:])))
    return distance


def may_share_bytes(source: Tensor, output: Tensor) -> bool:
    """Whether C allows accesses of both types to the same bytes in one function: one is a character."""
    return source.dtype == output.dtype or 1 in (ITEM_BYTES[source.dtype], ITEM_BYTES[output.dtype])


def overlap_distances(view: Operator) -> dict[str, int]:
    """The attribute's value: how many bytes the output must start before each operand it may overlap."""
    return {
        str(index): distance
        for index in range(len(view.inputs) - view.state_count)
        if (distance := view.overlap_distance(index)) is not None
        and view.inputs[index].parameter is not None
        and (view.kernel.accesses_bytes or may_share_bytes(view.inputs[index], view.outputs[0]))
    }
