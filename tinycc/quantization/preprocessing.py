"""What stands between raw data and a float model's input: size, layout, mean and deviation, length."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from tinycc.errors import InputDataError, UnsupportedError
from tinycc.quantization.extra import library

Layout: TypeAlias = Literal["NHWC", "NCHW"]
CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Preprocessing:
    """(raw - mean) / std, of raw data brought to the size of the model's input.

    mean, std: one number, or one for each channel; of pixels 0 to 255, of samples -32768 to 32767.
    size: height and width that an image is resized to (bilinear); the middle of it is taken where that is
        larger than the model's input. None for the size of the input.
    layout: of the model's input; None where its shape tells: channels are 1, 3 or 4.
    sample_rate: in Hz, which wavs are resampled to; None takes them as they are.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    size: tuple[int, int] | None = None
    layout: Layout | None = None
    sample_rate: int | None = None

    def __post_init__(self) -> None:
        """UnsupportedError for numbers that no data can be divided by."""
        if not all(map(np.isfinite, (*self.mean, *self.std))) or not all(value > 0 for value in self.std):
            raise UnsupportedError("mean and std are finite numbers, std above 0")
        if len(self.mean) != len(self.std):
            raise UnsupportedError(f"mean has {len(self.mean)} numbers, std {len(self.std)}: give as many")

    def apply(self, raw: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
        """Raw data in the shape of the model's input, as float32.

        raw: pixels, uint8 [height,width,channels] of any size or in the input's own shape; samples, int16
            [length], padded with silence or cut at the end.
        """
        if raw.dtype == np.int16 and raw.ndim == 1:
            raw = _with_length(raw, int(np.prod(shape))).reshape(shape)
        axis = self._channel_axis(shape)
        if raw.dtype == np.uint8 and raw.ndim == 3 and raw.shape != shape[1:] and len(shape) == 4:
            raw = self._image(raw, shape, axis, where)
        if len(self.mean) == 1:
            return (raw - np.float32(self.mean[0])) / np.float32(self.std[0])
        if axis is None or shape[axis] != len(self.mean):
            raise InputDataError(f"{where} has no {len(self.mean)} channels, as mean and std have them")
        across = [1] * raw.ndim
        across[axis - len(shape)] = -1
        mean, std = (np.asarray(values, np.float32).reshape(across) for values in (self.mean, self.std))
        return (raw - mean) / std

    def _channel_axis(self, shape: tuple[int, ...]) -> int | None:
        """The axis of the channels in the shape of an image; None where it is not clear."""
        if len(shape) != 4:
            return None
        if self.layout is not None:
            return self.layout.index("C")
        return next((axis for axis in (3, 1) if shape[axis] in CHANNELS), None)

    def _image(self, pixels: np.ndarray, shape: tuple[int, ...], axis: int | None, where: str) -> np.ndarray:
        """Pixels of a file, [height,width,channels], in the shape of the input."""
        images = library("PIL.Image")
        if axis is None:
            raise InputDataError(
                f"{where}: an image does not fit {list(shape)}: give the layout (NHWC or NCHW)"
            )
        height, width = (size for place, size in enumerate(shape) if place not in (0, axis))
        tall, wide = self.size or (height, width)
        if tall < height or wide < width:
            raise InputDataError(
                f"{where}: a size of {tall}x{wide} is less than the input's {height}x{width}"
            )
        image = images.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
        image = image.convert({1: "L", 3: "RGB", 4: "RGBA"}.get(shape[axis], "RGB"))
        image = image.resize((wide, tall), images.Resampling.BILINEAR)
        top, left = (tall - height) // 2, (wide - width) // 2
        resized = np.asarray(image)[top : top + height, left : left + width]
        resized = resized.reshape(height, width, -1)
        return (resized.transpose(2, 0, 1) if axis == 1 else resized)[np.newaxis]


def _with_length(samples: np.ndarray, length: int) -> np.ndarray:
    """The first `length` samples, with silence behind where there are fewer."""
    return np.pad(samples[:length], (0, max(0, length - samples.size)))
