"""Labelled images, and spectrograms as images of one channel, to train and to test networks with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinycc.errors import InputDataError
from tinycc.quantization.extra import library
from tinycc.search.architecture import Pair
from tinycc.search.sound import Spectrogram


@dataclass(frozen=True, eq=False)
class Dataset:
    """Cases with their labels.

    images: [cases, height, width, channels], uint8 pixels or float32.
    labels: [cases], int64, places in `classes`.
    classes: their names.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        """InputDataError for arrays of other types or shapes, NaN, and labels that are no class."""
        if self.images.ndim != 4 or self.images.dtype not in (np.uint8, np.float32):
            raise InputDataError(
                f"images are {self.images.dtype} {list(self.images.shape)}: give uint8 or float32 [cases, "
                "height, width, channels]"
            )
        if self.labels.ndim != 1 or self.labels.dtype != np.int64:
            raise InputDataError(
                f"labels are {self.labels.dtype} {list(self.labels.shape)}: give int64 [cases]"
            )
        if len(self.images) != len(self.labels):
            raise InputDataError(f"there are {len(self.images)} images, but {len(self.labels)} labels")
        if not self.images.size:
            raise InputDataError("there are no images")
        if self.images.dtype == np.float32 and not np.isfinite(self.images).all():
            case = int(np.argmin(np.isfinite(self.images).all((1, 2, 3))))
            raise InputDataError(f"image {case} has values that are not finite numbers (NaN or infinity)")
        wrong = (self.labels < 0) | (self.labels >= len(self.classes))
        if wrong.any():
            case = int(np.argmax(wrong))
            raise InputDataError(
                f"the label of image {case} is {self.labels[case]}: there are classes 0 to "
                f"{len(self.classes) - 1}"
            )

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self.labels)

    @property
    def size(self) -> Pair:
        """Height and width of an image."""
        return self.images.shape[1], self.images.shape[2]

    @property
    def channels(self) -> int:
        """Of an image."""
        return int(self.images.shape[3])

    @property
    def counts(self) -> np.ndarray:
        """How many cases each class has, [classes]."""
        return np.bincount(self.labels, minlength=len(self.classes))

    def part(self, cases: np.ndarray) -> "Dataset":
        """Those cases, by their indices."""
        return replace(self, images=self.images[cases], labels=self.labels[cases])

    def resized(self, size: Pair) -> "Dataset":
        """The same with images of another height and width (bilinear, averaged where they shrink)."""
        if size == self.size:
            return self
        images = np.empty((len(self), *size, self.channels), self.images.dtype)
        for image, result in zip(self.images, images, strict=True):
            result[:] = resized(image, size)
        return replace(self, images=images)


@dataclass(frozen=True)
class Data:
    """What to train with, and what to test with where that is kept apart.

    spectrogram: how sound became images; None where there was none.
    """

    train: Dataset
    test: Dataset | None
    spectrogram: Spectrogram | None = None


def resized(image: np.ndarray, size: Pair) -> np.ndarray:
    """An image [height, width, channels], uint8 or float32, of another height and width."""
    images = library("PIL.Image")
    if image.shape[:2] == size:
        return image
    planes = [
        images.fromarray(image[:, :, channel]).resize(size[::-1], images.Resampling.BILINEAR)
        for channel in range(image.shape[2])
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


def check_trainable(dataset: Dataset, least: int = 1) -> None:
    """InputDataError for fewer than two classes, and for one with fewer than `least` cases."""
    if len(dataset.classes) < 2:
        raise InputDataError(
            f"there is one class, {dataset.classes[0]}: a network can learn to tell two or more apart"
            if dataset.classes
            else "there are no classes"
        )
    few = int(dataset.counts.argmin())
    if dataset.counts[few] < least:
        raise InputDataError(
            f"class {dataset.classes[few]} has {_cases(dataset.counts[few])}: give at least {least} of each"
        )


def split(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """A dataset without a share of its cases, and those, which are held out: to choose networks by.

    It is meant for cases to train with, so that those to test with choose nothing. Every class gives its
    share, at least one case, drawn at random. Nothing is known of cases that belong together (of one speaker,
    one video): they may be on both sides, and the accuracy is then one of sources that are known.

    Raises InputDataError for a class of fewer than two cases, or a share that is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise InputDataError(f"a share of {share:g} cannot be held out: give one between 0 and 1")
    check_trainable(dataset, 2)
    random = np.random.default_rng(seed)
    held_out: list[int] = []
    for label, count in enumerate(dataset.counts):
        cases = random.permutation(np.flatnonzero(dataset.labels == label))
        held_out.extend(cases[: min(max(round(count * share), 1), count - 1)])
    is_held_out = np.isin(np.arange(len(dataset)), held_out)
    return dataset.part(np.flatnonzero(~is_held_out)), dataset.part(np.flatnonzero(is_held_out))


def names_of(count: int, names: Sequence[str] | np.ndarray | None = None) -> tuple[str, ...]:
    """Names of so many classes: those given, or their numbers. InputDataError for fewer names."""
    if names is None:
        return tuple(map(str, range(count)))
    if len(names) < count:
        raise InputDataError(f"there are {len(names)} names of classes, but labels up to {count - 1}")
    return tuple(map(str, names))


def _cases(count: int) -> str:
    return {0: "no case", 1: "one case"}.get(int(count), f"{count} cases")
