"""Which space to search: the one whose networks within the constraints do most work.

Of networks that a board can hold those that compute more are more accurate, as a rule, so the distribution of
multiply-accumulates tells of a space how good its networks are, and no network is trained for it. Where only
one network in a hundred is allowed, a high mean says little of what a search finds: a space has to have a
share of allowed ones.

Source: search space optimization of TinyNAS (Lin et al., "MCUNet", 2020).
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np

from tinycc.errors import BudgetError
from tinycc.search.constraints import Constraints
from tinycc.search.space import Space

Progress = Callable[[Iterable[Any], str], Iterable[Any]]


@dataclass(frozen=True)
class Satisfying:
    """Networks of a space that keep within the constraints.

    draws: how many were drawn for them. macs: of each that is allowed, in the order drawn.
    """

    draws: int
    macs: tuple[int, ...]

    @property
    def acceptance(self) -> float:
        """The share of allowed ones."""
        return len(self.macs) / self.draws

    @property
    def mean_macs(self) -> float:
        """Of allowed ones; 0 where there are none."""
        return float(np.mean(self.macs)) if self.macs else 0.0


def satisfying(space: Space, constraints: Constraints, count: int, floor: float, seed: int = 0) -> Satisfying:
    """So many networks that are allowed, drawn at random.

    floor: the least acceptance. What has fewer is drawn no longer than it takes to know.
    """
    random, judge = np.random.default_rng(seed), constraints.judge()
    macs: list[int] = []
    draws = 0
    while len(macs) < count and draws * floor < count:
        cost = judge.allowed(space.architecture(space.sampled(random)))
        draws += 1
        macs += [] if cost is None else [cost.macs]
    return Satisfying(draws, tuple(macs))


def choose_space(
    spaces: Mapping[str, Space],
    constraints: Constraints,
    *,
    count: int = 1000,
    floor: float = 0.1,
    seed: int = 0,
    processes: int | None = None,
    progress: Progress = lambda items, _: items,
) -> tuple[str, dict[str, Satisfying]]:
    """The name of the best space, and what was drawn of each.

    count: networks that are allowed, of each space. floor: the least share of allowed ones; where no space
        has so many, that which has most is taken.
    processes: as many as there are cores where nothing is said.
    Raises BudgetError where nothing is allowed: it says what the smallest network costs.
    """
    names = list(spaces)
    workers = min(len(names), processes or os.cpu_count() or 1)
    arguments = [(spaces[name], constraints, count, floor, seed) for name in names]
    found = _in_processes(arguments, workers) if workers > 1 else (satisfying(*given) for given in arguments)
    drawn = dict(zip(names, progress(found, "drawing networks"), strict=True))
    enough = [name for name in names if drawn[name].acceptance >= floor]
    if enough:
        return max(enough, key=lambda name: drawn[name].mean_macs), drawn
    most = max(names, key=lambda name: drawn[name].acceptance)
    if drawn[most].macs:
        return most, drawn
    least = min(spaces.values(), key=lambda space: space.architecture(space.smallest()).weight_bytes)
    constraints.judge().check(least)
    draws = sum(item.draws for item in drawn.values())
    raise BudgetError(
        f"none of {draws:,} networks drawn from {len(names)} spaces keeps within the limits: give more room"
    )


def _in_processes(arguments: Sequence[tuple[Any, ...]], workers: int) -> Iterable[Satisfying]:
    # TVM's threads do not live through a fork.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(satisfying, *zip(*arguments, strict=True))
