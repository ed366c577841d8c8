"""What a generated folder says of itself: its report, as far as running needs it."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinycc.errors import OutputError


def read_report(folder: Path) -> dict[str, Any]:
    """The report.json of a generated folder. Raises OutputError if there is none, or it is damaged."""
    path = Path(folder) / "report.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(
            f"{folder} is not a folder made by 'tinycc compile': cannot read {path.name}"
        ) from error
    if isinstance(report, dict) and "models" in report:
        raise OutputError(f"{folder} holds several linked models: give the folder of one of them")
    if not isinstance(report, dict) or not {"inputs", "outputs", "operators"} <= report.keys():
        raise OutputError(f"{path} is not a report of 'tinycc compile': compile the model again")
    return report


@contextmanager
def damaged_report(*folders: Path) -> Iterator[None]:
    """Turns what reading a report of other content raises into an OutputError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        places = " or ".join(str(Path(folder) / "report.json") for folder in folders)
        raise OutputError(f"{places} is damaged: compile the model again") from error


@dataclass(frozen=True)
class DeviceTensor:
    """An input or output: on the device (shape NHWC, dtype, bytes) and as the model file has it."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    bytes: int
    scale: float | None
    zero_point: int
    file_dtype: str
    file_shape: tuple[int, ...]
    permutation: tuple[int, ...]


@dataclass(frozen=True)
class OperatorOutput:
    """The output of one operator.

    scale, zero_point: None where it has its operand's quantization, or none.
    calls, call_bytes: how often a traced run tells of it, and how many bytes each time: the whole tensor
        once, or a row of it each time.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float | None
    zero_point: int | None
    calls: int
    call_bytes: int

    @property
    def size(self) -> int:
        """Bytes of the tensor."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self, rows: bytes) -> np.ndarray:
        """The tensor from what all calls told: row after row, or again and again until it is right.

        Rows that nobody asked for are 0.
        """
        told = rows[-self.size :].ljust(self.size, b"\0")
        return np.frombuffer(told, self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class GeneratedFolder:
    """A generated folder, read.

    sram_bytes, flash_bytes: the budgets it was compiled for, or None.
    by_rows: whether the input is fed row by row.
    macs: multiply-accumulates of an inference, from which time limits are set.
    trains: whether it is the training step that is meant: its inputs are those of the network, a label and a
        learning rate, its output the loss.
    first_operator: number of the first of `operators` in a trace: those of an inference come before.
    states: of a training step, what lies in `state.bin` after it, with the first byte of each.
    classes: of a training step, elements of the network's first output.
    """

    path: Path
    name: str
    inputs: tuple[DeviceTensor, ...]
    outputs: tuple[DeviceTensor, ...]
    operators: tuple[OperatorOutput, ...]
    sram_bytes: int | None
    flash_bytes: int | None
    by_rows: bool
    macs: int
    trains: bool = False
    first_operator: int = 0
    states: tuple[tuple[DeviceTensor, int], ...] = ()
    classes: int = 0

    @property
    def sources(self) -> list[Path]:
        """C files of the model, without the example program."""
        return sorted(path for path in self.path.glob("*.c") if path.name != "main.c")


def read_folder(folder: Path) -> GeneratedFolder:
    """Read report.json and check that the sources are there. Raises OutputError."""
    folder = Path(folder).resolve()
    report = read_report(folder)
    name = str(report.get("name", "model"))
    for file in (f"{name}.c", f"{name}.h"):
        if not name.isidentifier() or not (folder / file).is_file():
            raise OutputError(f"{folder} has no {file}: compile the model again")
    with damaged_report(folder):
        return GeneratedFolder(
            path=folder,
            name=name,
            inputs=tuple(_tensor(fields) for fields in report["inputs"]),
            outputs=tuple(_tensor(fields) for fields in report["outputs"]),
            operators=tuple(_operator(fields) for fields in report["operators"]),
            sram_bytes=_optional_bytes(report, "sram_bytes", "sram"),
            flash_bytes=_optional_bytes(report, "flash_bytes", "flash"),
            by_rows=report.get("input_mode") == "rows",
            macs=int(report.get("macs", 0)) + int(report.get("extra_macs", 0)),
        )


def read_training_folder(folder: Path) -> GeneratedFolder:
    """The same of a folder's training step. Raises OutputError, also where it has none."""
    invoked = read_folder(folder)
    training = read_report(invoked.path).get("training")
    if training is None:
        raise OutputError(f"{folder} has no training step: compile the model with --train")
    with damaged_report(folder):
        return replace(
            invoked,
            inputs=tuple(_tensor(fields) for fields in training["inputs"]),
            outputs=tuple(_tensor(fields) for fields in training["outputs"]),
            operators=tuple(_operator(fields) for fields in training["operators"]),
            first_operator=len(invoked.operators),
            macs=int(training["macs"]),
            trains=True,
            states=tuple((_tensor(fields), int(fields["offset"])) for fields in training["states"]),
            classes=math.prod(invoked.outputs[0].shape),
        )


def _operator(fields: dict[str, Any]) -> OperatorOutput:
    shape = _shape(fields.get("output_shape", ()))
    dtype = _little_endian(fields.get("output_dtype", "int8"))
    size = math.prod(shape) * dtype.itemsize
    calls, call_bytes = int(fields.get("calls", 1)), int(fields.get("call_bytes", size))
    if calls < 0 or call_bytes < 0:
        raise ValueError("a negative size")
    scale, zero_point = fields.get("output_scale"), fields.get("output_zero_point")
    return OperatorOutput(
        name=str(fields["name"]),
        shape=shape,
        dtype=dtype,
        scale=None if scale is None else float(scale),
        zero_point=None if zero_point is None else int(zero_point),
        calls=calls,
        call_bytes=call_bytes,
    )


def _shape(sizes: Sequence[Any]) -> tuple[int, ...]:
    shape = tuple(int(size) for size in sizes)
    if any(size < 0 for size in shape):
        raise ValueError("a negative dimension")
    return shape


def _optional_bytes(report: dict[str, Any], *keys: str) -> int | None:
    values = [report[key] for key in keys if report.get(key) is not None]
    return int(values[0]) if values else None


def _little_endian(name: str) -> np.dtype[Any]:
    dtype = np.dtype(name)
    if dtype.kind not in "biuf":
        raise ValueError(f"{name} is no element type")
    return dtype.newbyteorder("<")


def _tensor(fields: dict[str, Any]) -> DeviceTensor:
    scale = fields["scale"]
    tensor = DeviceTensor(
        name=str(fields["name"]),
        shape=_shape(fields["shape"]),
        dtype=_little_endian(fields["dtype"]),
        bytes=int(fields["bytes"]),
        scale=None if scale is None else float(scale),
        zero_point=int(fields["zero_point"] or 0),
        file_dtype=np.dtype(fields["file_dtype"]).name,
        file_shape=_shape(fields["file_shape"]),
        permutation=_shape(fields["permutation"]),
    )
    elements = math.prod(tensor.shape)
    axes = tuple(range(len(tensor.file_shape)))
    if (elements, elements * tensor.dtype.itemsize) != (math.prod(tensor.file_shape), tensor.bytes):
        raise ValueError(f"{tensor.name}: shapes and bytes differ")
    if tensor.permutation and tuple(sorted(tensor.permutation)) != axes:
        raise ValueError(f"{tensor.name}: the permutation is none of the axes")
    if tensor.scale is not None and not 0 < tensor.scale < math.inf:
        raise ValueError(f"{tensor.name}: the scale is no positive number")
    return tensor
