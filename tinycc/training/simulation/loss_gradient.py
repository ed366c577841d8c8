"""The gradient of a loss by the integers of logits, in the device's float32, bit for bit."""

import numpy as np
import torch

from tinycc.ops.tensor import Tensor
from tinycc.training.simulation.loss import Loss

# Of exp(n * log(2) + rest), highest power first, as shared/float_functions.h has them.
_SERIES = 1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1
_LOG_2 = np.float32(0.693359375), np.float32(2.12194440e-4)
_LOWEST = np.float32(-87.33654)


def loss_gradient(tensor: Tensor, integers: torch.Tensor, targets: torch.Tensor, loss: Loss) -> torch.Tensor:
    """Of each case, float32 in the shape of `integers`; see `losses_of`."""
    logits = integers.detach().flatten(2).cpu().numpy().astype(np.int32)
    wanted, scale = targets.cpu().numpy(), np.float32(tensor.real_scale)
    if loss == "squared_error":
        real = (logits - tensor.zero_point).astype(np.float32) * scale
        factor = np.float32(2.0 * tensor.real_scale / tensor.elements)
        found = (real - wanted.reshape(*targets.shape[:2], -1)) * factor
    else:
        powers = _exponentials((logits - logits.max(2, keepdims=True)).astype(np.float32) * scale)
        # One after the other: np.sum would add them by pairs.
        sums = np.add.accumulate(powers, 2)[..., -1:]
        is_label = np.arange(logits.shape[2]) == wanted[..., np.newaxis]
        found = (powers / sums - is_label.astype(np.float32)) * scale
    return torch.as_tensor(found, device=integers.device).reshape(integers.shape)


def _exponentials(values: np.ndarray) -> np.ndarray:
    """Of numbers that are not above 0: `tinycc_exp`, operation by operation."""
    held = np.maximum(values, _LOWEST)
    whole = (held * np.float32(1.44269504) - np.float32(0.5)).astype(np.int32)
    # For 0 the device adds a half in place of it; both are rounded to 0.
    power = whole.astype(np.float32)
    rest = (held - power * _LOG_2[0]) + power * _LOG_2[1]
    series = np.full_like(rest, _SERIES[0])
    for coefficient in _SERIES[1:]:
        series = series * rest + np.float32(coefficient)
    result = series * rest * rest + rest + np.float32(1)
    return np.where(values < _LOWEST, np.float32(0), np.ldexp(result, whole))
