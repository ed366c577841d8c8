"""A folder that has one for each class, with images or with wavs in it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tinycc.errors import InputDataError
from tinycc.quantization.folder import IMAGES, WAVS, image_shape, read_image, read_wav
from tinycc.search.architecture import Pair
from tinycc.search.data import Data, Dataset, resized
from tinycc.search.sound import Spectrogram

Progress: TypeAlias = Callable[[Sequence[Any], str], Iterable[Any]]
# A file, and the place of its class.
_Labelled: TypeAlias = tuple[Path, int]


def read_class_folders(path: Path, size: Pair | None, spectrogram: Spectrogram, progress: Progress) -> Data:
    """All images, or all wavs, of path/CLASS, or of path/train/CLASS and path/test/CLASS.

    Files of other kinds, and hidden folders, are passed over. Images are all grey, or all RGB where one of
    them is in colour, and of one size. Raises InputDataError.
    """
    place = path / "train" if (path / "train").is_dir() else path
    classes = tuple(folder.name for folder in _folders(place))
    if not classes:
        raise InputDataError(f"{place} holds no folders: give one for each class, named as it is")
    parts = [_files(place, classes)]
    if place != path and (path / "test").is_dir():
        parts.append(_files(path / "test", classes))
    files = [file for part in parts for file, _ in part]
    kinds = {_is_sound(file) for file in files}
    if len(kinds) != 1:
        raise InputDataError(f"{path} holds images and wavs: give a folder of one kind")
    if kinds == {True}:
        test = _sounds(parts[1], classes, spectrogram, progress) if parts[1:] else None
        return Data(_sounds(parts[0], classes, spectrogram, progress), test, spectrogram)
    shapes = Counter(image_shape(file) for file in progress(files, "looking at images"))
    if size is None:
        sizes: Counter[Pair] = Counter()
        for (height, width, _), count in shapes.items():
            sizes[height, width] += count
        size = sizes.most_common(1)[0][0]
    shape = (*size, max(channels for _, _, channels in shapes))
    test = _images(parts[1], classes, shape, progress) if parts[1:] else None
    return Data(_images(parts[0], classes, shape, progress), test)


def _folders(path: Path) -> list[Path]:
    """Those in a folder that are not hidden, in the order of their names."""
    return sorted(item for item in path.iterdir() if item.is_dir() and not item.name.startswith("."))


def _files(path: Path, classes: Sequence[str]) -> list[_Labelled]:
    """Images and wavs of each class, of which none may be without, nor any be unknown."""
    strange = {folder.name for folder in _folders(path)} - set(classes)
    if strange:
        raise InputDataError(f"{path / min(strange)} is of a class that there is no folder to train with for")
    found: list[_Labelled] = []
    for label, name in enumerate(classes):
        files = sorted(file for file in (path / name).rglob("*") if _is_read(file))
        if not files:
            raise InputDataError(f"{path / name} holds no images and no wavs: each class needs some")
        found += [(file, label) for file in files]
    return found


def _is_read(file: Path) -> bool:
    return file.suffix.lower() in IMAGES + WAVS and not file.name.startswith(".")


def _is_sound(file: Path) -> bool:
    return file.suffix.lower() in WAVS


def _images(
    files: Sequence[_Labelled], classes: tuple[str, ...], shape: tuple[int, int, int], progress: Progress
) -> Dataset:
    images = np.empty((len(files), *shape), np.uint8)
    labels = np.array([label for _, label in files], np.int64)
    for index, (file, _) in enumerate(progress(files, "reading images")):
        # A grey one among those in colour has three channels that are the same.
        images[index] = resized(read_image(file), shape[:2])
    return Dataset(images, labels, classes)


def _sounds(
    files: Sequence[_Labelled], classes: tuple[str, ...], spectrogram: Spectrogram, progress: Progress
) -> Dataset:
    images = np.empty((len(files), *spectrogram.size, 1), np.float32)
    labels = np.array([label for _, label in files], np.int64)
    for index, (file, _) in enumerate(progress(files, "reading sounds")):
        samples = read_wav(file, spectrogram.rate)
        if not samples.size:
            raise InputDataError(f"{file} has no samples")
        images[index] = spectrogram.features(samples)
    return Dataset(images, labels, classes)
