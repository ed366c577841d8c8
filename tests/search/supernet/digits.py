"""A small space on scikit-learn's digits, and its supernet."""

from pathlib import Path

import numpy as np
import torch

from tests.search.digits import digits
from tinycc.search.batches import Batches
from tinycc.search.data import Dataset
from tinycc.search.space import Space, Stage
from tinycc.search.supernet.network import Supernet
from tinycc.search.supernet.training import SupernetOptions, train_supernet

STAGES = (
    Stage(8, (1, 1), (1, 2), ((3, 3), (5, 5)), (1, 2), (0.5, 1.0)),
    Stage(16, (2, 2), (1, 2), ((3, 3),), (2,), (0.5, 1.0)),
)
SPACE = Space(((6, 6), (8, 8)), 1, 8, (3, 3), (1, 1), STAGES, 0, 10, divisor=4)


def batches(count: int) -> Batches:
    """So many digits to train with."""
    train, _, _ = digits()
    return batches_of(train.part(np.arange(count)))


def batches_of(cases: Dataset) -> Batches:
    """Digits as all networks of these tests read them."""
    return Batches(cases, digits()[2], torch.device("cpu"))


def trained(options: SupernetOptions, count: int, path: Path | None = None) -> Supernet:
    """A supernet from the same weights each time."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(0)
    return train_supernet(Supernet(SPACE), batches(count), options, path=path)
