"""Data to search with: what is read, what is refused, and what is held out."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.spoken_digits import features as spoken_digits
from tinycc.errors import InputDataError
from tinycc.search.data import Dataset, split
from tinycc.search.loading import load_data
from tinycc.search.normalization import Normalization, normalization_of
from tinycc.search.sound import Spectrogram

RANDOM = np.random.default_rng(0)


def picture(path: Path, shape: tuple[int, ...], value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)


def wav(path: Path, samples: np.ndarray, rate: int = 8000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())


def labelled(counts: list[int]) -> Dataset:
    labels = np.repeat(np.arange(len(counts)), counts)
    images = RANDOM.integers(0, 256, (len(labels), 4, 4, 1), np.uint8)
    return Dataset(images, labels, tuple(map(str, range(len(counts)))))


def test_an_npz_file_has_images_labels_and_names(tmp_path: Path) -> None:
    images = RANDOM.integers(0, 256, (6, 5, 4, 3), np.uint8)
    labels = np.array([0, 1, 1, 0, 1, 0], np.uint8)
    np.savez(tmp_path / "d.npz", x=images, y=labels, x_test=images[:2], y_test=labels[:2], classes=["a", "b"])
    data = load_data(tmp_path / "d.npz")
    assert data.test is not None and data.train.classes == data.test.classes == ("a", "b")
    assert np.array_equal(data.train.images, images) and np.array_equal(data.train.labels, labels)
    assert np.array_equal(data.test.images, images[:2])


@pytest.mark.parametrize("names", [("x_train", "y_train"), ("in0", "label")])
def test_other_names_of_arrays_are_known(names: tuple[str, str], tmp_path: Path) -> None:
    arrays = {names[0]: RANDOM.random((4, 5, 5)), names[1]: np.array([0, 1, 0, 1])}
    np.savez(tmp_path / "d.npz", **arrays)
    data = load_data(tmp_path / "d.npz")
    assert data.test is None and data.train.classes == ("0", "1")
    assert data.train.images.shape == (4, 5, 5, 1) and data.train.images.dtype == np.float32


def test_images_of_a_folder_become_alike(tmp_path: Path) -> None:
    """Of the size of most of them, and in colour if one is."""
    for index in range(3):
        picture(tmp_path / "cat" / f"{index}.png", (6, 8), 10)
    picture(tmp_path / "dog" / "deep" / "large.jpg", (12, 16, 3), 200)
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    data = load_data(tmp_path)
    assert data.test is None and data.train.classes == ("cat", "dog")
    assert data.train.images.shape == (4, 6, 8, 3)
    assert data.train.images[:3].max() == 10 and abs(int(data.train.images[3].min()) - 200) < 3
    assert load_data(tmp_path, size=(4, 4)).train.size == (4, 4)


def test_folders_to_train_and_to_test_with_are_kept_apart(tmp_path: Path) -> None:
    for part, value in (("train", 1), ("test", 2)):
        for name in "ab":
            picture(tmp_path / part / name / "0.png", (4, 4), value)
    data = load_data(tmp_path)
    assert data.test is not None
    assert (data.train.images == 1).all() and (data.test.images == 2).all()


def test_wavs_become_the_features_of_the_spoken_digits(tmp_path: Path) -> None:
    recordings = [RANDOM.integers(-9000, 9000, length) for length in (5000, 8000, 9001)]
    for index, samples in enumerate(recordings):
        wav(tmp_path / ("yes" if index else "no") / f"{index}.wav", samples)
    data = load_data(tmp_path)
    clips = np.stack([spoken_digits.centred(samples.astype(np.int16)) for samples in recordings])
    wanted = spoken_digits.log_mel(clips) * spoken_digits.SPREAD + spoken_digits.MEAN
    assert data.spectrogram == Spectrogram()
    np.testing.assert_allclose(data.train.images[..., 0], wanted, atol=1e-4)


def test_wavs_are_brought_to_one_rate(tmp_path: Path) -> None:
    times = np.arange(16000) / 16000
    tone = 8000 * np.sin(2 * np.pi * 440 * times)
    wav(tmp_path / "a" / "fast.wav", tone, 16000)
    wav(tmp_path / "b" / "slow.wav", tone[::2], 8000)
    fast, slow = load_data(tmp_path).train.images
    loudest = slow > slow.max() - 2
    np.testing.assert_allclose(fast[loudest], slow[loudest], atol=0.05)


def one_class(path: Path) -> Path:
    picture(path / "cat" / "0.png", (4, 4))
    return path


def no_images(path: Path) -> Path:
    (path / "dog").mkdir()
    return one_class(path)


def no_classes(path: Path) -> Path:
    picture(path / "0.png", (4, 4))
    return path


def unreadable(path: Path) -> Path:
    picture(path / "dog" / "0.png", (4, 4))
    (path / "dog" / "bad.png").write_bytes(b"no image")
    return one_class(path)


def mixed(path: Path) -> Path:
    wav(path / "dog" / "0.wav", np.zeros(9))
    return one_class(path)


def unknown_class(path: Path) -> Path:
    for place in ("train/a", "train/b", "test/a", "test/b", "test/c"):
        picture(path / place / "0.png", (4, 4))
    return path


def silent(path: Path) -> Path:
    wav(path / "a" / "none.wav", np.zeros(0))
    wav(path / "b" / "some.wav", np.zeros(9))
    return path


def arrays(**given: np.ndarray) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        np.savez(path / "d.npz", **given)  # type: ignore[arg-type]
        return path / "d.npz"

    return write


IMAGES = np.zeros((3, 4, 4, 1), np.uint8)
NAN = np.full((2, 4, 4), np.nan)

BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing": (lambda path: path / "gone.npz", "gone.npz does not exist"),
    "one class": (one_class, "there is one class, cat"),
    "a class without images": (no_images, "dog holds no images"),
    "images without classes": (no_classes, "holds no folders"),
    "an unreadable image": (unreadable, "bad.png is not a readable image"),
    "images and wavs": (mixed, "images and wavs"),
    "a class that is not trained": (unknown_class, "no folder to train with"),
    "a wav without samples": (silent, "none.wav has no samples"),
    "no images": (arrays(y=np.zeros(3, int)), "no array x"),
    "images without labels": (arrays(x=IMAGES), "no array 'y'"),
    "fewer labels": (arrays(x=IMAGES, y=np.array([0, 1])), "x: there are 3 images, but 2 labels"),
    "one label": (arrays(x=IMAGES, y=np.zeros(3, int)), "there is one class"),
    "a label left out": (arrays(x=IMAGES, y=np.array([0, 2, 2])), "class 1 has no case"),
    "negative labels": (arrays(x=IMAGES, y=np.array([0, 1, -1])), "label of image 2 is -1"),
    "more labels than names": (
        arrays(x=IMAGES, y=np.array([0, 1, 2]), classes=np.array(["a", "b"])), "2 names of classes",
    ),
    "labels that are shares": (arrays(x=IMAGES, y=np.zeros((3, 2))), "labels are whole numbers"),
    "NaN": (arrays(x=NAN, y=np.array([0, 1])), "image 0 has values that are not finite"),
    "channels in front": (arrays(x=np.zeros((2, 3, 8, 8)), y=np.array([0, 1])), "channels first"),
    "vectors": (arrays(x=np.zeros((2, 3)), y=np.array([0, 1])), "images are numbers"),
    "test images of another size": (
        arrays(x=IMAGES, y=np.array([0, 1, 1]), x_test=IMAGES[:, 1:], y_test=np.array([0, 1, 1])),
        "those to test with",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_nothing_can_be_learned_from_is_refused(case: str, tmp_path: Path) -> None:
    make, message = BAD[case]
    with pytest.raises(InputDataError, match=message):
        load_data(make(tmp_path))


def test_every_class_gives_its_share_to_be_held_out() -> None:
    data = labelled([20, 10, 2])
    rest, held_out = split(data, 0.2, seed=1)
    assert held_out.counts.tolist() == [4, 2, 1] and rest.counts.tolist() == [16, 8, 1]
    together = np.concatenate([rest.images, held_out.images])
    assert {image.tobytes() for image in together} == {image.tobytes() for image in data.images}


def test_what_is_held_out_follows_from_the_seed() -> None:
    data = labelled([20, 20])
    first, again, other = (split(data, 0.5, seed)[1].images for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("counts", "share", "message"),
    [
        ([9, 1], 0.5, "class 1 has one case: give at least 2"),
        ([9, 9], 0.0, "a share of 0"),
        ([9, 9], 1.0, "a share of 1"),
    ],
)
def test_what_cannot_be_held_out_is_refused(counts: list[int], share: float, message: str) -> None:
    with pytest.raises(InputDataError, match=message):
        split(labelled(counts), share, 0)


def test_a_pixel_becomes_an_integer_by_subtraction() -> None:
    data = labelled([9, 9])
    normalization = normalization_of(data)
    integers = normalization.integers(data.images)
    assert np.array_equal(integers.astype(int), data.images.astype(int) - 128)
    read = (integers.astype(float) - normalization.zero_point) * normalization.scale
    assert abs(read.mean()) < 0.01 and abs(read.std() - 1) < 0.01
    assert "subtracting 128" in normalization.description


def test_other_numbers_become_integers_in_equal_steps() -> None:
    images = RANDOM.normal(50, 3, (64, 5, 5, 1)).astype(np.float32)
    images[0, 0, 0, 0] = 1e6
    normalization = normalization_of(Dataset(images, np.arange(64) % 2, ("a", "b")))
    usual = np.sort(images.ravel())[1:-1]
    raw = normalization.lowest + normalization.step * (normalization.integers(usual) + 128.0)
    assert np.abs(raw - usual).max() <= 0.51 * normalization.step < 0.1


def test_how_an_input_is_made_is_said() -> None:
    told = Normalization(-6.5, 0.25, -98, 0.01).description
    assert "round((r + 6.5) / 0.25) - 128" in told


def test_images_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(InputDataError, match="nothing to learn"):
        normalization_of(Dataset(np.full((4, 2, 2, 1), 7, np.uint8), np.array([0, 1, 0, 1]), ("a", "b")))


@pytest.mark.parametrize("options", [{"high": 5000}, {"bands": 200}, {"window": 0}, {"seconds": 0.01}])
def test_a_spectrogram_that_there_cannot_be_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputDataError, match="bands"):
        Spectrogram(**options)  # type: ignore[arg-type]
