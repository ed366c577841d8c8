"""Changes of weights and biases in fixed point, by gradients in whole numbers."""

import torch

from tinycc.ops.update import RANDOM_BITS
from tinycc.training.simulation.scaled import Scaled

# Of float32.
_MANTISSA_BITS = 24


def whole_changes(gradient: Scaled, speeds: torch.Tensor, most: int, bits: int = RANDOM_BITS) -> torch.Tensor:
    """Speeds x gradients of cases, in units of 2**-bits, rounded down and held to +-most.

    gradient: values [runs, cases, ...], magnitudes below 2**39. speeds: float32 [runs, ...], or what
    broadcasts to that; where it is not finite there is no change. Returns int64 [runs, cases, ...].
    """
    finite = torch.where(speeds.isfinite(), speeds, 0.0)
    mantissa, power = torch.frexp(finite.double())
    factors = (mantissa * 2**_MANTISSA_BITS).to(torch.int64)[:, None]
    exponents = gradient.exponent.reshape(*gradient.exponent.shape, *(1,) * (gradient.values.ndim - 2))
    left = power.to(torch.int64)[:, None] - _MANTISSA_BITS + exponents + bits
    products = gradient.values * factors
    smaller = products >> (-left).clamp(0, 63)
    # What will be beyond the limit is made the least of that before, lest it leave int64.
    beyond = (most >> left.clamp(0, 62)) + 1
    larger = torch.minimum(torch.maximum(products, -beyond), beyond) << left.clamp(0, 62)
    return torch.where(left > 0, larger, smaller).clamp(-most, most)
