"""From int32 accumulators to the output's scale: what convolutions and dense layers share."""

import numpy as np

from tinycc.ops.composite import Composite
from tinycc.ops.tensor import Tensor


def bias_of(composite: Composite, channels: int) -> np.ndarray:
    """The constant that is added before the activation, int32 [channels]; zeros where there is none."""
    for call in composite.calls("relax.add"):
        bias = composite.tensor(call.args[1]).value
        if bias is not None:
            return np.broadcast_to(bias.reshape(-1), (channels,)).astype(bias.dtype)
    return np.zeros(channels, np.int32)


def requantization_factors(source: Tensor, weights: Tensor, output: Tensor, channels: int) -> np.ndarray:
    """Input scale x weight scale / output scale for each output channel, float64 as TFLite computes it."""
    scales = np.asarray(weights.scale, np.float32).astype(np.float64).reshape(-1)
    factors = np.float64(source.real_scale) * scales / np.float64(output.real_scale)
    return np.broadcast_to(factors, (channels,))


def folded_bias(
    bias: np.ndarray, weights: np.ndarray, input_zero_point: int, weight_zero_point: int
) -> np.ndarray:
    """The bias with the input's zero point taken in: bias - zero_point * sum(weights - weight_zero_point).

    weights: output channels first.
    """
    sums = (weights.astype(np.int64) - weight_zero_point).reshape(weights.shape[0], -1).sum(axis=1)
    return (bias.astype(np.int64) - input_zero_point * sums).astype(np.int32)
