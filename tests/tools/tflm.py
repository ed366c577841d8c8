"""TFLite Micro's own interpreter, whose reference kernels decide what a .tflite file computes."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

needs_tflm = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None,
    reason="tflite-micro is not installed (there are wheels for Linux on x86-64 alone)",
)
ARENA_BYTES = 4 << 20


def run_tflm(
    model: bytes | Path, cases: Sequence[NDArray[Any]], tensors: Sequence[int] | None = None
) -> list[NDArray[Any]]:
    """Outputs of TFLM's reference kernels: one array for each model output, with a leading axis of cases.

    cases: one array for each model input, with a leading axis of cases that the file's shape lacks. State
    goes from case to case. tensors: those of the file that are wanted, in place of its outputs.
    RuntimeError where TFLM refuses the model; why, it says on the standard error.
    """
    from tflite_micro import runtime

    content = model if isinstance(model, bytes) else model.read_bytes()
    interpreter = runtime.Interpreter.from_bytes(
        content, arena_size=ARENA_BYTES, intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors
    )
    if tensors is None:
        tensors = tflite.Model.GetRootAs(content, 0).Subgraphs(0).OutputsAsNumpy().tolist()
    results: list[list[NDArray[Any]]] = [[] for _ in tensors]
    for case in zip(*cases, strict=True):
        for index, value in enumerate(case):
            interpreter.set_input(value, index)
        interpreter.invoke()
        for index, result in zip(tensors, results, strict=True):
            result.append(interpreter.GetTensor(index, 0)["tensor_data"].copy())
    return [np.stack(result) for result in results]
