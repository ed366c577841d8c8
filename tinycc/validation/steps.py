"""Differences between integers of the same scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinycc.run.folder import DeviceTensor

# Differences of as many steps and more are counted together.
MOST_STEPS = 5


@dataclass(frozen=True)
class StepHistogram:
    """counts[i]: how many numbers differ by i steps; the last one has all larger differences, too."""

    counts: tuple[int, ...]
    largest: int


def count_steps(
    own: Sequence[np.ndarray], found: Sequence[np.ndarray], edges: Sequence[DeviceTensor]
) -> StepHistogram | None:
    """Differences of quantized outputs, given as real numbers; None where no output is quantized."""
    differences = [
        np.rint(np.abs(found_array.reshape(own_array.shape) - own_array) / edge.scale)
        .astype(np.int64)
        .ravel()
        for own_array, found_array, edge in zip(own, found, edges, strict=True)
        if edge.scale is not None
    ]
    if not differences:
        return None
    together = np.concatenate(differences)
    counts = np.bincount(np.minimum(together, MOST_STEPS), minlength=MOST_STEPS + 1)
    return StepHistogram(tuple(int(count) for count in counts), int(together.max()))
