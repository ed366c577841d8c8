"""FULLY_CONNECTED on int8 or int16 activations with int8 weights, requantized like a convolution."""

from __future__ import annotations

import numpy.typing as npt

from .convolution import Requantization, exact_product
from .fixed_point import Integers, as_int64


def fully_connected(
    x: npt.ArrayLike,
    weights: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    input_zero_point: int,
    requantize: Requantization,
    weight_zero_point: int = 0,
) -> Integers:
    """x [..., in] times weights [out, in], plus bias [out], giving [rows, out].

    x is flattened to rows of the weights' length first.
    """
    kernels = as_int64(weights) - weight_zero_point
    rows = as_int64(x).reshape(-1, kernels.shape[1]) - input_zero_point
    return requantize(exact_product(rows, kernels.T) + (0 if bias is None else as_int64(bias)))
