"""Random numbers that depend on nothing but what they are for: a hash of seed, step, tensor and element.

As the device's update kernels have them; in whatever order elements are updated, each has its own number.
"""

import torch

_MASK = 2**32 - 1
_GOLDEN = 0x9E3779B9
# The multipliers of Chris Wellons' "lowbias32".
_FACTORS = 0x7FEB352D, 0x846CA68B


def mix(values: torch.Tensor) -> torch.Tensor:
    """Spread all bits of uint32 numbers, which are held in int64."""
    values = values ^ (values >> 16)
    values = (values * _FACTORS[0]) & _MASK
    values ^= values >> 15
    # What is beyond 64 bits is beyond the mask, too.
    values = (values * _FACTORS[1]) & _MASK
    return values ^ (values >> 16)


def random_bits(
    seeds: torch.Tensor, step: int, tensors: torch.Tensor, elements: torch.Tensor
) -> torch.Tensor:
    """Whole numbers of 24 bits, int64.

    seeds, tensors: int64; the number of each tensor. elements: int64, the index of each element in its
    tensor. All broadcast against each other.
    """
    start = mix(mix((seeds & _MASK) ^ step) ^ tensors)
    return mix((start + elements * _GOLDEN) & _MASK) >> 8


def uniform(seeds: torch.Tensor, step: int, tensors: torch.Tensor, elements: torch.Tensor) -> torch.Tensor:
    """The same as numbers in [0, 1), float32."""
    return random_bits(seeds, step, tensors, elements).to(torch.float32) * 2.0**-24
