"""Requantization of int8 in one multiplication by a short factor, checked for all 256 elements.

See runtime_c/kernels/portable/requantize_lines.h.
"""

from dataclasses import dataclass

import numpy as np

from tinycc.ops.lookup_table import INT8_VALUES
from tinycc.runtime_c.constants import constant

# Fraction bits of factors and offsets.
BITS = constant("TINYCC_LINES_BITS")
# Of offsets, and of factors times an element: their sum fits 32 bits, a half less as well.
_LIMIT = 2**30 - 2**BITS
# Factors that are tried on either side of the nearest.
_NEIGHBOURS = 32


@dataclass(frozen=True)
class Lines:
    """(x * factor + offset) >> BITS, clamped to int8; for x below the zero point with offset + step."""

    factor: int
    offset: int
    step: int


def find_lines(results: np.ndarray, ratio: float, zero_point: int) -> Lines | None:
    """The lines that give all results, if there are any near the ratio; one rather than two.

    results: int64 [256], for -128 ... 127, clamped to int8.
    ratio: of the scales of input and output. zero_point: of the input.
    """
    nearest = round(ratio * 2**BITS)
    factors = sorted(range(nearest - _NEIGHBOURS, nearest + _NEIGHBOURS + 1), key=lambda f: abs(f - nearest))
    two_lines = None
    is_below = zero_point > INT8_VALUES
    for factor in factors:
        if not 0 < factor * 128 <= _LIMIT:
            continue
        steps = results << BITS
        least = np.where(results > -128, steps - INT8_VALUES * factor, -_LIMIT)
        most = np.where(results < 127, steps + 2**BITS - 1 - INT8_VALUES * factor, _LIMIT)
        if least.max() <= most.min():
            return Lines(factor, int(least.max()), 0)
        above, below = (
            (int(least[side].max(initial=-_LIMIT)), int(most[side].min(initial=_LIMIT)))
            for side in (~is_below, is_below)
        )
        if two_lines is None and above[0] <= above[1] and below[0] <= below[1]:
            two_lines = Lines(factor, above[0], below[0] - above[0])
    return two_lines
