"""A small space on scikit-learn's digits."""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

from tinycc.search.batches import Batches
from tinycc.search.data import Dataset
from tinycc.search.normalization import normalization_of
from tinycc.search.space import Space, Stage
from tinycc.search.supernet.network import Supernet
from tinycc.search.supernet.training import SupernetOptions, train_supernet

STAGES = (
    Stage(8, (1, 1), (1, 2), ((3, 3), (5, 5)), (1, 2), (0.5, 1.0)),
    Stage(16, (2, 2), (1, 2), ((3, 3),), (2,), (0.5, 1.0)),
)
SPACE = Space(((6, 6), (8, 8)), 1, 8, (3, 3), (1, 1), STAGES, 0, 10, divisor=4)


def batches(first: int, last: int) -> Batches:
    """Digits in a seed's order."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    known = Dataset(
        images.reshape(-1, 8, 8, 1).astype(np.float32), labels.astype(np.int64), tuple("0123456789")
    )
    return Batches(known.part(order[first:last]), normalization_of(known), torch.device("cpu"))


def trained(options: SupernetOptions, count: int, path: Path | None = None) -> Supernet:
    """A supernet from the same weights each time."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(0)
    return train_supernet(Supernet(SPACE), batches(0, count), options, path=path)
