"""Rounding and clamping as training sees them."""

from dataclasses import dataclass
from typing import Any

import torch

Factor = float | torch.Tensor

# Of int16, without the sign: what factors of products have at most.
MOST_BITS = 15


@dataclass(frozen=True, eq=False)
class Part:
    """What an operator rescales and rounds, or one of the addends of that.

    value: whole numbers in a floating-point type, differentiable by operands, of the result's shape.
    factor: of the value, to integers of the result: a number, or numbers that broadcast to it.
    largest: the magnitude that no factor passes; where nothing is said, the factors at hand have it.
    bits: without the sign, of the rescaled gradient, so that none of the sums behind it leaves int32.
    """

    value: torch.Tensor
    factor: Factor
    largest: float | None = None
    bits: int = MOST_BITS


@dataclass(frozen=True, eq=False)
class Rounded:
    """An operator's result: `integers` held to `bounds`, for a real number.

    The real number is, up to a constant, the sum over parts of factor * value. integers: whole numbers of the
    parts' shape.
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
        ctx.save_for_backward(result)
        ctx.bounds, ctx.factors = rounded.bounds, [part.factor for part in rounded.parts]
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (result,), (gradient,) = ctx.saved_tensors, gradients
        passed = torch.where(is_inside(result, ctx.bounds), gradient, 0.0)
        return None, *(
            passed * (factor.to(passed.dtype) if isinstance(factor, torch.Tensor) else factor)
            for factor in ctx.factors
        )


def straight_through(rounded: Rounded) -> torch.Tensor:
    """An operator's output; its gradient is that of the real number where the result is inside its bounds."""
    return _StraightThrough.apply(rounded, *(part.value for part in rounded.parts))


def bits_below(worth: int, total: int = 31) -> int:
    """How many bits a gradient may have that is multiplied by numbers, and summed up.

    worth: the greatest sum of magnitudes of what it is multiplied by. total: bits that a sum may have.
    """
    return min(MOST_BITS, ((2**total - 1) // worth).bit_length() - 1)
