"""Modules of one state that new rows are joined to, as streaming layers have them."""

import numpy as np
import tvm
from tvm import relax

from tests.tools.kernel_runner import dequantized, module_of, quantized

SCALE = 2.0**-5
Shape = tuple[int, ...]


def last(value: relax.Expr, axis: int, first: int) -> relax.Expr:
    """What comes from index `first` on."""
    return relax.op.strided_slice(value, [axis], [first], [2**20])


def read(rows: relax.Expr) -> relax.Expr:
    """An operator that reads all rows."""
    return quantized(relax.op.tanh(dequantized(rows, SCALE)), SCALE / 4)


def streaming(kept: Shape, added: Shape, axis: int, form: str, seed: int = 0) -> tvm.IRModule:
    """One state that rows are joined to.

    form: "cut" keeps the last rows of old and new ones, "shifted" all of them; "old" is "cut" with another
        reader of the old rows, "front" has the new rows in front.
    """
    start = np.random.default_rng(seed).integers(-128, 128, kept).astype(np.int8)

    def body(rows: relax.Expr, state: relax.Expr) -> list[relax.Expr]:
        if form == "shifted":
            joined = relax.op.concat([last(state, axis, added[axis]), rows], axis)
            return [read(joined), joined]
        if form == "front":
            joined = relax.op.concat([rows, state], axis)
            return [read(joined), relax.op.strided_slice(joined, [axis], [0], [kept[axis]])]
        joined = relax.op.concat([state, rows], axis)
        following = last(joined, axis, added[axis])
        return [read(joined), *([read(state)] if form == "old" else []), following]

    return module_of([(added, "int8")], body, [(kept, "int8", start)])
