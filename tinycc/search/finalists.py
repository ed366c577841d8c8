"""Networks between which the supernet cannot decide are trained alone, and decided between by that.

Held-out cases tell accuracies apart by some standard errors only, and weights that a network shares with all
others are not those that it would have alone. So the most accurate networks, as far as the supernet can tell,
are divided by how much they compute, and the best of each part is trained.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from tinycc.search.batches import Batches, accuracy
from tinycc.search.data import Dataset
from tinycc.search.front import Candidate
from tinycc.search.normalization import normalization_of
from tinycc.search.retraining import Progress, TrainingOptions, trained
from tinycc.search.search_file import SearchFile
from tinycc.search.space import Space

# Standard errors of the best accuracy by which another one may be less.
_MARGIN = 2.0


@dataclass(frozen=True)
class Finalist:
    """A network that was trained alone. accuracy: the share of held-out cases that it then got right."""

    candidate: Candidate
    accuracy: float


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The most accurate first, as the supernet says; of equally accurate ones the quickest."""
    return sorted(candidates, key=lambda item: (-item.accuracy, item.cost.instructions))


def finalists(candidates: Sequence[Candidate], cases: int, count: int) -> list[Candidate]:
    """So many networks to be trained, that of the highest accuracy among them; fewer where there are no more.

    cases: by which accuracies were found.
    """
    order = ranked(candidates)
    best = order[0].accuracy
    least = best - _MARGIN * math.sqrt(best * (1 - best) / cases)
    near = [item for place, item in enumerate(order) if place < count or item.accuracy >= least]
    near.sort(key=lambda item: (item.cost.macs, item.genome))
    parts = min(count, len(near))
    bounds = [len(near) * part // parts for part in range(parts + 1)]
    return [ranked(near[first:last])[0] for first, last in pairwise(bounds)]


def trained_finalists(
    space: Space,
    candidates: Sequence[Candidate],
    learned: Dataset,
    held_out: Dataset,
    training: TrainingOptions,
    *,
    seed: int = 0,
    device: str = "cpu",
    path: Path | None = None,
    progress: Progress = lambda items, _: items,
) -> list[Finalist]:
    """Each candidate trained with the cases to learn from, and how many of the others it is right on.

    path: where accuracies are kept, and gone on from; a training that was broken off is kept beside it.
    """
    known: list[float] = []

    def resume(state: dict[str, Any]) -> None:
        known.extend(map(float, state["accuracies"]))

    setup = {
        "candidates": [item.genome for item in candidates],
        "space": asdict(space),
        "training": training.identity(),
        "data": [len(learned), len(held_out)],
        "seed": seed,
    }
    file = SearchFile(path, setup)
    file.load(resume)
    for place in progress(range(len(known), len(candidates)), "training alone"):
        architecture = space.architecture(candidates[place].genome)
        size = architecture.input_shape[:2]
        near, far = learned.resized(size), held_out.resized(size)
        normalization = normalization_of(near)
        network = trained(
            architecture, near, normalization, training,
            seed=seed, device=device, path=None if path is None else path.with_suffix(f".{place}.pt"),
        )  # fmt: skip
        known.append(accuracy(network, Batches(far, normalization, torch.device("cpu"))))
        file.save({"accuracies": known})
    return [Finalist(item, share) for item, share in zip(candidates, known, strict=True)]
