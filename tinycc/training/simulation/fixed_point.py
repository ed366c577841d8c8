"""The fixed-point arithmetic of `tinycc.ops.integer_arithmetic` on tensors of int64."""

import torch

INT32_MAX = 2**31 - 1
# Elements whose int64 intermediates stay in a processor's cache.
_BLOCK = 2**15

# One number, or one for each channel (the last axis).
Numbers = int | torch.Tensor


def multiply_high(a: torch.Tensor, b: Numbers) -> torch.Tensor:
    """(a * b) / 2**31 of int32 numbers, rounded to nearest with halves up, saturated."""
    return (a * b).add_(2**30).bitwise_right_shift_(31).clamp_(max=INT32_MAX)


def divide_by_power(values: torch.Tensor, exponent: Numbers) -> torch.Tensor:
    """`values` / 2**exponent, rounded to nearest with halves away from zero."""
    exponents = torch.as_tensor(exponent, device=values.device)
    # Halves up of one less is halves down; with an exponent of 0 there is nothing to round.
    one_less = (values >> 63) * (exponents > 0)
    return one_less.add_(values).add_((1 << exponents) >> 1).bitwise_right_shift_(exponents)


def requantize(values: torch.Tensor, multiplier: Numbers, shift: Numbers) -> torch.Tensor:
    """`values` * multiplier * 2**(shift - 31), rounded twice; wraps in 32 bits when shifted left."""
    shifts = torch.as_tensor(shift, device=values.device)
    left, right = shifts.clamp(min=0), (-shifts).clamp(min=0)
    if bool((left > 0).any()):
        values = ((values << left) + 2**31) % 2**32 - 2**31
    return divide_by_power(multiply_high(values, multiplier), right)


def requantized_sums(
    sums: torch.Tensor, bias: torch.Tensor, multiplier: torch.Tensor, shift: torch.Tensor
) -> torch.Tensor:
    """`requantize` of sums + bias, for each channel.

    sums: whole numbers, float [runs, cases, ..., channels]. bias: int64 [runs or 1, channels].
    multiplier, shift: int64 [channels]. Returns whole numbers of the sums' type and shape.
    """
    runs, channels = sums.shape[0], sums.shape[-1]
    pixels = sums.reshape(runs, -1, channels)
    block = pixels.shape[1] if sums.is_cuda else max(1, _BLOCK // (runs * channels))
    result = torch.empty_like(pixels)
    for part, target in zip(pixels.split(block, 1), result.split(block, 1), strict=True):
        target.copy_(requantize(part.to(torch.int64).add_(bias[:, None]), multiplier, shift))
    return result.reshape(sums.shape)
