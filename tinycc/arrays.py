"""Arrays in .npz files: what is read is checked, what is written appears whole or not at all."""

import itertools
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tinycc.errors import InputDataError
from tinycc.output_file import new_file


def read_inputs(path: Path) -> list[np.ndarray]:
    """The arrays in0, in1, ... of an .npz file. Raises InputDataError."""
    names = array_names(path)
    count = next(index for index in itertools.count() if f"in{index}" not in names)
    if not count:
        raise InputDataError(f"{path} has no array in0: name the inputs in0, in1, ...")
    return [read_array(path, f"in{index}") for index in range(count)]


def read_examples(path: Path, labels: str) -> tuple[list[np.ndarray], np.ndarray]:
    """The inputs of an .npz file and its array of labels. Raises InputDataError."""
    return read_inputs(path), read_array(path, labels)


def read_array(path: Path, name: str) -> np.ndarray:
    """One array of an .npz file. Raises InputDataError."""
    names = array_names(path)
    if name not in names:
        raise InputDataError(f"{path} has no array {name!r}: it has {', '.join(sorted(names)) or 'none'}")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[name]
    # What numpy, zipfile and zlib raise for damaged files of all kinds.
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputDataError(f"{path} is not a readable .npz file: {error}") from error


def array_names(path: Path) -> set[str]:
    """Of the arrays in an .npz file. Raises InputDataError."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except FileNotFoundError as error:
        raise InputDataError(f"{path} does not exist") from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputDataError(f"{path} is not a readable .npz file: {error}") from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz file. Raises OutputError."""
    with new_file(path) as place, place.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
