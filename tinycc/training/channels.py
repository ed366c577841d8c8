"""Which input channels of a layer train, where not all of them do."""

from typing import Any

import numpy as np

from tinycc.training.layers import Layer


def trained_channels(layer: Layer, share: float) -> np.ndarray:
    """The indices, ascending, of that share of the input channels whose weights are the greatest.

    By the sum of the squares of their real numbers, the first of equal ones before others; rounded down to
    whole channels. Of a depthwise convolution they are on weights' first axis, of others on the last.
    """
    real = layer.weights * layer.weight_scales[:, None, None, None].astype(np.float64)
    sums = np.square(real).sum((1, 2, 3)) if is_depthwise(layer) else np.square(real).sum((0, 1, 2))
    count = int(share * len(sums))
    return np.sort(np.argsort(-sums, kind="stable")[:count])


def is_depthwise(layer: Layer) -> bool:
    """Whether output channels have an input channel each, so that the weights' first axis is that of both."""
    return layer.weights.shape[3] == 1 and layer.groups == layer.weights.shape[0] > 1


def channel_axis(layer: Layer) -> int:
    """The axis of weights that the channels are on which train."""
    return 0 if is_depthwise(layer) else 3


def trained_elements(layer: Layer, share: float) -> np.ndarray:
    """For each weight its index in the tensor of those that train, -1 for a frozen one; int64."""
    found = np.full(layer.weights.shape, -1)
    axis = channel_axis(layer)
    chosen: list[Any] = [slice(None)] * 4
    if share < 1.0:
        chosen[axis] = trained_channels(layer, share)
    found[tuple(chosen)] = np.arange(found[tuple(chosen)].size).reshape(found[tuple(chosen)].shape)
    return found
