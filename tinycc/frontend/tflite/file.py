"""The content of a .tflite file as plain, frozen records.

The flatbuffer is read once, with every index and size checked, so that nothing after this has to
distrust the file. Format: https://github.com/tensorflow/tensorflow (lite/schema/schema.fbs, version 3).
"""

import inspect
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tflite

from tinycc.errors import ModelError, UnsupportedError

# The type of a tensor that names a variable, and holds no numbers.
RESOURCE = "resource"
DTYPES = {
    tflite.TensorType.FLOAT32: "float32",
    tflite.TensorType.FLOAT16: "float16",
    tflite.TensorType.INT32: "int32",
    tflite.TensorType.UINT8: "uint8",
    tflite.TensorType.INT64: "int64",
    tflite.TensorType.BOOL: "bool",
    tflite.TensorType.INT16: "int16",
    tflite.TensorType.INT8: "int8",
    tflite.TensorType.INT4: "int8",
    tflite.TensorType.UINT32: "uint32",
    tflite.TensorType.UINT64: "uint64",
    tflite.TensorType.RESOURCE: RESOURCE,
}


def _names(enumeration: type) -> dict[int, str]:
    """The members of one of the schema's enumerations by their numbers."""
    members = {name: value for name, value in vars(enumeration).items() if isinstance(value, int)}
    return {value: name for name, value in members.items() if name[0] != "_"}


_TYPE_NAMES = _names(tflite.TensorType)
_CALLERS = ("CALL", "IF", "STABLEHLO_COMPOSITE", "WHILE")
SCHEMA_VERSION = 3
MAX_FILE_BYTES = 256 << 20
MAX_TABLE_ENTRIES = 100_000
PARSER_ERRORS = (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError, MemoryError)
_KIND_NAMES = _names(tflite.BuiltinOperator)


@dataclass(frozen=True, eq=False)
class FileTensor:
    """One tensor of the file.

    buffer: the index of its content, which tensors may share.
    value: the constant's content; None for activations.
    scales: float32 vector, empty where the tensor is not quantised; one entry, or one a channel.
    zero_points: int64 vector as long as `scales`, or one entry.
    axis: the channel axis of `scales` where it has several entries.
    is_variable: a state tensor that the operator updates.
    initial: what a state holds at first; None where the file does not say.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    buffer: int
    value: np.ndarray | None
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    is_variable: bool
    initial: np.ndarray | None = None

    @property
    def is_quantized(self) -> bool:
        """Whether the file gives a scale; that of real numbers means nothing."""
        return self.scales.size > 0 and self.dtype != "float32"

    @property
    def scale(self) -> float:
        """The scale of a tensor that has just one."""
        return float(self.scales[0])

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor that has just one."""
        return int(self.zero_points[0]) if self.zero_points.size else 0


@dataclass(frozen=True, eq=False)
class FileOperator:
    """One operator: `inputs`, `outputs` and `intermediates` are tensor indices, -1 where optional and absent.

    kind: the builtin name, e.g. "CONV_2D", or "CUSTOM".
    custom: the name of a custom operator, else "".
    version: of its kernel, which newer features raise.
    options: the `*Options` table read by TFLite's generated code; None where the file has none.
    table: the operator's own flatbuffer table.
    """

    index: int
    kind: str
    custom: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]
    options: Any
    table: tflite.Operator

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"operator {self.index} ({self.custom or self.kind})"


@dataclass(frozen=True, eq=False)
class TfliteFile:
    """A parsed file, or one of its subgraphs; `model` is the flatbuffer root for TVM's importer.

    subgraphs: those behind the first, each of which is there for CALL_ONCE; they have none themselves.
    """

    path: Path
    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    model: tflite.Model
    subgraphs: tuple["TfliteFile", ...] = ()

    def tensor(self, index: int) -> FileTensor | None:
        """The tensor with this index; None for -1."""
        return self.tensors[index] if index >= 0 else None


def read_tflite(path: Path) -> TfliteFile:
    """Parse a file.

    Raises ModelError where it is missing, too large or malformed, UnsupportedError where it has
    subgraphs that are not for CALL_ONCE, or no static shapes.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_FILE_BYTES else b""
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    if size > MAX_FILE_BYTES:
        raise ModelError(f"{path} has {size:,} bytes: more than {MAX_FILE_BYTES:,} are not read")
    if len(content) < 16 or content[4:8] != b"TFL3":
        raise ModelError(f"{path} is not a TFLite model: the identifier TFL3 is missing")
    try:
        return _parse(path, content)
    except PARSER_ERRORS as error:
        raise ModelError(
            f"{path} is not a valid TFLite model: the flatbuffer is cut off or damaged"
        ) from error


def _parse(path: Path, content: bytes) -> TfliteFile:
    model = tflite.Model.GetRootAsModel(content, 0)
    if model.Version() != SCHEMA_VERSION:
        raise UnsupportedError(
            f"{path} has the schema version {model.Version()}, only {SCHEMA_VERSION} is known"
        )
    count = model.SubgraphsLength()
    called = {number for number in _called_once(model) if 0 < number < count}
    if not 0 < count == 1 + len(called):
        raise UnsupportedError(
            f"{path} has {count} subgraphs, one is supported beside those of CALL_ONCE: operators that run "
            f"or share another{_callers(model)} are not"
        )
    first, *others = (_subgraph(path, model, number) for number in range(count))
    if not first.outputs or any(index < 0 for side in (first.inputs, first.outputs) for index in side):
        raise ModelError(f"{path} is not a valid TFLite model: an input or output is missing")
    return replace(first, subgraphs=tuple(others))


def _subgraph(path: Path, model: tflite.Model, number: int) -> TfliteFile:
    graph = model.Subgraphs(number)
    for length in (graph.TensorsLength(), graph.OperatorsLength(), model.BuffersLength()):
        if length > MAX_TABLE_ENTRIES:
            raise ModelError(f"{path} is not a valid TFLite model: a table claims {length:,} entries")
    tensors = tuple(
        _tensor(path, model, graph.Tensors(index), index) for index in range(graph.TensorsLength())
    )
    operators = tuple(
        _operator(path, model, graph.Operators(index), index, len(tensors))
        for index in range(graph.OperatorsLength())
    )
    edges = [
        _indices(path, vector, len(tensors), f"the model's {side}")
        for vector, side in ((graph.InputsAsNumpy(), "inputs"), (graph.OutputsAsNumpy(), "outputs"))
    ]
    return TfliteFile(path, tensors, operators, edges[0], edges[1], model)


def _first_operators(model: tflite.Model) -> Iterator[tuple[str, tflite.Operator]]:
    """The operators of the first subgraph with their kinds, before anything of it is checked."""
    if not model.SubgraphsLength():
        return
    graph = model.Subgraphs(0)
    for index in range(min(graph.OperatorsLength(), MAX_TABLE_ENTRIES)):
        table = graph.Operators(index)
        yield _KIND_NAMES.get(_builtin_code(model.OperatorCodes(table.OpcodeIndex())), ""), table


def _called_once(model: tflite.Model) -> set[int]:
    """The numbers of the subgraphs that CALL_ONCE runs."""
    options = [_options(table) for kind, table in _first_operators(model) if kind == "CALL_ONCE"]
    return {int(table.InitSubgraphIndex()) for table in options if isinstance(table, tflite.CallOnceOptions)}


def _callers(model: tflite.Model) -> str:
    """The operators of the first subgraph that refer to others, as part of a message."""
    named = sorted({kind for kind, _ in _first_operators(model) if kind in _CALLERS})
    return f" ({', '.join(named)})" if named else ""


def _vector(stored: Any, dtype: type) -> np.ndarray:
    """A flatbuffer vector as an array; the generated code gives 0 for an absent one."""
    return np.array(stored, dtype) if isinstance(stored, np.ndarray) else np.empty(0, dtype)


def readable(stored: bytes | None) -> str:
    """A string of the file, fit for a message."""
    text = (stored or b"").decode("utf-8", "replace")
    return text if text.isprintable() and len(text) <= 200 else ascii(text[:40])


def _indices(path: Path, stored: Any, count: int, where: str) -> tuple[int, ...]:
    indices = tuple(int(index) for index in _vector(stored, np.int64))
    for index in indices:
        if not -1 <= index < count:
            raise ModelError(
                f"{path} is not a valid TFLite model: {where} refer to tensor {index} of {count}"
            )
    return indices


def _tensor(path: Path, model: tflite.Model, table: tflite.Tensor, index: int) -> FileTensor:
    name = readable(table.Name()) or f"tensor{index}"
    where = f"tensor {index} ({name})"
    if table.Type() not in DTYPES:
        kind = _TYPE_NAMES.get(table.Type(), f"of the newer type {table.Type()}")
        raise UnsupportedError(
            f"{path}: {where} is {kind}, which is not supported: quantize the model to int8"
        )
    if table.Sparsity() is not None:
        raise UnsupportedError(f"{path}: {where} is sparse: convert the model with dense weights")
    dtype = DTYPES[table.Type()]
    shape = tuple(int(dimension) for dimension in _vector(table.ShapeAsNumpy(), np.int64))
    signature = _vector(table.ShapeSignatureAsNumpy(), np.int64)
    if any(dimension < 0 for dimension in shape) or np.any(signature[1:] < 0):
        raise UnsupportedError(f"{path}: {where} has a dynamic shape: export the model with fixed shapes")
    if math.prod(shape) > MAX_FILE_BYTES:
        raise ModelError(f"{path}: {where} of shape {shape} is too large")
    scales, zero_points, axis = np.empty(0, np.float32), np.empty(0, np.int64), 0
    quantization = table.Quantization()
    if quantization is not None:
        scales = _vector(quantization.ScaleAsNumpy(), np.float32)
        zero_points = _vector(quantization.ZeroPointAsNumpy(), np.int64)
        axis = int(quantization.QuantizedDimension())
        if quantization.DetailsType():
            raise UnsupportedError(f"{path}: {where} has a custom quantization, which is not supported")
    if not 0 <= table.Buffer() < model.BuffersLength():
        raise ModelError(f"{path} is not a valid TFLite model: {where} refers to buffer {table.Buffer()}")
    buffer = model.Buffers(table.Buffer())
    if buffer.Offset() or buffer.Size():
        raise UnsupportedError(
            f"{path}: the content of {where} is not in the flatbuffer, which is not supported"
        )
    stored = _vector(buffer.DataAsNumpy(), np.uint8)
    is_packed = table.Type() == tflite.TensorType.INT4
    value = None
    if stored.size:
        count = math.prod(shape)
        expected = -(-count // 2) if is_packed else count * np.dtype(dtype).itemsize
        if stored.size != expected:
            raise ModelError(
                f"{path} is not a valid TFLite model: "
                f"{where} needs {expected:,} bytes, its buffer has {stored.size:,}"
            )
        value = (_unpacked(stored)[:count] if is_packed else stored.view(dtype)).reshape(shape)
    elif is_packed:
        raise UnsupportedError(
            f"{path}: {where} is INT4, which is supported for constants only: quantize activations to int8"
        )
    return FileTensor(
        index=index,
        name=name,
        shape=shape,
        dtype=dtype,
        buffer=int(table.Buffer()),
        value=value,
        scales=scales,
        zero_points=zero_points,
        axis=axis,
        is_variable=bool(table.IsVariable()),
    )


def _unpacked(stored: np.ndarray) -> np.ndarray:
    """The int8 numbers that lie in bytes two by two, the first of them in the low bits."""
    pairs = stored.view(np.int8)
    return np.stack([pairs << 4 >> 4, pairs >> 4], axis=1).reshape(-1)


def _operator(
    path: Path, model: tflite.Model, table: tflite.Operator, index: int, tensors: int
) -> FileOperator:
    if not 0 <= table.OpcodeIndex() < model.OperatorCodesLength():
        raise ModelError(f"{path} is not a valid TFLite model: operator {index} has no operator code")
    code = model.OperatorCodes(table.OpcodeIndex())
    number = _builtin_code(code)
    if number not in _KIND_NAMES:
        raise UnsupportedError(f"{path}: operator {index} has the builtin code {number}, which is not known")
    where = f"operator {index} ({_KIND_NAMES[number]})"
    return FileOperator(
        index=index,
        kind=_KIND_NAMES[number],
        custom=readable(code.CustomCode()),
        version=int(code.Version()),
        inputs=_indices(path, table.InputsAsNumpy(), tensors, f"the inputs of {where}"),
        outputs=_indices(path, table.OutputsAsNumpy(), tensors, f"the outputs of {where}"),
        intermediates=_indices(path, table.IntermediatesAsNumpy(), tensors, f"the intermediates of {where}"),
        options=_options(table),
        table=table,
    )


def _builtin_code(code: tflite.OperatorCode) -> int:
    """The larger of the old 8-bit and the new 32-bit field, as TFLite reads them.

    The package's own accessor overlooks codes below 127 that stand in the new field only.
    """
    field = code._tab.Offset(10)
    number = code._tab.Get(flatbuffers.number_types.Int32Flags, field + code._tab.Pos) if field else 0
    return max(int(number), int(code.DeprecatedBuiltinCode()))


_OPTION_NAMES = {value: name for value, name in _names(tflite.BuiltinOptions).items() if value}


def _options(table: tflite.Operator) -> Any:
    union = table.BuiltinOptions()
    name = _OPTION_NAMES.get(table.BuiltinOptionsType())
    if union is None or name is None:
        return None
    options = getattr(tflite, name)()
    options.Init(union.Bytes, union.Pos)
    # Whoever asks for a field later, or whether there is one, must find it readable.
    for entry in range(0, options._tab.Offset(0), 2):
        options._tab.Offset(entry)
    for getter in vars(type(options)).values():
        if inspect.isfunction(getter) and getter.__code__.co_argcount == 1:
            getter(options)
    return options
