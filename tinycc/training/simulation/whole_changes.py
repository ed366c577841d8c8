"""Changes of weights and biases in fixed point, by gradients in whole numbers."""

import torch

from tinycc.ops.update import RANDOM_BITS
from tinycc.training.simulation.scaled import Scaled

# Of float32.
_MANTISSA_BITS = 24


def whole_changes(gradient: Scaled, speeds: torch.Tensor, bound: int) -> torch.Tensor:
    """Speeds x the sum of the gradients of cases, in units of 2**-24, held to +-bound; int64 [runs, ...].

    gradient: values [runs, cases, ...], magnitudes below 2**39. speeds: float32, broadcasts to the result;
    where it is not finite there is no change. Each case is rounded down, and held by itself.
    """
    finite = torch.where(speeds.isfinite(), speeds, 0.0)
    mantissa, power = torch.frexp(finite.double())
    factors = (mantissa * 2**_MANTISSA_BITS).to(torch.int64)[:, None]
    exponents = gradient.exponent.reshape(*gradient.exponent.shape, *(1,) * (gradient.values.ndim - 2))
    left = power.to(torch.int64)[:, None] - _MANTISSA_BITS + exponents + RANDOM_BITS
    limit = bound << RANDOM_BITS
    products = gradient.values * factors
    smaller = products >> (-left).clamp(0, 63)
    # What will be beyond the limit is made the least of that before, lest it leave int64.
    beyond = (limit >> left.clamp(0, 62)) + 1
    larger = torch.minimum(torch.maximum(products, -beyond), beyond) << left.clamp(0, 62)
    changes = torch.where(left > 0, larger, smaller).clamp(-limit, limit)
    return changes.sum(1).clamp(-limit, limit)
