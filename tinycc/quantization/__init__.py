"""Quantization: a float model becomes an int8 one of the same format.

The library of each format does it; what stands here is data, choices and measurements around them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, overload

from tinycc.errors import UnsupportedError
from tinycc.frontend.load import is_torch_module, model_format
from tinycc.output_file import new_file
from tinycc.quantization import torch_module
from tinycc.quantization.calibration import CalibrationData, read_cases
from tinycc.quantization.float_model import Choice, FloatModel, Precision, Progress, Weights
from tinycc.quantization.onnx_model import OnnxModel
from tinycc.quantization.preprocessing import Preprocessing
from tinycc.quantization.ranges import calibrate
from tinycc.quantization.raw_input import raw_input
from tinycc.quantization.reference import Reference
from tinycc.quantization.sensitivity import LayerLoss, analyze, keep_fewest
from tinycc.quantization.tflite_model import TfliteModel

__all__ = ["LayerLoss", "Preprocessing", "QuantizedModel", "quantize"]


@dataclass(frozen=True)
class QuantizedModel:
    """An int8 model file.

    name: of the float model's file.
    kind: its format, "onnx" or "tflite".
    content: the file's bytes.
    choice: how it was quantized.
    notes: sentences for the user.
    losses: what each layer loses, where that was asked for.
    """

    name: str
    kind: str
    content: bytes
    choice: Choice
    notes: tuple[str, ...]
    losses: tuple[LayerLoss, ...] = ()

    @property
    def keeps_float(self) -> bool:
        """Whether layers stay in float."""
        return "float" in self.choice.keep.values()

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all. Raises OutputError, UnsupportedError for another ending."""
        if Path(path).suffix.lower() != f".{self.kind}":
            raise UnsupportedError(f"{path}: the model is {self.kind}: give a name that ends in .{self.kind}")
        with new_file(Path(path)) as place:
            place.write_bytes(self.content)


@overload
def quantize(
    model: str | Path,
    calibration: CalibrationData,
    *,
    preprocessing: Preprocessing | None = None,
    range: str = "min-max",
    keep: Mapping[str, Precision] | Literal["auto"] | None = None,
    at_least: float = 0.99,
    equalize: bool = False,
    analysis: bool = False,
    weights: Weights = "int8",
    progress: Progress | None = None,
) -> QuantizedModel: ...


@overload
def quantize(
    model: Any,
    calibration: Any,
    *,
    example_inputs: Any = None,
    preprocessing: Preprocessing | None = None,
    range: str = "min-max",
    keep: Mapping[str, Precision] | None = None,
    weights: Weights = "int8",
) -> Any: ...


def quantize(
    model: Any,
    calibration: Any,
    *,
    example_inputs: Any = None,
    range: str = "min-max",
    keep: Mapping[str, Precision] | Literal["auto"] | None = None,
    weights: Weights = "int8",
    **options: Any,
) -> Any:
    """Quantize a float model to int8, weights to int8 or int4 by channel.

    model: a float .onnx or .tflite file, or a torch module.
    calibration: an .npz file of arrays in0, in1, ..., a folder of images or of wavs, an array of cases, or an
        iterable of cases; see `calibration.read_cases`. Of a torch module cases like `example_inputs`, or
        batches of them; see `pt2e.quantize_program`.
    example_inputs: of a torch module, a tensor or a tuple of them that have the inputs' shapes (batch 1).
    range: how ranges of activations are found: "min-max", "moving-average", "percentile", "entropy" (ONNX),
        "mse" (TFLite, of weights; torch), or "auto" (files): the one with the best signal-to-noise ratio of
        the outputs on the calibration data.
    keep: layers that stay "float" or become "int16", by the name of their result, of a torch module that of
        the submodule; "int8" is for layers that have such weights where others have int4. "auto" (files)
        keeps the fewest in float, or in int8 where weights are int4, with which the largest output stands at
        the same place as the float model's in `at_least` (a share) of the calibration data.
    weights: "int8", or "int4" for layers to which the library can give that: convolutions and dense layers,
        in TFLite without depthwise ones. The scale is one for each channel.

    For files alone:

    preprocessing: what makes inputs of raw data. Where these are pixels, the int8 model takes them as they
        are, as uint8, if its input's scale and zero point can stand for the preprocessing.
    at_least: see `keep`; 0.99 by default.
    equalize: bring channels before and behind depthwise convolutions to one range, see `equalization`.
    analysis: also measure what each layer loses.
    progress: shows how far the work is.

    Returns a QuantizedModel for a file, a torch.export.ExportedProgram for a torch module.

    Raises ModelError, UnsupportedError, InputDataError, ToolError (a library is missing).
    """
    if weights not in get_args(Weights):
        raise UnsupportedError(f"weights {weights!r} are not known, only {', '.join(get_args(Weights))}")
    if weights == "int8" and keep and keep != "auto" and "int8" in keep.values():
        raise UnsupportedError("keep: int8 is for layers whose weights would be int4, and here none are")
    if is_torch_module(model):
        given = [name for name, value in options.items() if value]
        if given:
            raise UnsupportedError(f"{given[0]} is for files: quantize a torch module without it")
        return torch_module.quantized_program(model, calibration, example_inputs, range, keep, weights)
    if example_inputs is not None:
        raise UnsupportedError("example_inputs belong to a torch module: a file says its inputs' shapes")
    return _quantized_file(Path(model), calibration, range=range, keep=keep, weights=weights, **options)


def _quantized_file(
    path: Path,
    calibration: CalibrationData,
    *,
    preprocessing: Preprocessing | None = None,
    range: str = "min-max",
    keep: Mapping[str, Precision] | Literal["auto"] | None = None,
    weights: Weights = "int8",
    at_least: float = 0.99,
    equalize: bool = False,
    analysis: bool = False,
    progress: Progress | None = None,
) -> QuantizedModel:
    """See `quantize`."""
    prepared = _open(path)
    if weights == "int4" and not any(prepared.narrowable.values()):
        raise UnsupportedError(
            f"{path} has no layer whose weights could be int4: quantize it with int8 weights"
        )
    data = read_cases(calibration, prepared.inputs, preprocessing or Preprocessing())
    notes = []
    kept = {} if keep is None or keep == "auto" else keep
    named = {prepared.layer_named(name): precision for name, precision in kept.items()}
    choice = Choice(range, named, weights=weights)
    if data.are_pixels and len(prepared.inputs) == 1:
        try:
            raw = raw_input(preprocessing or Preprocessing())
            choice = replace(choice, raw=raw)
            notes.append(raw.description)
        except UnsupportedError as error:
            notes.append(f"the input takes preprocessed numbers: {error}")
    reference = Reference(prepared, data.cases)
    if equalize:
        count = prepared.equalize(data.cases)
        notes.append(f"channels of {count} tensors around depthwise convolutions have one range")
    shown = progress or _silent
    choice, tried = calibrate(prepared, data.cases, choice, reference, shown)
    notes += [f"ranges by {method}: {decibels:.1f} dB" for method, decibels in tried.items()]
    if keep == "auto":
        choice = keep_fewest(prepared, choice, reference, at_least, shown)
        kept_in = "float" if weights == "int8" else "int8"
        notes.append(f"kept in {kept_in}: {', '.join(choice.keep) or 'no layer'}")
    if weights == "int4":
        notes.append(_told_weights(prepared, choice))
    losses = tuple(analyze(prepared, choice, reference, shown)) if analysis else ()
    return QuantizedModel(path.name, prepared.kind, prepared.quantized(choice), choice, tuple(notes), losses)


def _told_weights(model: FloatModel, choice: Choice) -> str:
    """How many layers have int4 weights, and which the library does not give them."""
    narrow = [layer for layer, can in model.narrowable.items() if can and choice.is_narrow(layer)]
    others = [layer for layer, can in model.narrowable.items() if not can and choice.is_narrow(layer)]
    exceptions = f"; the library leaves {', '.join(others)} in int8" if others else ""
    return f"int4 weights in {len(narrow)} of {len(model.narrowable)} layers with weights{exceptions}"


def _open(path: Path) -> FloatModel:
    return OnnxModel(path) if model_format(path) == "onnx" else TfliteModel(path)


def _silent(items: Sequence[Any], _description: str) -> Iterable[Any]:
    return items
