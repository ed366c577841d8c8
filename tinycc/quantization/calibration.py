"""Cases of a model's inputs, to calibrate or to test with: read from an .npz, a folder or an iterable.

Every case is checked against the model before anything is computed from it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tinycc.arrays import read_inputs
from tinycc.errors import InputDataError
from tinycc.frontend.description import TensorDescription
from tinycc.quantization.folder import read_folder
from tinycc.quantization.preprocessing import Preprocessing

# One array for each input of the model, in the file's order, shape and element type.
Case: TypeAlias = tuple[np.ndarray, ...]
# What `read_cases` takes.
CalibrationData: TypeAlias = str | Path | np.ndarray | Iterable[np.ndarray | Sequence[np.ndarray]]

DEFAULT_PREPROCESSING = Preprocessing()


@dataclass(frozen=True)
class Cases:
    """At least one case; are_pixels: they were images, or arrays of uint8, before their preprocessing."""

    cases: list[Case]
    are_pixels: bool


def read_cases(
    data: CalibrationData,
    inputs: Sequence[TensorDescription],
    preprocessing: Preprocessing = DEFAULT_PREPROCESSING,
) -> Cases:
    """The cases that `data` holds for a model with these inputs.

    data: an .npz file of arrays in0, in1, ... with a leading axis of cases, before the file's batch of 1 or
        in its place; a folder of images or of wavs for a model of one input; an array of cases, likewise; an
        iterable of cases, each an array or a sequence of one array for each input.
    preprocessing: makes a model's input of images, wavs, and arrays of uint8 that a float input is given.

    Raises InputDataError that names the case and the input.
    """
    cases, are_pixels = [], True
    for index, case in enumerate(_raw(data, inputs, preprocessing)):
        cases.append(_checked(case, index, inputs, preprocessing))
        are_pixels &= all(array.dtype == np.uint8 for array in case)
    if not cases:
        raise InputDataError("the data hold no cases")
    return Cases(cases, are_pixels and all(np.dtype(tensor.dtype).kind == "f" for tensor in inputs))


def _raw(
    data: CalibrationData, inputs: Sequence[TensorDescription], preprocessing: Preprocessing
) -> Iterator[Sequence[np.ndarray]]:
    if isinstance(data, str | Path):
        path = Path(data)
        if path.is_dir():
            return _files(path, inputs, preprocessing)
        return _of_arrays(read_inputs(path), inputs)
    if isinstance(data, np.ndarray):
        return _of_arrays([data], inputs)
    return _of_iterable(data)


def _files(
    path: Path, inputs: Sequence[TensorDescription], preprocessing: Preprocessing
) -> Iterator[Sequence[np.ndarray]]:
    if len(inputs) != 1:
        raise InputDataError(
            f"{path}: the model has {len(inputs)} inputs, a folder has data for one: give an .npz file"
        )
    for item in read_folder(path, preprocessing.sample_rate):
        yield (item,)


def _of_arrays(
    arrays: Sequence[np.ndarray], inputs: Sequence[TensorDescription]
) -> Iterator[Sequence[np.ndarray]]:
    if len(arrays) != len(inputs):
        raise InputDataError(f"the model has {len(inputs)} inputs, {len(arrays)} arrays were given")
    counts = {array.shape[0] if array.ndim else 0 for array in arrays}
    if len(counts) != 1:
        raise InputDataError(f"the inputs have different numbers of cases: {sorted(counts)}")
    return zip(*arrays, strict=True) if counts != {0} else iter(())


def _of_iterable(data: Iterable[Any]) -> Iterator[Sequence[np.ndarray]]:
    try:
        items = iter(data)
    except TypeError as error:
        raise InputDataError(
            f"a {type(data).__name__} holds no cases: give a path, an array or an iterable of arrays"
        ) from error
    for item in items:
        yield tuple(map(_array, item)) if isinstance(item, tuple | list) else (_array(item),)


def _array(value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged rows; tensors that are not on the CPU
        raise InputDataError(f"a {type(value).__name__} is no array: {error}") from error


def _checked(
    case: Sequence[np.ndarray],
    index: int,
    inputs: Sequence[TensorDescription],
    preprocessing: Preprocessing,
) -> Case:
    if len(case) != len(inputs):
        raise InputDataError(f"case {index} has {len(case)} arrays, the model {len(inputs)} inputs")
    return tuple(
        _as_input(array, f"case {index} of input {tensor.name!r}", tensor, preprocessing)
        for array, tensor in zip(case, inputs, strict=True)
    )


def _as_input(
    array: np.ndarray, where: str, tensor: TensorDescription, preprocessing: Preprocessing
) -> np.ndarray:
    """`array` in the shape and element type of `tensor`."""
    is_float = np.dtype(tensor.dtype).kind == "f"
    if is_float and array.dtype in (np.uint8, np.int16):
        array = preprocessing.apply(array, tensor.shape, where)
    elif array.dtype.kind != "f" if is_float else array.dtype != tensor.dtype:
        expected = "float32, or uint8 for pixels" if is_float else tensor.dtype
        raise InputDataError(f"{where} is {array.dtype}: expected {expected}")
    if array.shape not in (tensor.shape, tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape):
        raise InputDataError(f"{where} has shape {list(array.shape)}: expected {list(tensor.shape)}")
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, tensor.dtype).reshape(tensor.shape)
    if is_float and not np.isfinite(array).all():
        raise InputDataError(f"{where} has values that are not finite numbers (NaN or infinity)")
    return array
