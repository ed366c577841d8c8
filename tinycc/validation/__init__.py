"""Side by side: a float model, its quantized one in its own runtime, and the C on the host and on a board."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinycc.arrays import read_array, read_inputs
from tinycc.errors import InputDataError
from tinycc.frontend.load import describe_model, model_format
from tinycc.quantization.calibration import Case, read_cases
from tinycc.quantization.preprocessing import Preprocessing
from tinycc.quantization.runtime import open_runtime
from tinycc.quantization.signal import agreement, signal_to_noise, top_one
from tinycc.run import run
from tinycc.run.folder import DeviceTensor, read_folder, read_report
from tinycc.target import target_named
from tinycc.validation.layers import LayerComparison, compare_layers
from tinycc.validation.steps import StepHistogram, count_steps

__all__ = ["LayerComparison", "Line", "StepHistogram", "Validation", "validate"]

# An emulated board is slow, and what it computes is what the host does.
BOARD_CASES = 8


@dataclass(frozen=True)
class Line:
    """One way to compute the model.

    accuracy: the share of the cases whose first output is largest at the label; None without labels.
    agreement: in which it is largest where the first line's is; None of the first line itself.
    decibels: the signal-to-noise ratio of all outputs, the first line's being right; None likewise.
    """

    name: str
    cases: int
    accuracy: float | None
    agreement: float | None
    decibels: float | None


@dataclass(frozen=True)
class Validation:
    """What was found; lines in the order in which a loss can come about.

    steps: differences of the C from the quantized model's own runtime, in steps of the outputs' scales; None
        without a quantized model.
    """

    model: str
    lines: tuple[Line, ...]
    layers: tuple[LayerComparison, ...]
    steps: StepHistogram | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class _Computed:
    """The outputs of one line as real numbers, each [cases, *shape]."""

    name: str
    outputs: list[np.ndarray]


def validate(
    folder: str | Path,
    data: str | Path,
    *,
    labels: str | None = None,
    reference: str | Path | None = None,
    quantized: str | Path | None = None,
    preprocessing: Preprocessing | None = None,
    on: str | None = None,
    board_cases: int = BOARD_CASES,
) -> Validation:
    """Compare what a compiled folder computes with the models that it comes from.

    folder: of C, from `tinycc compile`.
    data: an .npz file of arrays in0, in1, ...; or a folder of images or wavs, with a reference.
    labels: the name of an array in the .npz, the right class of each case.
    reference: the float model. quantized: the int8 one that was compiled.
    preprocessing: of raw data, as for `tinycc.quantize`.
    on: the board, by default the target that the folder was compiled for; it runs the first `board_cases`.

    Raises InputDataError, OutputError (not a compiled folder), ModelError, UnsupportedError, ToolError.
    """
    folder, data = Path(folder), Path(data)
    generated = read_folder(folder)
    models = [Path(model) for model in (reference, quantized) if model is not None]
    cases = None
    if models:
        cases = read_cases(data, describe_model(models[0]).inputs, preprocessing or Preprocessing()).cases
    inputs = read_inputs(data) if cases is None else [np.stack(column) for column in zip(*cases, strict=True)]
    right = None if labels is None else _labels(data, labels, len(inputs[0]))

    floats = own = None
    if cases is not None:
        floats = None if reference is None else _in_runtime("float model", Path(reference), cases)
        own = None if quantized is None else _in_runtime("quantized model", Path(quantized), cases)
    host = _of_c("C on the host", run(folder, "host", inputs).outputs, generated.outputs)
    board = None
    target = target_named(on or str(read_report(folder).get("target", "host")))
    if target.name != "host" and board_cases:
        result = run(folder, target.name, [array[:board_cases] for array in inputs])
        board = _of_c(f"C on {result.board}", result.outputs, generated.outputs)
    computed = [each for each in (floats, own, host, board) if each is not None]
    for each in computed:
        _check_outputs(computed[0], each)

    layers: list[LayerComparison] = []
    if cases is not None and quantized is not None:
        layers = compare_layers(
            folder, cases, Path(quantized), None if reference is None else Path(reference)
        )
    return Validation(
        model=str(folder),
        lines=tuple(_line(each, computed[0], right) for each in computed),
        layers=tuple(layers),
        steps=None if own is None else count_steps(own.outputs, host.outputs, generated.outputs),
    )


def _labels(path: Path, name: str, cases: int) -> np.ndarray:
    labels = read_array(path, name)
    if labels.dtype.kind not in "iu" or labels.shape != (cases,):
        raise InputDataError(
            f"{path}: {name!r} is {labels.dtype} {list(labels.shape)}: expected one class, an integer, a case"
        )
    return labels


def _in_runtime(name: str, path: Path, cases: Sequence[Case]) -> _Computed:
    return _Computed(name, open_runtime(path.read_bytes(), model_format(path), exact=True).run(cases))


def _of_c(name: str, outputs: Sequence[np.ndarray], edges: Sequence[DeviceTensor]) -> _Computed:
    """Outputs of the device, dequantized where they are quantized."""
    return _Computed(name, [_real(array, edge) for array, edge in zip(outputs, edges, strict=True)])


def _real(array: np.ndarray, edge: DeviceTensor) -> np.ndarray:
    if edge.scale is None or array.dtype.kind == "f":
        return array
    offset = 128 if edge.dtype == np.int8 and array.dtype == np.uint8 else 0
    return ((array.astype(np.float32) - offset - edge.zero_point) * np.float32(edge.scale)).astype(np.float32)


def _check_outputs(first: _Computed, each: _Computed) -> None:
    """InputDataError where two lines are no two ways to compute the same."""
    sizes = [[array[0].size for array in line.outputs] for line in (first, each)]
    if sizes[0] != sizes[1]:
        raise InputDataError(
            f"the {each.name} has outputs of {sizes[1]} numbers, the {first.name} of {sizes[0]}: "
            "they are not the same model"
        )


def _line(each: _Computed, first: _Computed, labels: np.ndarray | None) -> Line:
    count = len(each.outputs[0])
    expected = [
        array[:count].reshape(found.shape) for array, found in zip(first.outputs, each.outputs, strict=True)
    ]
    return Line(
        name=each.name,
        cases=count,
        accuracy=None if labels is None else float((top_one(each.outputs[0]) == labels[:count]).mean()),
        agreement=None if each is first else agreement(expected[0], each.outputs[0]),
        decibels=None if each is first else signal_to_noise(expected, each.outputs),
    )
