"""Data to search a network for, as they lie on a disk: an .npz file, or a folder for each class."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tinycc.arrays import array_names, read_array
from tinycc.errors import InputDataError
from tinycc.search.architecture import Pair
from tinycc.search.class_folders import Progress, read_class_folders
from tinycc.search.data import Data, Dataset, check_trainable, names_of
from tinycc.search.sound import Spectrogram

# Names of images and of labels in an .npz file; the last ones are those of `tinycc train`.
_NAMES = (("x", "y"), ("x_train", "y_train"), ("in0", "label"))
_TEST_NAMES = ("x_test", "y_test")


def load_data(
    path: Path,
    *,
    size: Pair | None = None,
    spectrogram: Spectrogram | None = None,
    progress: Progress = lambda items, _: items,
) -> Data:
    """Read an .npz file or a folder.

    path: of an .npz file with the arrays x and y (or x_train and y_train, or in0 and label): images [cases,
        height, width, channels] or [cases, height, width], and whole numbers from 0; optionally x_test and
        y_test, and names of the classes, `classes`. Or of a folder with one for each class, of images or of
        wavs; or with the folders train and, optionally, test, that have those.
    size: height and width of all images; if not said that of most of them. Spectrograms have a size of their
        own.
    spectrogram: how sound becomes images; None for the default.

    Raises InputDataError, which names the file or the array.
    """
    if path.is_dir():
        data = read_class_folders(path, size, spectrogram or Spectrogram(), progress)
    else:
        data = _read_file(path)
        if size is not None:
            test = None if data.test is None else data.test.resized(size)
            data = replace(data, train=data.train.resized(size), test=test)
    check_trainable(data.train)
    return data


def _read_file(path: Path) -> Data:
    names = array_names(path)
    given = next((pair for pair in _NAMES if pair[0] in names), None)
    if given is None:
        raise InputDataError(f"{path} has no array x of images: it has {', '.join(sorted(names)) or 'none'}")
    labels = _labels(path, given[1])
    if labels.max() >= len(labels):  # a class without a case, of very many perhaps
        raise InputDataError(
            f"{path}: {given[1]} has a label {labels.max()}, but {len(labels)} cases: number classes from 0"
        )
    classes = names_of(int(labels.max()) + 1, read_array(path, "classes") if "classes" in names else None)
    train = _dataset(path, given[0], labels, classes)
    if _TEST_NAMES[0] not in names:
        return Data(train, None)
    test = _dataset(path, _TEST_NAMES[0], _labels(path, _TEST_NAMES[1]), classes)
    kinds = [f"{part.images.dtype} {list(part.images.shape[1:])}" for part in (train, test)]
    if kinds[0] != kinds[1]:
        raise InputDataError(f"{path}: images to train with are {kinds[0]}, those to test with {kinds[1]}")
    return Data(train, test)


def _labels(path: Path, name: str) -> np.ndarray:
    labels = read_array(path, name)
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or not labels.size:
        raise InputDataError(
            f"{path}: {name} is {labels.dtype} {list(labels.shape)}: labels are whole numbers, [cases]"
        )
    return labels.astype(np.int64)


def _dataset(path: Path, name: str, labels: np.ndarray, classes: tuple[str, ...]) -> Dataset:
    images = read_array(path, name)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.dtype.kind not in "iuf" or images.ndim != 4:
        raise InputDataError(
            f"{path}: {name} is {images.dtype} {list(images.shape)}: images are numbers, [cases, height, "
            "width, channels]"
        )
    if images.shape[1] in (1, 3) and images.shape[1] < images.shape[2] == images.shape[3]:
        raise InputDataError(
            f"{path}: {name} of {list(images.shape)} has its channels first: give [cases, height, width, "
            "channels]"
        )
    with np.errstate(over="ignore"):  # what is too large for float32 is refused as infinity
        images = images if images.dtype == np.uint8 else images.astype(np.float32)
    try:
        return Dataset(images, labels, classes)
    except InputDataError as error:
        raise InputDataError(f"{path}: {name}: {error}") from error
