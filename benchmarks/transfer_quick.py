"""Transfer within seconds: a small network that knows some patterns learns others. It needs no files."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

from benchmarks.int4_training import train
from benchmarks.transfer_images import Block, quantized, unit
from benchmarks.transfer_task import Task
from tinycc.training.simulation import Data

SIZE = 16
# How many periods the waves of each class have. Those to be learned fall as the known ones rise.
KNOWN, NEW = (1, 3, 5), (6, 4, 2)


def task(device: str) -> Task:
    """Waves of odd numbers of periods are known, of even ones to be learned."""
    torch.manual_seed(0)
    knowing = nn.Sequential(
        *unit(1, 8, 3, 2), Block(8, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, len(KNOWN))
    )
    known, labels = waves(480, KNOWN, seed=0)
    train(knowing.train(), (torch.from_numpy(known), torch.from_numpy(labels)), epochs=10, rate=1e-2)
    floating = fuse(knowing.eval())
    learning, choosing, testing = (
        Data([inputs], targets) for inputs, targets in (waves(120, NEW, seed) for seed in (1, 2, 3))
    )
    return Task(
        floating, quantized(floating, torch.from_numpy(known)), learning, choosing, testing,
        rates=(0.03, 0.1), rates_of_parts=(0.1,), batch=8, epochs=2,
        contributions={"seeds": (0,), "shares": (1.0,), "epochs": 1}, seeds=(0, 1), device=device,
    )  # fmt: skip


def waves(count: int, periods: Sequence[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images, float32 [count, 1, SIZE, SIZE], and their classes, the places in `periods`: int64 [count]."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, len(periods), count)
    places = np.arange(SIZE) * 2 * np.pi / SIZE
    rows, columns = (
        np.sin(places * np.array(periods)[labels, None] + random.uniform(0, 2 * np.pi, (count, 1)))
        for _ in range(2)
    )
    noise = random.normal(0, 0.3, (count, SIZE, SIZE))
    images = 0.5 * (rows[:, :, None] + columns[:, None, :]) + noise
    return images[:, None].astype(np.float32), labels
