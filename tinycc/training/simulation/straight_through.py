"""Rounding and clamping as training sees them."""

from typing import Any

import torch

Factor = float | torch.Tensor


class _StraightThrough(torch.autograd.Function):
    """See `straight_through`."""

    @staticmethod
    def forward(
        ctx: Any, real: torch.Tensor, integers: torch.Tensor, bounds: tuple[int, int], factor: Factor
    ) -> torch.Tensor:
        result = integers.clamp(*bounds).to(real.dtype)
        ctx.save_for_backward(result)
        ctx.bounds, ctx.factor = bounds, factor
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (result,) = ctx.saved_tensors
        low, high = ctx.bounds
        inside = (result > low) & (result < high)
        return torch.where(inside, gradients[0] * ctx.factor, 0.0), None, None, None


def straight_through(
    real: torch.Tensor, integers: torch.Tensor, bounds: tuple[int, int], factor: Factor = 1.0
) -> torch.Tensor:
    """An operator's output: `integers` clamped; its gradient is that of factor * real where that is inside.

    What lies at a bound counts as clamped, so that the mask can be read from the output itself.

    real: what the integers are rounded from, up to a constant, over `factor`; its values are not read.
    integers: of the shape of `real`. factor: a number, or one for each channel.
    """
    return _StraightThrough.apply(real, integers.detach(), bounds, factor)
