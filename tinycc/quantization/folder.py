"""Images and wavs of a folder, as they are stored."""

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tinycc.errors import InputDataError
from tinycc.quantization.extra import library

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
WAVS = (".wav",)
# Pillow's names of images of so many channels.
_CHANNELS = {1: "L", 3: "RGB"}


def read_folder(path: Path, sample_rate: int | None = None) -> Iterator[np.ndarray]:
    """What the images or the wavs of a folder and of those in it hold, in the order of their names.

    An image is uint8 [height,width,channels], a wav int16 [samples], its channels averaged, at `sample_rate`
    in Hz, or its own. Files of other kinds are passed over.

    Raises InputDataError for a folder without either, or with both, and for a file that cannot be read.
    """
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGES + WAVS)
    kinds = {file.suffix.lower() in WAVS for file in files}
    if len(kinds) != 1:
        held = "images and wavs" if kinds else "no images and no wavs"
        raise InputDataError(f"{path} holds {held}: give a folder of one kind")
    return (read_wav(file, sample_rate) for file in files) if kinds == {True} else map(read_image, files)


def read_image(path: Path) -> np.ndarray:
    """uint8 [height,width,channels], of one channel or three. Raises InputDataError."""
    with _image(path) as opened:
        return np.atleast_3d(np.asarray(opened.convert(_CHANNELS[_channels(opened)])))


def image_shape(path: Path) -> tuple[int, int, int]:
    """That of what `read_image` gives, without reading it. Raises InputDataError."""
    with _image(path) as opened:
        return opened.height, opened.width, _channels(opened)


def _channels(image: Any) -> int:
    return 1 if image.mode in ("1", "L", "I;16") else 3


@contextmanager
def _image(path: Path) -> Iterator[Any]:
    images = library("PIL.Image")
    try:
        with images.open(path) as opened:
            yield opened
    # What Pillow and its decoders raise for damaged files of all kinds, and for those too large to be images.
    except (OSError, ValueError, SyntaxError, EOFError, images.DecompressionBombError) as error:
        raise InputDataError(f"{path} is not a readable image: {error}") from error


def read_wav(path: Path, sample_rate: int | None) -> np.ndarray:
    """int16 [samples] at `sample_rate` in Hz, or the file's own. Raises InputDataError."""
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            content = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise InputDataError(f"{path} is not a readable wav of plain samples (PCM): {error}") from error
    content = content[: len(content) // (width * channels) * (width * channels)]  # of a file cut off
    if width == 1:
        samples = (np.frombuffer(content, np.uint8).astype(np.int16) - 128) << 8
    else:  # the two upper bytes of each sample
        samples = np.frombuffer(content, np.uint8).reshape(-1, width)[:, -2:].copy().view("<i2")
    mixed = samples.reshape(-1, channels).mean(axis=1)
    if sample_rate not in (None, rate):
        mixed = library("scipy.signal").resample_poly(mixed, sample_rate, rate)
    return np.clip(mixed, -32768, 32767).astype(np.int16)
