"""Handwritten digits of 8x8 pixels, which scikit-learn brings along, and a small network for them."""

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits  # type: ignore[import-untyped]

from tinycc.search.architecture import Architecture, Convolution, Dense, Depthwise, Mean, Residual
from tinycc.search.augmentation import shifted
from tinycc.search.data import Dataset, split
from tinycc.search.network import Network
from tinycc.search.normalization import Normalization, normalization_of
from tinycc.search.quantized_training import quantized
from tinycc.search.retraining import TrainingOptions, trained

NETWORK = Architecture(
    (8, 8, 1),
    (
        Convolution((3, 3), 16),
        Convolution((1, 1), 32),
        Depthwise((3, 3)),
        Convolution((1, 1), 16, is_clamped=False),
        Residual(0),
        Mean(),
        Dense(10),
    ),
)


@cache
def digits() -> tuple[Dataset, Dataset, Normalization]:
    """To train with, to test with, and how their pixels, of 0 to 255, become an input."""
    data = load_digits()
    images = np.minimum(data.images * 16, 255).astype(np.uint8)[..., np.newaxis]
    whole = Dataset(images, data.target.astype(np.int64), tuple("0123456789"))
    train, test = split(whole, 0.3, seed=0)
    return train, test, normalization_of(train)


@cache
def trained_network() -> Network:
    """For tests that only read."""
    train, _, normalization = digits()
    return trained(NETWORK, train, normalization, TrainingOptions(epochs=3, batch=32, augmentation=shifted))


@cache
def quantized_network() -> torch.export.ExportedProgram:
    """For tests that only read."""
    train, _, normalization = digits()
    return quantized(trained_network(), train, normalization, TrainingOptions(1, 32, 0.005))
