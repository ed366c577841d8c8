"""Raw pixels as the integers of a model's input: mean and deviation become its zero point and scale.

What preprocessing makes of a pixel p, (p - mean) / std, is what an integer stands for whose scale is 1 / std
and whose zero point is the mean. So p itself is the uint8 input of the quantized model: nothing is divided.
"""

from dataclasses import dataclass

from tinycc.errors import UnsupportedError
from tinycc.quantization.preprocessing import Preprocessing

LARGEST = 255


@dataclass(frozen=True)
class RawInput:
    """scale and zero_point of a uint8 input whose integers are pixels.

    error: how far the real number of a pixel is from the right one, in steps of the scale; quantization of
        any other input has up to half a step, too.
    """

    scale: float
    zero_point: int
    error: float

    @property
    def low(self) -> float:
        """What pixel 0 stands for."""
        return -self.zero_point * self.scale

    @property
    def high(self) -> float:
        """What pixel 255 stands for."""
        return (LARGEST - self.zero_point) * self.scale

    @property
    def description(self) -> str:
        """For the user."""
        exact = "exactly" if self.error == 0 else f"to {self.error:.2g} of a step"
        return f"the input takes raw pixels as uint8: mean and std are its zero point and scale, {exact}"


def raw_input(preprocessing: Preprocessing) -> RawInput:
    """The input that raw pixels fit, with an error of at most half a step. Raises UnsupportedError."""
    means, stds = set(preprocessing.mean), set(preprocessing.std)
    if len(means) > 1 or len(stds) > 1:
        raise UnsupportedError("raw pixels need one mean and std for all channels: an input has one scale")
    mean, std = means.pop(), stds.pop()
    if not 0 <= mean <= LARGEST:
        raise UnsupportedError(
            f"raw pixels need a mean of 0 to {LARGEST}, which becomes the zero point: {mean:g}"
        )
    return RawInput(1 / std, round(mean), abs(mean - round(mean)))
