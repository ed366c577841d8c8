"""Which tensor of the file an operator of the C computes.

The C does not know what the file calls its layers. So an operator's result is found again by its content: it
is that tensor of as many elements, and of the same quantization, which it is nearest to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# Two tensors are the same one if they differ, on average, by less than a step, or than this part of what
# the tensor differs from its mean. Rounding stays far below, and what has nothing to do with it lies above 1.
NEAR = 0.5


@dataclass(frozen=True, eq=False)
class Computed:
    """The result of an operator, signed integers [cases, *shape of the device].

    scale, zero_point: None of what has its operand's.
    """

    integers: np.ndarray
    scale: float | None
    zero_point: int | None

    def is_quantized_as(self, scale: float, zero_point: int) -> bool:
        """Whether scale and zero point may be those of its result."""
        if self.scale is None:
            return True
        return np.float32(self.scale) == np.float32(scale) and self.zero_point == zero_point


@dataclass(frozen=True, eq=False)
class Match:
    """An operator and its result in the layout of the file, integers [cases, *shape]."""

    operator: str
    integers: np.ndarray


def match_layers(
    computed: Mapping[str, Computed],
    tensors: Mapping[str, np.ndarray],
    scales: Mapping[str, tuple[float, int]],
) -> dict[str, Match]:
    """The operator of each tensor of the file that some operator is near to.

    computed: by operator, in the order of execution.
    tensors: by name, in the order of the file, real numbers [cases, *shape].
    scales: scale and zero point of each tensor.

    The nearest pairs are taken first: two tensors of a residual network may differ by less than a step.
    """
    pairs = []
    for name, real in tensors.items():
        scale, zero_point = scales[name]
        steps = np.rint(real / scale + zero_point)
        limit = max(1.0, NEAR * _distance(steps, steps.mean()))
        for operator, result in computed.items():
            if result.integers.size != real.size or not result.is_quantized_as(scale, zero_point):
                continue
            arranged = min(_in_file(result.integers, real.shape), key=lambda each: _distance(each, steps))
            distance = _distance(arranged, steps)
            if distance < limit:
                pairs.append((distance, operator, name, arranged))
    matches: dict[str, Match] = {}
    taken = set()
    for _, operator, name, arranged in sorted(pairs, key=lambda pair: pair[0]):
        if name not in matches and operator not in taken:
            matches[name] = Match(operator, arranged)
            taken.add(operator)
    return matches


def _in_file(integers: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """A result as in the file, and from channels last for a file that has them first."""
    yield integers.reshape(shape)
    if len(shape) > 3:
        cases, batch, channels, *pixels = shape
        yield np.moveaxis(integers.reshape(cases, batch, *pixels, channels), -1, 2)


def _distance(integers: np.ndarray, steps: np.ndarray | np.floating[Any]) -> float:
    return float(np.abs(integers - steps).mean())
