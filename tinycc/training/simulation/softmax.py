"""The integers of a softmax of int8."""

import numpy as np
import torch

from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.integer_arithmetic import one_over_one_plus
from tinycc.ops.softmax.view import Softmax
from tinycc.training.simulation.fixed_point import divide_by_power, multiply_high, requantize

# Sums of exponentials are Q12.19.
_SUM_BITS = 12


def softmax_integers(view: Softmax, source: torch.Tensor) -> torch.Tensor:
    """The result before it is clamped, int64 in the shape of `source`, whole numbers."""
    table = torch.as_tensor(view.exponentials, dtype=torch.int64, device=source.device)
    below = source.amax(-1, keepdim=True) - source
    exponentials = torch.where(below < len(table), table[below.clamp(max=len(table) - 1)], 0)
    sums = divide_by_power(exponentials, _SUM_BITS).sum(-1, keepdim=True)
    inverse, exponent = (
        torch.as_tensor(part.astype(np.int64), device=source.device).reshape(sums.shape)
        for part in _INVERSES(sums.cpu().numpy())
    )
    exponent += 31 - view.result_bits
    # Beyond 31 bits all quotients are less than a half.
    parts = divide_by_power(multiply_high(exponentials, inverse), exponent.clamp(max=31))
    parts = torch.where(exponent > 31, 0, parts)
    output = view.outputs[0]
    if view.is_exact:
        return parts + INTEGER_RANGE[output.dtype][0]
    return requantize(parts, *view.output_factor) + output.zero_point


def _inverse(total: int) -> tuple[int, int]:
    """1 / total of a sum: a number in Q0, to be divided by two to the power of the second."""
    zeros = 32 - int(total).bit_length()
    return one_over_one_plus((int(total) << zeros) - 2**31), _SUM_BITS - zeros


_INVERSES = np.frompyfunc(_inverse, 1, 2)
