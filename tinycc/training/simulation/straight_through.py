"""Rounding and clamping as training sees them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tinycc.ops.gradient_integers import FACTOR_BITS


@dataclass(frozen=True, eq=False)
class Part:
    """What an operator rescales and rounds, or one of the addends of that.

    value: whole numbers in a floating-point type, differentiable by operands, of the result's shape.
    factors: of the value, to integers of the result: a number, or an array that broadcasts to it.
    places: which of the factors each element has, int64, where there is no such order in them.
    bits: that a gradient in integers may have once it is rescaled, see `bits_below`.
    """

    value: torch.Tensor
    factors: float | np.ndarray
    places: torch.Tensor | None = None
    bits: int = FACTOR_BITS

    def of_elements(self, factors: float | np.ndarray) -> torch.Tensor:
        """Such factors, each where it belongs: a tensor that broadcasts to the value."""
        found = torch.as_tensor(np.asarray(factors), device=self.value.device)
        return found if self.places is None else found[self.places]


@dataclass(frozen=True, eq=False)
class Rounded:
    """An operator's result: `integers` held to `bounds`, for a real number.

    The real number is, up to a constant, the sum over parts of factors * value.

    integers: whole numbers of the parts' shape.
    """

    integers: torch.Tensor
    bounds: tuple[int, int]
    parts: tuple[Part, ...]

    @property
    def result(self) -> torch.Tensor:
        """In the type of the parts, not differentiable."""
        return self.integers.detach().clamp(*self.bounds).to(self.parts[0].value.dtype)


def is_inside(result: torch.Tensor, bounds: tuple[int, int]) -> torch.Tensor:
    """Where gradients pass: at a bound a result counts as clamped, so that it can be read from the result."""
    return (result > bounds[0]) & (result < bounds[1])


class _StraightThrough(torch.autograd.Function):
    """See `straight_through`."""

    @staticmethod
    def forward(ctx: Any, rounded: Rounded, *_values: torch.Tensor) -> torch.Tensor:
        result = rounded.result
        factors = (part.of_elements(part.factors).to(result.dtype) for part in rounded.parts)
        ctx.bounds = rounded.bounds
        ctx.save_for_backward(result, *factors)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        result, *factors = ctx.saved_tensors
        passed = torch.where(is_inside(result, ctx.bounds), gradients[0], 0.0)
        return None, *(passed * factor for factor in factors)


def straight_through(rounded: Rounded) -> torch.Tensor:
    """An operator's output; its gradient is that of the real number where the result is inside its bounds."""
    return _StraightThrough.apply(rounded, *(part.value for part in rounded.parts))
