"""How steep functions of one int8 number are, which training asks of tables."""

from collections.abc import Callable

import numpy as np

from tinycc.ops.lookup_table import INT8_VALUES, Tree, evaluate
from tinycc.ops.tensor import Tensor

# Of an integer, in steps of its own scale; to a number in steps of the result's.
Function = Callable[[np.ndarray], np.ndarray]


def tree_slopes(tree: Tree, source: Tensor, output: Tensor) -> np.ndarray:
    """Of the real function behind a table, in steps of the output for one of the input; float32 [256]."""

    def scaled(places: np.ndarray) -> np.ndarray:
        real = ((places - source.zero_point) * np.float64(source.real_scale)).astype(np.float32)
        values = np.broadcast_to(evaluate(tree, real), real.shape)
        return values.astype(np.float64) / output.real_scale

    return mean_slopes(scaled)


def mean_slopes(function: Function) -> np.ndarray:
    """The mean slope over all that is rounded to each of -128 ... 127: kinks have that between both sides.

    Where the function has no value it is 0. float32 [256].
    """
    with np.errstate(all="ignore"):
        slopes = function(INT8_VALUES + 0.5) - function(INT8_VALUES - 0.5)
    return np.nan_to_num(slopes, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)
