"""Channels of a tensor brought to one range, by factors that the layers around it take into their weights.

A tensor has one scale for all its channels, so that a channel of small numbers is left with few of the 256.
Where just one layer reads it, the layer before can give larger numbers in such a channel and the layer behind
can divide its weights for it; a ReLU in between does not mind, a ReLU6 only beyond what calibration has seen.
Weights have a scale for each output channel: to the layer before, and to a depthwise layer behind, factors
cost nothing. In the rows of another layer they spread the weights, so that less of them is taken, and only
before and behind depthwise layers: between others it cost more than it gave (1 dB of ResNet-8).

Source: Nagel et al., "Data-Free Quantization through Weight Equalization and Bias Correction", 2019.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinycc.quantization.calibration import Case
from tinycc.quantization.extra import library
from tinycc.quantization.runtime import open_runtime
from tinycc.quantization.tflite_edits import metadata, read_object

# What the factors are called among a file's metadata.
FACTORS = "tinycc.channel_factors"
# Powers of the factor that brings a channel to the whole range, by whether the layer behind is depthwise.
EXPONENTS = {True: 1.0, False: 0.25}
# Channels of less than this share of the range are taken for dead.
DEAD = 1e-6


@dataclass(frozen=True)
class Pair:
    """A tensor that one layer makes and one layer reads.

    axis: of its channels. is_depthwise: whether the layer that reads it has one filter a channel.
    """

    tensor: str
    axis: int
    is_depthwise: bool


@dataclass(frozen=True, eq=False)
class Scaled:
    """Factors that are in a file's weights, [channels]; axis: of the tensor's channels."""

    axis: int
    factors: np.ndarray

    def applied(self, values: np.ndarray) -> np.ndarray:
        """What the float model has, [cases, *shape], with the factors."""
        return values * along(self.factors, self.axis + 1, values.ndim)


def channel_factors(
    content: bytes, kind: str, pairs: Sequence[Pair], cases: Sequence[Case]
) -> dict[str, np.ndarray]:
    """For each pair's tensor what its channels are to be multiplied by, [channels], at least 1."""
    runtime = open_runtime(content, kind, [pair.tensor for pair in pairs])
    largest: dict[str, np.ndarray] = {}
    for case in cases:
        tensors = runtime.tensors(case)
        for pair in pairs:
            found = np.abs(np.moveaxis(tensors[pair.tensor], pair.axis, -1))
            channels = found.reshape(-1, found.shape[-1]).max(axis=0)
            largest[pair.tensor] = np.maximum(largest.get(pair.tensor, channels), channels)
    return {pair.tensor: _factors(largest[pair.tensor], EXPONENTS[pair.is_depthwise]) for pair in pairs}


def _factors(largest: np.ndarray, exponent: float) -> np.ndarray:
    whole = largest.max()
    if not whole:
        return np.ones_like(largest)
    alive = np.where(largest > DEAD * whole, largest, whole)
    return np.power(whole / alive, exponent)


def along(factors: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """Factors in a shape that multiplies an array of this rank along an axis."""
    shape = [1] * rank
    shape[axis] = -1
    return factors.reshape(shape)


def dump_factors(pairs: Sequence[Pair], factors: Mapping[str, np.ndarray]) -> str:
    """Text that is kept in the file, so that its tensors can be compared with those of the float model."""
    return json.dumps({pair.tensor: [pair.axis, factors[pair.tensor].tolist()] for pair in pairs})


def factors_in(content: bytes, kind: str) -> dict[str, Scaled]:
    """The factors that a file's tensors have in them, by the tensor's name."""
    if kind == "tflite":
        text = metadata(read_object(content), FACTORS)
    else:
        entries = library("onnx").load_model_from_string(content).metadata_props
        text = next((entry.value for entry in entries if entry.key == FACTORS), None)
    stored = json.loads(text or "{}")
    return {name: Scaled(axis, np.asarray(values, np.float32)) for name, (axis, values) in stored.items()}
