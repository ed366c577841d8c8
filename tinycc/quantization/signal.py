"""How far numbers are from those that they stand for."""

import math
from collections.abc import Iterable

import numpy as np

# Of numbers that are equal to the last bit.
EXACT = math.inf


class SignalToNoise:
    """The signal-to-noise ratio of a tensor over all that was added, in decibels."""

    def __init__(self) -> None:
        self.signal = self.noise = 0.0

    def add(self, right: np.ndarray, found: np.ndarray) -> None:
        """Take in numbers and what they ought to be, of the same shape."""
        reference = right.astype(np.float64)
        self.signal += float(np.square(reference).sum())
        self.noise += float(np.square(reference - found).sum())

    @property
    def decibels(self) -> float:
        """10 log10(signal / noise); infinite where there is no noise."""
        if self.noise == 0:
            return EXACT
        return 10 * math.log10(self.signal / self.noise) if self.signal else -EXACT


def signal_to_noise(right: Iterable[np.ndarray], found: Iterable[np.ndarray]) -> float:
    """Of several tensors together, in decibels."""
    ratio = SignalToNoise()
    for one, other in zip(right, found, strict=True):
        ratio.add(one, other)
    return ratio.decibels


def agreement(right: np.ndarray, found: np.ndarray) -> float:
    """The share of cases in which the largest element stands at the same place: [cases, ...] each."""
    return float((top_one(right) == top_one(found)).mean())


def top_one(scores: np.ndarray) -> np.ndarray:
    """The place of the largest element of each case, [cases]."""
    return scores.reshape(len(scores), -1).argmax(axis=1)
