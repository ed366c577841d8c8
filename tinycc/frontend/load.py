"""Choosing the frontend for what the user gives."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tvm

from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.description import ModelDescription
from tinycc.frontend.onnx import load_onnx
from tinycc.frontend.onnx.description import describe_onnx
from tinycc.frontend.tflite import load_tflite
from tinycc.frontend.tflite.description import describe_tflite


def model_format(path: Path) -> str:
    """The format by the file's ending, "tflite" or "onnx"; ModelError where the file cannot be read."""
    if not path.exists():
        raise ModelError(f"{path} does not exist")
    if not path.is_file():
        raise ModelError(f"{path} is not a file")
    suffix = path.suffix.lower()
    if suffix not in (".tflite", ".onnx"):
        raise UnsupportedError(
            f"{path}: the ending {suffix or 'of the name'} is not known: give a .tflite or .onnx file"
        )
    return suffix[1:]


def describe_model(path: Path) -> ModelDescription:
    """What a model file holds, supported or not."""
    return describe_tflite(path) if model_format(path) == "tflite" else describe_onnx(path)


def load_model(
    model: str | Path | tvm.IRModule | Any,
    allow_float: bool = False,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> tvm.IRModule:
    """A model file or a torch.export program as a module in the normal form; a Relax module as it is.

    allow_float: whether layers that are not quantized stay as they are; otherwise they are refused.
    shapes: of inputs by name, where an ONNX file leaves them open.
    """
    is_file = isinstance(model, str | Path)
    if shapes and not (is_file and model_format(Path(model)) == "onnx"):
        raise UnsupportedError("--shape is for ONNX files; the shapes of other models are what they are")
    if isinstance(model, tvm.IRModule):
        return model
    if isinstance(model, str | Path):
        path = Path(model)
        if model_format(path) == "tflite":
            return load_tflite(path, allow_float)
        return load_onnx(path, allow_float, shapes)
    if type(model).__module__.startswith("torch.export"):
        from tinycc.frontend.torch import load_torch

        return load_torch(model, allow_float)
    if is_torch_module(model):
        raise UnsupportedError(
            f"the torch module {type(model).__name__} needs example_inputs, and calibration to be quantized"
        )
    raise UnsupportedError(
        f"cannot compile a {type(model).__name__}: give a path, a Relax module or a torch.export program"
    )


def is_torch_module(model: object) -> bool:
    """Whether a model is a torch.nn.Module; only who has one has imported torch."""
    return any(
        kind.__name__ == "Module" and kind.__module__ == "torch.nn.modules.module"
        for kind in type(model).__mro__
    )
