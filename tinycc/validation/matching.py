"""Which tensor of the file an operator of the C computes.

The C does not know what the file calls its layers. So an operator's result is found again by its content: it
is that quantized tensor of as many elements which it is nearest to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

# Mean difference, in steps, beyond which two tensors are not the same one: rounding alone stays far below.
NEAR = 16


@dataclass(frozen=True, eq=False)
class Match:
    """An operator and its result in the layout of the file, integers [cases, *shape]."""

    operator: str
    integers: np.ndarray


def match_layers(
    computed: Mapping[str, np.ndarray],
    tensors: Mapping[str, np.ndarray],
    scales: Mapping[str, tuple[float, int]],
) -> dict[str, Match]:
    """The operator of each tensor of the file that some operator is near to.

    computed: by operator, in the order of execution, integers [cases, *shape of the device].
    tensors: by name, in the order of the file, real numbers [cases, *shape].
    scales: scale and zero point of each tensor.

    The nearest pairs are taken first: two tensors of a residual network may differ by less than a step.
    """
    pairs = []
    for name, real in tensors.items():
        scale, zero_point = scales[name]
        steps = np.rint(real / scale + zero_point)
        for operator, integers in computed.items():
            if integers.size == real.size:
                arranged = min(_in_file(integers, real.shape), key=lambda each: _distance(each, steps))
                pairs.append((_distance(arranged, steps), operator, name, arranged))
    matches: dict[str, Match] = {}
    taken = set()
    for distance, operator, name, arranged in sorted(pairs, key=lambda pair: pair[0]):
        if distance < NEAR and name not in matches and operator not in taken:
            matches[name] = Match(operator, arranged)
            taken.add(operator)
    return matches


def _in_file(integers: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """A result as in the file, and from channels last for a file that has them first."""
    yield integers.reshape(shape)
    if len(shape) > 3:
        cases, batch, channels, *pixels = shape
        yield np.moveaxis(integers.reshape(cases, batch, *pixels, channels), -1, 2)


def _distance(integers: np.ndarray, steps: np.ndarray) -> float:
    return float(np.abs(integers - steps).mean())
