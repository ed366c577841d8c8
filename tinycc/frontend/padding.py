"""Padding with a tensor's own elements, in the forms that the normal form has for it."""

from collections.abc import Sequence

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError

# How many elements of an axis a mode cannot add to either side; None where it adds any number.
_KEPT = {"replicate": None, "reflect": 1, "symmetric": 0, "circular": 0}


def padded(
    builder: relax.BlockBuilder, value: relax.Expr, widths: Sequence[Sequence[int]], mode: str
) -> relax.Expr:
    """`value` with elements of its own added, (before, after) for each axis.

    mode: "replicate" the first and the last; "reflect" the tensor at them; "symmetric", which repeats them,
        too; or "circular". Relax has no symmetric padding: it is written as a take for each axis.

    Raises UnsupportedError where an axis does not have as many elements.
    """
    shape = tvm_adapter.shape_of(value)
    for size, sides in zip(shape, widths, strict=True):
        kept = _KEPT[mode]
        if min(sides) < 0 or (kept is not None and max(sides) > size - kept):
            raise UnsupportedError(
                f"{mode} padding of {size} elements by {max(sides, key=abs)} is not possible"
            )
    if mode != "symmetric":
        return relax.op.nn.pad(value, [int(width) for sides in widths for width in sides], mode)
    for axis, (before, after) in enumerate(widths):
        if before or after:
            indices = np.pad(np.arange(shape[axis], dtype=np.int32), (before, after), mode="symmetric")
            value = builder.emit(relax.op.take(value, tvm_adapter.make_constant(indices), axis, mode="clip"))
    return value
