"""Data become cases of a model's inputs, or are refused with what is wrong and where."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tinycc.errors import InputDataError, UnsupportedError
from tinycc.frontend.description import TensorDescription
from tinycc.quantization.calibration import read_cases
from tinycc.quantization.preprocessing import Preprocessing
from tinycc.quantization.raw_input import raw_input

IMAGE = (TensorDescription("image", (1, 4, 6, 3), "float32", ""),)
FIRST = (TensorDescription("image", (1, 3, 4, 6), "float32", ""),)
SOUND = (TensorDescription("sound", (1, 16), "float32", ""),)
TWO = (*SOUND, TensorDescription("length", (1,), "int32", ""))


def save(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def write_wav(path: Path, samples: np.ndarray, rate: int = 8000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())


@pytest.mark.parametrize("shape", [(5, 4, 6, 3), (5, 1, 4, 6, 3)], ids=["cases for the batch", "before it"])
def test_an_npz_has_its_cases_in_front(shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    data = read_cases(save(tmp_path / "data.npz", in0=values), IMAGE)
    assert len(data.cases) == 5 and not data.are_pixels
    np.testing.assert_array_equal(data.cases[3][0], values[3].reshape(1, 4, 6, 3).astype(np.float32))


def test_an_iterable_gives_a_case_at_a_time() -> None:
    cases = read_cases(([np.zeros(16, np.float32), np.array([3], np.int32)] for _ in range(2)), TWO).cases
    assert [array.shape for array in cases[1]] == [(1, 16), (1,)]


def test_images_are_resized_cut_and_normalised(tmp_path: Path) -> None:
    """The left half is red. Resized to 8x12 the middle of 4x6 has three columns of each half."""
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[:, 0, 0] = 255
    Image.fromarray(pixels).resize((24, 16), Image.Resampling.NEAREST).save(tmp_path / "a.png")
    (tmp_path / "readme.txt").write_text("no image")
    preprocessing = Preprocessing(mean=(255.0, 0.0, 0.0), std=(255.0, 1.0, 1.0), size=(8, 12))
    data = read_cases(tmp_path, IMAGE, preprocessing)
    [[image]] = data.cases
    assert data.are_pixels and image.shape == (1, 4, 6, 3) and image.dtype == np.float32
    np.testing.assert_array_equal(image[0, 0, [0, 1, 4, 5], 0], [0, 0, -1, -1])  # the edge is blurred
    assert not image[..., 1:].any()


def test_channels_come_first_where_the_model_has_them_first(tmp_path: Path) -> None:
    Image.new("RGB", (6, 4), (1, 2, 3)).save(tmp_path / "a.png")
    [[image]] = read_cases(tmp_path, FIRST).cases
    assert image.shape == (1, 3, 4, 6)
    np.testing.assert_array_equal(image[0, :, 0, 0], [1, 2, 3])


def test_wavs_are_resampled_cut_and_padded(tmp_path: Path) -> None:
    write_wav(tmp_path / "long.wav", np.full(100, 1000))
    write_wav(tmp_path / "short.wav", np.full(4, 500), rate=4000)
    data = read_cases(tmp_path, SOUND, Preprocessing(std=(1000.0,), sample_rate=8000))
    long, short = (case[0] for case in data.cases)
    np.testing.assert_array_equal(long, np.ones((1, 16), np.float32))
    assert not data.are_pixels and not short[0, 8:].any() and short[0, :4].all()


def damaged(path: Path) -> Path:
    (path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n half an image")
    return path


def unreadable_wav(path: Path) -> Path:
    (path / "a.wav").write_bytes(b"RIFF....WAVE")
    return path


def both(path: Path) -> Path:
    write_wav(path / "a.wav", np.zeros(3))
    return damaged(path)


REFUSED: dict[str, tuple[Any, tuple[TensorDescription, ...], str]] = {
    "no file": (lambda path: path / "absent.npz", IMAGE, "does not exist"),
    "an empty folder": (lambda path: path, IMAGE, "no images and no wavs"),
    "images and wavs": (both, IMAGE, "one kind"),
    "a damaged image": (damaged, IMAGE, "a.png is not a readable image"),
    "a damaged wav": (unreadable_wav, SOUND, "a.wav is not a readable wav"),
    "a folder for two inputs": (damaged, TWO, "2 inputs, a folder has data for one"),
    "another shape": (lambda _: np.zeros((2, 4, 5, 3), np.float32), IMAGE, r"case 0 .*\[4, 5, 3\]"),
    "another type": (lambda _: np.zeros((2, 4, 6, 3), np.int64), IMAGE, "int64: expected float32"),
    "no numbers": (lambda _: np.full((1, 4, 6, 3), "a"), IMAGE, "expected float32"),
    "NaN": (lambda _: np.full((1, 4, 6, 3), np.nan), IMAGE, "not finite"),
    "too large for float32": (lambda _: np.full((1, 4, 6, 3), 1e300), IMAGE, "not finite"),
    "no cases": (lambda _: np.zeros((0, 4, 6, 3), np.float32), IMAGE, "no cases"),
    "an empty iterable": (lambda _: [], IMAGE, "no cases"),
    "a number": (lambda _: 3, IMAGE, "holds no cases"),
    "ragged rows": (lambda _: [[[1.0], [1.0, 2.0]]], IMAGE, "expected|inputs"),
    "too few arrays": (lambda path: save(path / "d.npz", in0=np.zeros((1, 16))), TWO, "2 inputs, 1 arrays"),
    "other counts": (
        lambda path: save(path / "d.npz", in0=np.zeros((2, 16)), in1=np.zeros((3, 1), np.int32)),
        TWO,
        "different numbers of cases",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case: str, tmp_path: Path) -> None:
    make, inputs, reason = REFUSED[case]
    with pytest.raises(InputDataError, match=reason):
        read_cases(make(tmp_path), inputs)


@pytest.mark.parametrize(("mean", "error"), [(128.0, 0.0), (127.5, 0.5), (0.0, 0.0)])
def test_raw_pixels_stand_for_their_preprocessing(mean: float, error: float) -> None:
    raw = raw_input(Preprocessing(mean=(mean,), std=(64.0,)))
    pixels = np.arange(256)
    found = (pixels - raw.zero_point) * raw.scale
    assert raw.error == error
    assert np.abs(found - (pixels - mean) / 64).max() == error * raw.scale
    assert (raw.low, raw.high) == (found[0], found[-1])


@pytest.mark.parametrize(
    ("mean", "std", "reason"),
    [((1.0, 2.0, 3.0), (1.0, 1.0, 1.0), "one mean and std"), ((300.0,), (1.0,), "a mean of 0 to 255")],
)
def test_what_one_zero_point_cannot_say_stays_outside(
    mean: tuple[float, ...], std: tuple[float, ...], reason: str
) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        raw_input(Preprocessing(mean=mean, std=std))


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan")])
def test_a_deviation_is_above_zero(std: float) -> None:
    with pytest.raises(UnsupportedError, match="above 0"):
        Preprocessing(std=(std,))
