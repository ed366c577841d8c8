"""Folding the input's zero point into the bias of a weighted sum."""

import numpy as np


def folded_bias(bias: np.ndarray, weights: np.ndarray, input_zero_point: int) -> np.ndarray:
    """The bias with the input's zero point taken in: bias - zero_point * sum(weights).

    weights: less their own zero point, output channels first.
    """
    sums = weights.astype(np.int64).reshape(weights.shape[0], -1).sum(axis=1)
    return (bias.astype(np.int64) - input_zero_point * sums).astype(np.int32)
