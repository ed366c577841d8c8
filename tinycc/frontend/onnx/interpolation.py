"""Resize as sums of elements along one axis after the other; what is no such sum is a gathering of elements.

Source: https://onnx.ai/onnx/operators/onnx__Resize.html, of which each attribute is here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Taps:
    """What each output along an axis is made of.

    places: int64 [taps, outputs], of elements of the input. weights: float32 alike.
    is_outside: bool [outputs], which are the value of extrapolation instead.
    """

    places: np.ndarray
    weights: np.ndarray
    is_outside: np.ndarray


@dataclass(frozen=True)
class Axis:
    """An axis that is resized, of `size` elements to `count`, by `scale`, which count / size rounds.

    roi: where the region begins and ends that tf_crop_and_resize takes, as parts of the axis.
    """

    size: int
    count: int
    scale: float
    roi: tuple[float, float] = (0.0, 1.0)

    def positions(self, mode: str) -> np.ndarray:
        """Where in the input each output lies, float64."""
        index = np.arange(self.count, dtype=np.float64)
        length = self.scale * self.size
        if mode == "align_corners":
            return index * (self.size - 1) / (length - 1) if length != 1 else np.zeros(self.count)
        if mode == "asymmetric":
            return index / self.scale
        if mode == "tf_crop_and_resize":
            begin, end = (bound * (self.size - 1) for bound in self.roi)
            middle = np.full(self.count, (end - begin) / 2)
            return begin + (index * (end - begin) / (length - 1) if length != 1 else middle)
        if mode == "pytorch_half_pixel" and length == 1:
            return np.full(self.count, -0.5)
        offset = self.size / 2 * (1 - self.count / length) if mode == "half_pixel_symmetric" else 0.0
        return offset + (index + 0.5) / self.scale - 0.5

    def taps(self, attributes: "Attributes") -> Taps:
        """The elements of each output, and their weights."""
        positions = self.positions(attributes.coordinates)
        is_cropped = attributes.coordinates == "tf_crop_and_resize"
        is_outside = is_cropped & ((positions < 0) | (positions > self.size - 1))
        if attributes.mode == "nearest":
            places = _nearest(positions, attributes.rounding)[np.newaxis]
            weights = np.ones(places.shape)
        else:
            places, weights = self._interpolated(positions, attributes)
        outside = (places < 0) | (places >= self.size)
        if attributes.exclude_outside:
            weights = np.where(outside, 0, weights)
            total = weights.sum(axis=0)
            weights = weights / np.where(total, total, 1)
        return Taps(places.clip(0, self.size - 1), weights.astype(np.float32), is_outside)

    def _interpolated(self, positions: np.ndarray, attributes: "Attributes") -> tuple[np.ndarray, np.ndarray]:
        """All elements within reach of the kernel, which is wider where a smaller scale is antialiased."""
        reach = 1 if attributes.mode == "linear" else 2
        narrowing = min(self.scale, 1.0) if attributes.antialias else 1.0
        first = np.floor(positions - reach / narrowing).astype(np.int64) + 1
        count = int(np.floor(2 * reach / narrowing)) + 1
        places = first + np.arange(count)[:, np.newaxis]
        distances = np.abs((places - positions) * narrowing)
        weights = _linear(distances) if attributes.mode == "linear" else _cubic(distances, attributes.cubic_a)
        used = (weights != 0).any(axis=1)
        places, weights = places[used], weights[used]
        return places, weights / weights.sum(axis=0)


@dataclass(frozen=True)
class Attributes:
    """The attributes of a Resize that say how an element is made."""

    mode: str
    coordinates: str
    rounding: str
    antialias: bool
    cubic_a: float
    exclude_outside: bool
    extrapolation_value: float

    @classmethod
    def of(cls, attributes: Any) -> "Attributes":
        """With ONNX's defaults."""
        texts = {
            name: bytes(attributes.get(name, default)).decode()
            for name, default in (
                ("mode", b"nearest"),
                ("coordinate_transformation_mode", b"half_pixel"),
                ("nearest_mode", b"round_prefer_floor"),
            )
        }
        return cls(
            texts["mode"],
            texts["coordinate_transformation_mode"],
            texts["nearest_mode"],
            bool(attributes.get("antialias", 0)),
            float(attributes.get("cubic_coeff_a", -0.75)),
            bool(attributes.get("exclude_outside", 0)),
            float(attributes.get("extrapolation_value", 0.0)),
        )


def _nearest(positions: np.ndarray, rounding: str) -> np.ndarray:
    """Of the integers beside each position the one that the mode prefers."""
    half = {"round_prefer_floor": np.ceil(positions - 0.5), "round_prefer_ceil": np.floor(positions + 0.5)}
    either = {"floor": np.floor(positions), "ceil": np.ceil(positions)}
    return {**half, **either}[rounding].astype(np.int64)


def _linear(distances: np.ndarray) -> np.ndarray:
    return np.maximum(1 - distances, 0)


def _cubic(distances: np.ndarray, a: float) -> np.ndarray:
    """Keys' kernel, of which `a` is the slope at 1."""
    near = ((a + 2) * distances - (a + 3)) * distances**2 + 1
    far = ((a * distances - 5 * a) * distances + 8 * a) * distances - 4 * a
    return np.where(distances <= 1, near, np.where(distances < 2, far, 0.0))
