"""Layer by layer: a float model, its quantized one, and the operators of the C.

The C does not know what the file calls its layers. So an operator's result is found again by its content: it
is that quantized tensor of as many elements which it is nearest to. What is near to none is told of as well,
for that is where import or kernels go wrong.
"""

from collections.abc import Iterable, Iterator, Sequence
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

MOST_CASES = 8
# Mean difference, in steps, beyond which two tensors are not the same one: rounding alone stays far below.
NEAR = 16


@dataclass(frozen=True)
class LayerComparison:
    """One tensor.

    layer: its name in the file; None for an operator whose result is near to no tensor of the file.
    operator: the operator of the C that computes it; None for what another operator does along with its own.
    quantized, c: signal-to-noise ratio in decibels of the quantized model's and of the C's, the float model
        being right; None where that is not known.
    largest_step: of the C's differences from the quantized model's; None where one of both lacks it.
    """

    layer: str | None
    operator: str | None
    quantized: float | None
    c: float | None
    largest_step: int | None


def compare_layers(
    folder: Path, cases: Sequence[Case], quantized: Path, reference: Path | None
) -> list[LayerComparison]:
    """All quantized layers of a file, in its order, and operators of the C that are none of them."""
    cases = cases[:MOST_CASES]
    content, kind = quantized.read_bytes(), model_format(quantized)
    found = scales(content, kind)
    own = _tensors(content, kind, found, cases)
    right = {}
    if reference is not None:
        right = _tensors(reference.read_bytes(), model_format(reference), found, cases)
        for layer, scaled in factors_in(content, kind).items():
            if layer in right:
                right[layer] = scaled.applied(right[layer])
    result = run(folder, "host", [np.stack(column) for column in zip(*cases, strict=True)], trace=True)
    operators = [operator.name for operator in read_folder(folder).operators]
    assert result.layers is not None
    computed = {name: np.stack(layers) for name, *layers in zip(operators, *result.layers, strict=True)}

    matches = {}
    for operator, integers in computed.items():
        candidates = {name: values for name, values in own.items() if name not in matches}
        name = _nearest(integers, candidates, found)
        if name is not None:
            matches[name] = operator
    compared = [
        _comparison(name, matches.get(name), own, right, computed, found)
        for name in own
        if name in right or name in matches
    ]
    lost = [operator for operator in computed if operator not in matches.values()]
    return compared + [LayerComparison(None, operator, None, None, None) for operator in lost]


def _tensors(content: bytes, kind: str, names: Iterable[str], cases: Sequence[Case]) -> dict[str, np.ndarray]:
    """Tensors by name, [cases, *shape], as real numbers; those that the model has."""
    runtime = open_runtime(content, kind, names, exact=True)
    rows = [runtime.tensors(case) for case in cases]
    return {name: np.stack([row[name] for row in rows]) for name in names if name in rows[0]}


def _nearest(
    integers: np.ndarray, candidates: dict[str, np.ndarray], found: dict[str, tuple[float, int]]
) -> str | None:
    distances = {
        name: min(_distances(integers, values, *found[name]))
        for name, values in candidates.items()
        if values.size == integers.size
    }
    name = min(distances, key=distances.__getitem__, default=None)
    return name if name is not None and distances[name] < NEAR else None


def _distances(integers: np.ndarray, values: np.ndarray, scale: float, zero_point: int) -> Iterator[float]:
    """Mean differences in steps, for each order of axes that the device may have."""
    for arranged in _arrangements(values):
        steps = arranged.reshape(integers.shape) / scale + zero_point
        yield float(np.abs(steps - integers).mean())


def _arrangements(values: np.ndarray) -> Iterator[np.ndarray]:
    """As in the file, and channels last of a file that has them first."""
    yield values
    if values.ndim > 3:
        yield np.moveaxis(values, 2, -1)


def _comparison(
    name: str,
    operator: str | None,
    own: dict[str, np.ndarray],
    right: dict[str, np.ndarray],
    computed: dict[str, np.ndarray],
    found: dict[str, tuple[float, int]],
) -> LayerComparison:
    scale, zero_point = found[name]
    reference = right.get(name)
    quantized = None if reference is None else _decibels(reference, own[name])
    if operator is None:
        return LayerComparison(name, None, quantized, None, None)
    real = ((computed[operator].astype(np.float64) - zero_point) * scale).reshape(len(own[name]), -1)
    order = min(
        _arrangements(own[name]), key=lambda values: float(np.abs(values.reshape(real.shape) - real).sum())
    )
    largest = int(np.rint(np.abs(order.reshape(real.shape) - real) / scale).max())
    c = None
    if reference is not None:
        c = max(_decibels(values.reshape(real.shape), real) for values in _arrangements(reference))
    return LayerComparison(name, operator, quantized, c, largest)


def _decibels(right: np.ndarray, found: np.ndarray) -> float:
    ratio = SignalToNoise()
    ratio.add(right, found)
    return ratio.decibels
