"""Whole numbers with a power of two: what gradients in integers are, and how they are scaled and added.

Every run has an exponent of its own, which each step works out of the numbers themselves.
"""

from dataclasses import dataclass

import numpy as np
import torch

from tinycc.ops.gradient_integers import FACTOR_BITS, PRODUCT_BITS, FixedFactors
from tinycc.training.simulation.straight_through import Part

# The bits of the greatest magnitude of a gradient that was a real number.
_REAL_BITS = 30


@dataclass(frozen=True, eq=False)
class Scaled:
    """Real numbers as values * 2**exponent.

    values: int64, which the device has as int32 or int16. exponent: int64, of the first axes of values.
    """

    values: torch.Tensor
    exponent: torch.Tensor

    @classmethod
    def of(cls, real: torch.Tensor) -> "Scaled":
        """Of real numbers [runs, ...]; where one of a run's is not finite, all of them are 0."""
        wide = real.double()
        wide = torch.where(_per_run(wide.isfinite().flatten(1).all(1), wide), wide, 0.0)
        # Numbers below are denormal.
        exponent = torch.frexp(wide.abs().flatten(1).amax(1))[1].to(torch.int64).clamp(min=-125)
        exponent -= _REAL_BITS
        values = wide * _per_run(_power_of_two(-exponent), wide)
        return cls(values.add_(0.5).floor_().to(torch.int64), exponent)

    def real(self) -> torch.Tensor:
        """The numbers, float64."""
        return self.values.double() * _per_run(_power_of_two(self.exponent), self.values)

    def reshape(self, *shape: int) -> "Scaled":
        """The same elements under another shape."""
        return Scaled(self.values.reshape(shape), self.exponent)

    def halved(self, times: int) -> "Scaled":
        """With so many bits less."""
        return Scaled(shifted(self.values, torch.tensor(times)), self.exponent + times)

    def rescaled(self, part: Part, is_inside: torch.Tensor) -> "Scaled":
        """Times the factors of a part, in as many bits as it says; 0 where not `is_inside`."""
        shift = _bit_length(self.values) - FACTOR_BITS
        narrow = shifted(self.values, _per_run(shift, self.values))
        fixed = FixedFactors.of(part.factors)
        factors = part.of_elements(fixed.integers.astype(np.int64))
        products = shifted(narrow * factors, torch.tensor(PRODUCT_BITS - part.bits))
        change = shift + fixed.exponent + FACTOR_BITS - part.bits
        return Scaled(torch.where(is_inside, products, 0), self.exponent + change)

    def __add__(self, other: "Scaled") -> "Scaled":
        """With the exponent of the coarser one and a bit more."""
        exponent = torch.maximum(self.exponent, other.exponent) + 1
        first, second = (
            shifted(item.values, _per_run((exponent - item.exponent).clamp(max=31), item.values))
            for item in (self, other)
        )
        return Scaled(first + second, exponent)


def shifted(values: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """Numbers / 2**count, rounded to nearest with halves up; count: int64, of either sign."""
    right = (values >> (count - 1).clamp(min=0)).add_(1) >> 1
    return torch.where(count > 0, right, values << (-count).clamp(min=0))


def _bit_length(values: torch.Tensor) -> torch.Tensor:
    """Of the longest number of each run, without sign, [runs]; of nothing but 0 and -1 it is as of int16."""
    magnitude = (values ^ (values >> 63)).flatten(1).amax(1)
    return torch.where(magnitude > 0, torch.frexp(magnitude.double())[1].to(torch.int64), FACTOR_BITS)


def _power_of_two(exponent: torch.Tensor) -> torch.Tensor:
    """2**exponent, float64, to the bit as no function of torch has to be."""
    return (exponent.clamp(-1022, 1023) + 1023 << 52).view(torch.float64)


def _per_run(numbers: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Numbers of the first axes as they broadcast to `values`."""
    return numbers.reshape(*numbers.shape, *(1,) * (values.ndim - numbers.ndim))
