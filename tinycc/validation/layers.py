"""Layer by layer: a float model, its quantized one, and the operators of the C.

What is near to no tensor of the file is told of as well, for that is where import or kernels go wrong.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinycc.frontend.load import model_format
from tinycc.quantization.calibration import Case
from tinycc.quantization.equalization import factors_in
from tinycc.quantization.runtime import open_runtime, scales
from tinycc.quantization.signal import SignalToNoise
from tinycc.run import run
from tinycc.run.folder import read_folder
from tinycc.validation.isolation import isolated_layers
from tinycc.validation.matching import Computed, match_layers

MOST_CASES = 8


@dataclass(frozen=True)
class LayerComparison:
    """One tensor.

    layer: its name in the file; None for an operator whose result is near to no tensor of the file.
    operator: the operator of the C that computes it; None for what another operator does along with its own.
    quantized, c: signal-to-noise ratio in decibels of the quantized model's and of the C's, the float model
        being right; None where that is not known.
    largest_step: of the C's differences from the quantized model's; None where one of both lacks it.
    alone: the same where the quantized model is given the C's integers of all layers before, so that nothing
        but this layer differs; None where its runtime can be given none (LiteRT).
    """

    layer: str | None
    operator: str | None
    quantized: float | None
    c: float | None
    largest_step: int | None
    alone: int | None


def compare_layers(
    folder: Path, cases: Sequence[Case], quantized: Path, reference: Path | None
) -> list[LayerComparison]:
    """All quantized layers of a file, in its order, and operators of the C that are none of them."""
    cases = cases[:MOST_CASES]
    content, kind = quantized.read_bytes(), model_format(quantized)
    found = scales(content, kind)
    own = tensors_of(content, kind, found, cases)
    right = {}
    if reference is not None:
        right = tensors_of(reference.read_bytes(), model_format(reference), found, cases)
        for layer, scaled in factors_in(content, kind).items():
            if layer in right:
                right[layer] = scaled.applied(right[layer])
    computed = results_of_c(folder, cases)
    matches = match_layers(computed, own, found)
    integers = {name: match.integers for name, match in matches.items()}
    alone = isolated_layers(content, cases, integers) if kind == "onnx" else {}
    compared = [
        LayerComparison(
            layer=name,
            operator=matches[name].operator if name in matches else None,
            quantized=_decibels(right.get(name), own[name]),
            c=_decibels(right.get(name), _real(integers.get(name), *found[name])),
            largest_step=_largest_step(integers.get(name), own[name], *found[name]),
            alone=_largest_step(integers.get(name), alone.get(name), *found[name]),
        )
        for name in own
        if name in right or name in matches
    ]
    operators = {match.operator for match in matches.values()}
    lost = [operator for operator in computed if operator not in operators]
    return compared + [LayerComparison(None, operator, None, None, None, None) for operator in lost]


def results_of_c(folder: Path, cases: Sequence[Case]) -> dict[str, Computed]:
    """What the operators of the C compute, in the order of execution."""
    result = run(folder, "host", [np.stack(column) for column in zip(*cases, strict=True)], trace=True)
    assert result.layers is not None
    results = {}
    for operator, *layers in zip(read_folder(folder).operators, *result.layers, strict=True):
        integers, zero_point = np.stack(layers), operator.zero_point
        if integers.dtype == np.uint8:
            integers = (integers.astype(np.int16) - 128).astype(np.int8)
            zero_point = None if zero_point is None else zero_point - 128
        results[operator.name] = Computed(integers, operator.scale, zero_point)
    return results


def tensors_of(
    content: bytes, kind: str, names: Iterable[str], cases: Sequence[Case]
) -> dict[str, np.ndarray]:
    """Tensors by name, [cases, *shape], as real numbers; those that the model has."""
    runtime = open_runtime(content, kind, names, exact=True)
    rows = [runtime.tensors(case) for case in cases]
    return {name: np.stack([row[name] for row in rows]) for name in names if name in rows[0]}


def _real(integers: np.ndarray | None, scale: float, zero_point: int) -> np.ndarray | None:
    return None if integers is None else (integers.astype(np.float64) - zero_point) * scale


def _largest_step(
    integers: np.ndarray | None, real: np.ndarray | None, scale: float, zero_point: int
) -> int | None:
    """The largest difference of integers from real numbers, once these are quantized."""
    if integers is None or real is None:
        return None
    limits = np.iinfo(integers.dtype)
    quantized = np.clip(np.rint(real / np.float32(scale)) + zero_point, limits.min, limits.max)
    return int(np.abs(quantized - integers).max())


def _decibels(right: np.ndarray | None, found: np.ndarray | None) -> float | None:
    if right is None or found is None:
        return None
    ratio = SignalToNoise()
    ratio.add(right, found)
    return ratio.decibels
