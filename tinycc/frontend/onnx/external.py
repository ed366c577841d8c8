"""Tensors that lie in files beside the model's: read from its own folder only, and no more than they say."""

import math
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import external_data_helper, helper

from tinycc.errors import ModelError, UnsupportedError


def load_external_data(path: Path, model: onnx.ModelProto, most_bytes: int) -> None:
    """Take the data of all tensors into the model, in place.

    Raises ModelError for a file that is missing, lies elsewhere or is too short, UnsupportedError for more
    than `most_bytes`.
    """
    total = 0
    for tensor in _external(model):
        name = f"{path}: tensor {tensor.name!r}"
        said = {entry.key: entry.value for entry in tensor.external_data}
        try:
            item_bytes = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
            size = math.prod(tensor.dims) * item_bytes
            offset, length = int(said.get("offset", 0)), int(said.get("length", size))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{name} says no place of its data that can be read") from error
        if min((*tensor.dims, offset), default=0) < 0 or length != size:
            raise ModelError(f"{name} has {size} bytes by its shape, {length} by its place in another file")
        total += size
        if total > most_bytes:
            raise UnsupportedError(
                f"{path}: more than {most_bytes >> 20} MB of data beside it, which no microcontroller holds"
            )
        place = _place(path, name, said.get("location", ""))
        with place.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) != size:
            raise ModelError(f"{name} ends beyond {place.name}, which is damaged or another file")
        tensor.ClearField("external_data")
        tensor.data_location = onnx.TensorProto.DEFAULT
        tensor.raw_data = data


def _external(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    return filter(external_data_helper.uses_external_data, external_data_helper._get_all_tensors(model))


def _place(path: Path, name: str, location: str) -> Path:
    """The file of a location, which must be a plain file in the model's folder, links followed."""
    folder = path.parent.resolve()
    try:
        place = (folder / location).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{name} is stored in {location!r}, which is not beside the model") from error
    if not location or Path(location).is_absolute() or not place.is_relative_to(folder):
        raise ModelError(f"{name} is stored in {location!r}, which is outside of the model's folder")
    if not place.is_file():
        raise ModelError(f"{name} is stored in {location!r}, which is no file")
    return place
