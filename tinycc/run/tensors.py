"""Arrays in the model file's own form, to and from the bytes of the device."""

from collections.abc import Sequence

import numpy as np

from tinycc.errors import InputDataError, ToolError
from tinycc.run.folder import DeviceTensor, GeneratedFolder

SEED = 20


def random_inputs(folder: GeneratedFolder) -> list[np.ndarray]:
    """One case of random input in the file's whole shape, the same each time (seed 20).

    Integers cover their whole range; floats cover the quantised range, or are normal where there is none.
    """
    generator = np.random.default_rng(SEED)
    return [_random(tensor, generator) for tensor in folder.inputs]


def _case_shape(tensor: DeviceTensor) -> tuple[int, ...]:
    """Of one case in the file's layout where the axis of cases takes the place of a batch of 1."""
    return tensor.file_shape[1:] if tensor.file_shape[:1] == (1,) else tensor.file_shape


def _random(tensor: DeviceTensor, generator: np.random.Generator) -> np.ndarray:
    shape = (1, *tensor.file_shape)
    if np.dtype(tensor.file_dtype).kind in "iu":
        # int32 inputs are indices or counts: eight bits are enough for them.
        limits = np.iinfo(tensor.file_dtype if np.dtype(tensor.file_dtype).itemsize <= 2 else "int8")
        return generator.integers(limits.min, limits.max, shape, dtype=tensor.file_dtype, endpoint=True)
    if tensor.scale is None:
        return generator.standard_normal(shape, dtype=np.float32)
    limits = np.iinfo(tensor.dtype)
    integers = generator.integers(limits.min, limits.max, shape, endpoint=True)
    return ((integers - tensor.zero_point) * np.float32(tensor.scale)).astype(np.float32)


def device_cases(folder: GeneratedFolder, inputs: list[np.ndarray]) -> list[bytes]:
    """For each case the bytes of all inputs in order, as the device reads them. Raises InputDataError."""
    arrays = device_arrays(folder.inputs, inputs)
    return [b"".join(array[case].tobytes() for array in arrays) for case in range(len(arrays[0]))]


def device_arrays(tensors: Sequence[DeviceTensor], inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For each input [cases, elements] as the device reads them. Raises InputDataError."""
    if len(inputs) != len(tensors):
        raise InputDataError(f"the model has {len(tensors)} inputs, {len(inputs)} arrays were given")
    arrays = [
        _to_device(tensor, _array(array, index), index)
        for index, (tensor, array) in enumerate(zip(tensors, inputs, strict=True))
    ]
    counts = {len(array) for array in arrays}
    if len(counts) != 1:
        raise InputDataError(f"the inputs have different numbers of cases: {sorted(counts)}")
    return arrays


def _array(values: np.ndarray, index: int) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise InputDataError(f"in{index} is no array: {error}") from error


def _to_device(tensor: DeviceTensor, array: np.ndarray, index: int) -> np.ndarray:
    case = _case_shape(tensor)
    if array.ndim == 0 or array.shape[1:] not in (case, tensor.file_shape):
        expected = ", ".join(map(str, ("cases", *case)))
        raise InputDataError(
            f"in{index} ({tensor.name}) has shape {list(array.shape)}: expected [{expected}]"
        )
    if len(array) == 0:
        raise InputDataError(f"in{index} ({tensor.name}) has no cases")
    integers = _to_device_type(tensor, array.reshape(len(array), *tensor.file_shape), index)
    if tensor.permutation:
        integers = integers.transpose(0, *(axis + 1 for axis in tensor.permutation))
    flat = np.ascontiguousarray(integers).reshape(len(array), -1)
    if flat.shape[1] * flat.itemsize != tensor.bytes:
        raise InputDataError(
            f"in{index} ({tensor.name}): a case has {flat.shape[1] * flat.itemsize} bytes, the model "
            f"as compiled reads {tensor.bytes}: compile the model again"
        )
    return flat


def _to_device_type(tensor: DeviceTensor, array: np.ndarray, index: int) -> np.ndarray:
    if array.dtype == tensor.dtype.newbyteorder("="):
        return array.astype(tensor.dtype)
    if array.dtype == np.uint8 and tensor.file_dtype == "uint8" and tensor.dtype == np.int8:
        return (array.astype(np.int16) - 128).astype(np.int8)
    if array.dtype.kind == "f" and tensor.dtype.kind == "f":
        return array.astype(tensor.dtype)
    if array.dtype.kind == "f" and tensor.scale is not None:
        return _quantize(tensor, array.astype(np.float32))
    raise InputDataError(
        f"in{index} ({tensor.name}) is {array.dtype}: expected {tensor.file_dtype}"
        + (" or float32" if tensor.scale is not None and tensor.file_dtype != "float32" else "")
    )


def _quantize(tensor: DeviceTensor, values: np.ndarray) -> np.ndarray:
    """TFLite's QUANTIZE: float32 division, round half away from zero, add the zero point, clamp."""
    if np.isnan(values).any():
        raise InputDataError(f"{tensor.name} has values that are not numbers (NaN)")
    limits = np.iinfo(tensor.dtype)
    with np.errstate(over="ignore"):  # an infinite ratio is clamped like any other
        ratio = values / np.float32(tensor.scale)
    # floor(|x| + 0.5) in float32 would round 0.49999997 up; in float64 the sum is exact.
    rounded = np.copysign(np.floor(np.abs(ratio).astype(np.float64) + 0.5), ratio)
    quantized: np.ndarray = np.clip(rounded + tensor.zero_point, limits.min, limits.max).astype(tensor.dtype)
    return quantized


def file_outputs(folder: GeneratedFolder, data: bytes, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The outputs of all cases in the file's layout, shaped as the inputs were.

    [cases, *file_shape] where an input has the whole shape of the file behind the axis of cases; where in all
    of them the cases stand in the place of the file's batch of 1, they do in the outputs.
    Their dtype is the device's (a file of float32 outputs gives integers where its edge was dropped), save
    uint8, which is restored. data: for each case the bytes of every output in order.
    """
    cases = len(inputs[0])
    is_whole = any(
        np.ndim(array) == 1 + len(tensor.file_shape)
        for tensor, array in zip(folder.inputs, inputs, strict=True)
    )
    size = sum(tensor.bytes for tensor in folder.outputs)
    if len(data) != cases * size:
        raise ToolError(f"the program wrote {len(data)} bytes of outputs, not {cases * size}")
    rows = np.frombuffer(data, np.uint8).reshape(cases, size)
    outputs, first = [], 0
    for tensor in folder.outputs:
        raw = np.ascontiguousarray(rows[:, first : first + tensor.bytes])
        array = _to_file(tensor, raw.view(tensor.dtype))
        outputs.append(array.reshape(cases, *(tensor.file_shape if is_whole else _case_shape(tensor))))
        first += tensor.bytes
    return outputs


def _to_file(tensor: DeviceTensor, flat: np.ndarray) -> np.ndarray:
    cases = len(flat)
    array = flat
    if tensor.permutation:
        device_shape = tuple(tensor.file_shape[axis] for axis in tensor.permutation)
        inverse = np.argsort(tensor.permutation)
        array = flat.reshape(cases, *device_shape).transpose(0, *(int(axis) + 1 for axis in inverse))
    if tensor.file_dtype == "uint8" and tensor.dtype == np.int8:
        return (array.astype(np.int16) + 128).astype(np.uint8)
    return array.astype(tensor.dtype.newbyteorder("="))
