"""A rate is what it was while nothing has overflowed, and 0 from then on."""

import math

import numpy as np

from tests.tools.gradients import Case, on_both
from tests.tools.kernel_runner import check_overlap
from tinycc.ops.checked_rate import LIMIT, checked_rate

BELOW = float(np.nextafter(np.float32(LIMIT), np.float32(0)))


def case(value: float, rate: float) -> Case:
    """One value among others."""
    values = np.random.default_rng(0).normal(size=(1, 2, 3, 5)).astype(np.float32)
    values[0, 1, 2, 3] = value
    return Case(checked_rate, [values, np.array([rate], np.float32)])


def test_the_rate_is_0_where_anything_has_overflowed() -> None:
    kept = [(0.0, 0.25), (BELOW, 0.25), (-BELOW, -3.0), (1.0, BELOW)]
    lost = [(LIMIT, 0.25), (-LIMIT, 0.25), (math.inf, 0.25), (-math.inf, 0.25), (math.nan, 0.25)]
    lost += [(1.0, rate) for rate in (LIMIT, math.inf, -math.inf, math.nan)]
    results = on_both(*(case(*pair) for pair in (*kept, *lost)))
    expected = [*(rate for _, rate in kept), *(0.0 for _ in lost)]
    for [in_c, on_vm], rate in zip(results, expected, strict=True):
        assert in_c == on_vm == np.float32(rate)


def test_the_rate_may_be_written_over_the_other_one() -> None:
    checked = case(1.0, 0.25)
    check_overlap(checked.module(), checked.inputs, index=1, is_tight=False)
