"""How each layer of the C rounds, next to onnxruntime on the same integers."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinycc.compiler import CompiledModel
from tinycc.ops.base import Operator
from tinycc.ops.linear import Linear
from tinycc.ops.matmul import ROOM as MATMUL
from tinycc.ops.multiply import ROOM as MULTIPLY
from tinycc.quantization.calibration import Case
from tinycc.quantization.runtime import scales
from tinycc.validation.isolation import isolated_layers
from tinycc.validation.layers import results_of_c, tensors_of
from tinycc.validation.matching import match_layers

# In steps: what integers of many fraction bits, and float32, leave before the last rounding.
FINE = 1e-3


@dataclass(frozen=True)
class Rounding:
    """An operator of the C whose result the file has, too.

    error: how far an integer of it is from the real number that onnxruntime has before it rounds, at most.
    allowed: what docs/numerics.md derives for it.
    steps: how many integers differ by 0, 1, ... steps from onnxruntime's.
    """

    error: float
    allowed: float
    steps: tuple[int, ...]


def roundings(compiled: CompiledModel, content: bytes, cases: Sequence[Case]) -> dict[str, Rounding]:
    """By operator, of a model that was compiled from a QDQ file of this content."""
    found = scales(content, "onnx")
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        compiled.export(folder)
        matches = match_layers(results_of_c(folder, cases), tensors_of(content, "onnx", found, cases), found)
    alone = isolated_layers(content, cases, {name: match.integers for name, match in matches.items()})
    operators = {step.name: step.operator for step in compiled.plan.steps}
    rounded = {}
    for name, match in matches.items():
        scale, zero_point = found[name]
        limits = np.iinfo(match.integers.dtype)
        real = np.clip(alone[name] / np.float32(scale) + zero_point, limits.min, limits.max)
        steps = np.abs(np.rint(real) - match.integers).astype(int).ravel()
        rounded[match.operator] = Rounding(
            float(np.abs(match.integers - real).max()),
            0.5 + _before_rounding(operators[match.operator]),
            tuple(np.bincount(steps).tolist()),
        )
    return rounded


def _before_rounding(operator: Operator) -> float:
    """In steps of the result: a sum that is rounded twice is off by at most one of its units at first."""
    if isinstance(operator, Linear):
        return float(operator.requantized.multipliers.max()) + FINE
    if isinstance(operator, MATMUL.view | MULTIPLY.view):
        a, b, output = (*operator.inputs, *operator.outputs)
        return a.real_scale * b.real_scale / output.real_scale + FINE
    return FINE
