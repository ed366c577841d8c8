"""All networks of a supernet learn; training goes on where it was killed, and in processes that share it."""

import os
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path
from socket import socket

import numpy as np
import pytest

pytest.importorskip("torch", reason="the supernet needs the extra tinycc[search]")

import torch

from tests.search.digits import digits
from tests.search.supernet.digits import SPACE, batches, batches_of, trained
from tinycc.errors import TinyccError, TrainingError
from tinycc.search.space import Space, Stage
from tinycc.search.supernet.accuracy import SupernetAccuracy
from tinycc.search.supernet.network import Supernet
from tinycc.search.supernet.training import SupernetOptions, train_supernet

OPTIONS = SupernetOptions(1, 3, batch=32, parts=2)
CASES = 128


def equal(one: Supernet, other: Supernet, tolerance: float = 0.0) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.allclose(mine, its, rtol=0, atol=tolerance) for mine, its in pairs)


def forked(path: Path, environment: Mapping[str, str]) -> ForkProcess:
    """A process that trains as `OPTIONS` say, and keeps its state at the path."""

    def run() -> None:
        os.environ |= environment
        trained(OPTIONS, CASES, path)

    started = get_context("fork").Process(target=run)
    started.start()
    return started


def test_networks_that_were_trained_together_are_right_without_training() -> None:
    supernet = trained(SupernetOptions(3, 12, batch=64, rate=0.2), 1000)
    accuracy = SupernetAccuracy(supernet, batches(256), batches_of(digits()[1]))
    random = np.random.default_rng(1)
    found = accuracy([SPACE.largest(), SPACE.smallest(), *(SPACE.sampled(random) for _ in range(6))])
    assert found[0] > 0.85 and min(found) > 0.5


def test_an_architecture_is_measured_once() -> None:
    supernet = Supernet(SPACE)
    accuracy = SupernetAccuracy(supernet, batches(64), batches(64))
    genome = SPACE.smallest()
    # The last block is left out, so its kernel makes no difference.
    names = [gene.name for gene in SPACE.genes]
    other = list(genome)
    other[names.index("stage 0 block 1 kernel")] = 1
    known = accuracy([genome])
    with torch.no_grad():
        supernet.dense.weight.zero_()
    assert accuracy([tuple(other)]) == known


def test_training_that_is_killed_ends_as_one_that_is_not(tmp_path: Path) -> None:
    path = tmp_path / "supernet.pt"
    random = np.random.default_rng(0)
    for _ in range(4):
        running = forked(path, {})
        running.join(random.uniform(0.1, 0.6))
        running.kill()
        running.join()
    assert equal(trained(OPTIONS, CASES, path), trained(OPTIONS, CASES))


def test_two_processes_train_as_one_that_takes_the_same_halves(tmp_path: Path) -> None:
    with socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    paths = [tmp_path / f"{rank}.pt" for rank in range(2)]
    processes = [forked(path, shared | {"RANK": str(rank)}) for rank, path in enumerate(paths)]
    for running in processes:
        running.join()
    assert [running.exitcode for running in processes] == [0, 0]
    # The first keeps what both have trained.
    assert not paths[1].exists()
    assert equal(trained(OPTIONS, CASES, paths[0]), trained(OPTIONS, CASES))
    assert not equal(trained(OPTIONS, CASES), trained(replace(OPTIONS, parts=1), CASES), tolerance=1e-3)


def test_a_checkpoint_that_is_damaged_or_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "supernet.pt"
    quick = SupernetOptions(1, 0, batch=64)
    trained(quick, 64, path)
    with pytest.raises(TrainingError, match="is the checkpoint of a training with other options"):
        trained(SupernetOptions(1, 1, batch=64), 64, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="is no readable checkpoint: remove it"):
        trained(quick, 64, path)


def test_what_cannot_be_trained() -> None:
    stage = Stage(8, (1, 1), (1,), ((3, 3),), (2,))
    rigid = Space(((8, 8),), 1, 8, (3, 3), (1, 1), (stage,), 0, 10)
    with pytest.raises(TinyccError, match="the space has one network"):
        train_supernet(Supernet(rigid), batches(64))
    with pytest.raises(TrainingError, match="a batch of 65 in 1 parts cannot be had of 64 cases"):
        train_supernet(Supernet(SPACE), batches(64), SupernetOptions(batch=65))
