"""Weights of four bits: which layers have them, and how two of them lie in a byte."""

import numpy as np

from tinycc.ops.linear import Linear

NARROW_BITS = 4
# What four bits hold.
NARROW_RANGE = (-8, 7)


def is_narrow(layer: Linear) -> bool:
    """Whether a layer of int8 has weights of four bits."""
    return layer.inputs[0].dtype == "int8" and layer.arithmetic.weight_bits == NARROW_BITS


def two_in_a_byte(rows: np.ndarray) -> np.ndarray:
    """Weights in [-8, 7], [rows, elements], two by two: int8 [rows, elements / 2], filled up with zeros.

    The first of two is in the lower half; both are in two's complement.
    """
    filled = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).astype(np.int8)
    return np.asarray((filled[:, ::2] & 15) | (filled[:, 1::2] << NARROW_BITS))
