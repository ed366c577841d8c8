"""How a raw number becomes the input of a network, in training and on the device alike.

The integers of the int8 input are the raw numbers themselves, in equal steps: a pixel p is the integer
p - 128, and the device divides nothing. Mean and deviation of the data are in the input's zero point and
scale, so that the network reads (raw - mean) / deviation. An input has one scale, so all channels have it.
"""

from dataclasses import dataclass

import numpy as np

from tinycc.errors import InputDataError
from tinycc.search.data import Dataset

LEAST, MOST = -128, 127
# Of float data, at either end: they are clamped, so that one outlier does not make the steps of all large.
_OUTSIDE = 1e-4


@dataclass(frozen=True)
class Normalization:
    """The integer of a raw number is round((raw - lowest) / step) - 128, of -128 to 127.

    zero_point: the integer of (about) the data's mean, which is the network's 0.
    scale: what the network reads is (integer - zero_point) * scale; about one deviation is 1.
    """

    lowest: float
    step: float
    zero_point: int
    scale: float

    def integers(self, raw: np.ndarray) -> np.ndarray:
        """int8, of any shape."""
        if raw.dtype == np.uint8 and (self.lowest, self.step) == (0, 1):
            return (raw ^ 0x80).view(np.int8)
        steps = np.rint((raw - np.float32(self.lowest)) / np.float32(self.step)) + LEAST
        return np.clip(steps, LEAST, MOST).astype(np.int8)

    @property
    def description(self) -> str:
        """For those who write the code before the network."""
        if (self.lowest, self.step) == (0, 1):
            return "The int8 input is made of pixels, uint8, by subtracting 128."
        raised = f"r {'+' if self.lowest < 0 else '-'} {abs(self.lowest):.9g}"
        return (
            f"The int8 input is made of a number r: round(({raised}) / {self.step:.9g}) - 128, "
            "clamped to -128 to 127."
        )


def normalization_of(dataset: Dataset) -> Normalization:
    """From the data to train with. InputDataError where all numbers are the same."""
    values = dataset.images
    if values.dtype == np.uint8:
        lowest, step = 0.0, 1.0
    else:
        lowest = float(np.quantile(values, _OUTSIDE, method="higher"))
        highest = float(np.quantile(values, 1 - _OUTSIDE, method="lower"))
        values, step = values.clip(lowest, highest), (highest - lowest) / (MOST - LEAST)
    deviation = float(values.std(dtype=np.float64))
    if not deviation or not step:
        raise InputDataError("all images are the same, number by number: there is nothing to learn from them")
    mean = float(values.mean(dtype=np.float64))
    zero_point = min(max(round((mean - lowest) / step) + LEAST, LEAST), MOST)
    return Normalization(lowest, step, zero_point, step / deviation)
