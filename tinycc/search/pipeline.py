"""The whole line, from labelled data and the limits of a board to firmware.

A space is chosen by what its networks within the limits compute, its supernet is trained, networks are
searched for in it by their accuracy on cases held out of training, some of the best are trained alone to see
which is better, and that is trained anew from all cases, quantized and compiled. Each part is kept in a
folder of its own, and a run that was broken off goes on there. Cases to test with are looked at once, in the
end.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch

from tinycc.errors import BudgetError
from tinycc.search.batches import Batches, device_named
from tinycc.search.before_training import (
    FINALISTS,
    NETWORK,
    SEARCH,
    SPACE,
    SUPERNET,
    check_folders,
    check_learned,
    check_spaces,
)
from tinycc.search.constraints import Constraints
from tinycc.search.data import Data, Dataset, check_trainable, split
from tinycc.search.evolution import EvolutionOptions, evolve
from tinycc.search.finalists import Finalist, finalists, ranked, trained_finalists
from tinycc.search.front import Candidate, search_front
from tinycc.search.hand_off import HandOff, handed_off
from tinycc.search.normalization import normalization_of
from tinycc.search.quantized_training import QUANTIZED_TRAINING
from tinycc.search.retraining import TrainingOptions
from tinycc.search.satisfying import Satisfying, choose_space
from tinycc.search.search_file import SearchFile
from tinycc.search.space import Space
from tinycc.search.supernet.accuracy import SupernetAccuracy
from tinycc.search.supernet.network import Supernet
from tinycc.search.supernet.training import SupernetOptions, train_supernet

# What is shown while it is done.
Progress: TypeAlias = Callable[[Any, str], Iterable[Any]]
Method: TypeAlias = Literal["evolution", "front", "random"]

# Cases to choose networks by are this share of those to train with, but no more than so many.
_HELD_OUT, _MOST_HELD_OUT = 0.1, 5000
# Of cases that no one gave to test with.
_TESTED = 0.15
# Cases for statistics of batch norms.
_CALIBRATION = 1024
# Networks that are trained, at most, until one keeps within the limits with its weights.
_MOST_TRAINED = 3


@dataclass(frozen=True)
class SearchOptions:
    """What is searched, and how far.

    method: "evolution" within the limits, the "front" of NSGA-II, or networks drawn at "random", as many.
    drawn, least_share: networks that a space is judged by, and the share of allowed ones that it has to have.
    finalists: networks that are trained alone before one is chosen; with 1 the supernet alone decides.
    training, quantized: of the network that is found, in float32 and then in int8.
        The augmentation of the first is that of all.
    finalist_training: None for that of the network that is found.
    processes: that draw networks of spaces; None for one on each core.
    """

    constraints: Constraints
    method: Method = "evolution"
    drawn: int = 100
    least_share: float = 0.1
    supernet: SupernetOptions = field(default_factory=SupernetOptions)
    evolution: EvolutionOptions = field(default_factory=EvolutionOptions)
    finalists: int = 4
    training: TrainingOptions = field(default_factory=TrainingOptions)
    finalist_training: TrainingOptions | None = None
    quantized: TrainingOptions = QUANTIZED_TRAINING
    seed: int = 0
    device: str = "cpu"
    processes: int | None = None


@dataclass(frozen=True)
class Found:
    """What a search has found.

    space: its name. drawn: of each space, what it was judged by; nothing where there was one space.
    candidates: networks that were looked at, and their accuracy in the supernet, on `held_out` cases.
    finalists: those of them that were trained alone, the best first.
    chosen: that which was handed off. refused: why more accurate ones were not.
    """

    space: str
    drawn: Mapping[str, Satisfying]
    held_out: int
    candidates: Sequence[Candidate]
    finalists: Sequence[Finalist]
    chosen: Candidate
    refused: Sequence[str]
    hand_off: HandOff


def search_network(
    data: Data,
    spaces: Mapping[str, Space],
    options: SearchOptions,
    output: Path,
    work: Path,
    *,
    write: Callable[[Path, Found], None] = lambda folder, found: None,
    progress: Progress = lambda items, _: items,
) -> Found:
    """Search for the most accurate network within the constraints, and write its folder.

    data: without cases to test with, a part of those to train with is kept for that.
    spaces: by name; of several the best is chosen. output: must not exist, or be an empty folder.
    work: where all parts are kept while it goes on; another search's is refused.
    write: adds to the output before it appears.

    Raises a tinycc.errors.TinyccError, before anything is trained where that can be told: BudgetError where
    nothing is within the constraints, and what the least is.
    """
    check_folders(output, work)
    device_named(options.device)
    data = tested(data, options.seed)
    learned, held_out = held_apart(data.train, options.seed)
    check_learned(learned, options.supernet.batch)
    check_spaces(spaces, learned, options.constraints)
    work.mkdir(parents=True, exist_ok=True)
    name, drawn = chosen_space(spaces, options, work / SPACE, progress)
    space = spaces[name]
    accuracy = supernet_accuracy(space, learned, held_out, options, work / SUPERNET, progress)
    candidates = searched(space, accuracy, options, work / SEARCH, progress)
    alone, order = ranking(space, candidates, learned, held_out, options, work / FINALISTS, progress)
    refused: list[str] = []
    for place, chosen in enumerate(order[:_MOST_TRAINED]):

        def add(folder: Path, result: HandOff, chosen: Candidate = chosen) -> None:
            write(folder, Found(name, drawn, len(held_out), candidates, alone, chosen, refused, result))

        try:
            result = handed_off(
                space.architecture(chosen.genome), data, options.constraints, output,
                training=options.training,
                quantized_training=replace(options.quantized, augmentation=options.training.augmentation),
                seed=options.seed, device=options.device, checkpoint=work / NETWORK.format(place),
                write=add, progress=progress,
            )  # fmt: skip
        except BudgetError as error:
            refused.append(str(error))
            continue
        return Found(name, drawn, len(held_out), candidates, alone, chosen, refused, result)
    raise BudgetError(f"none of {len(refused)} networks keeps within the limits as trained: {refused[0]}")


def tested(data: Data, seed: int) -> Data:
    """The same, with cases to test with: a part of those to train with where there are none."""
    if data.test is not None:
        return data
    check_trainable(data.train, 3)  # to train with, to choose by, to test with
    train, test = split(data.train, _TESTED, seed)
    return replace(data, train=train, test=test)


def held_apart(train: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Cases that the supernet learns from, and those that networks are chosen by."""
    return split(train, min(_HELD_OUT, _MOST_HELD_OUT / len(train)), seed + 1)


def supernet_accuracy(
    space: Space,
    learned: Dataset,
    held_out: Dataset,
    options: SearchOptions,
    path: Path | None = None,
    progress: Progress = lambda items, _: items,
) -> SupernetAccuracy:
    """Who says how accurate networks of a space are: its supernet, trained. path: its checkpoint."""
    normalization, device = normalization_of(learned), torch.device(options.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        supernet = Supernet(space)
    train_supernet(
        supernet, Batches(learned, normalization, device), options.supernet,
        seed=options.seed, augment=options.training.augmentation, path=path, progress=progress,
    )  # fmt: skip
    calibration = learned.part(np.arange(min(len(learned), _CALIBRATION)))
    return SupernetAccuracy(
        supernet, Batches(calibration, normalization, device), Batches(held_out, normalization, device)
    )


def searched(
    space: Space,
    accuracy: SupernetAccuracy,
    options: SearchOptions,
    path: Path | None = None,
    progress: Progress = lambda items, _: items,
) -> list[Candidate]:
    """Networks that were looked at. path: where the search is kept."""
    if options.method == "front":
        return search_front(
            space, options.constraints, accuracy,
            options=options.evolution, seed=options.seed, path=path, progress=progress,
        )  # fmt: skip
    evolution = options.evolution
    if options.method == "random":
        count = evolution.population * (evolution.generations + 1)
        evolution = replace(evolution, population=count, generations=0)
    found = evolve(
        space, options.constraints, accuracy,
        options=evolution, seed=options.seed, path=path, progress=progress,
    )  # fmt: skip
    return [Candidate(genome, score, found.costs[genome]) for genome, score in found.scores.items()]


def ranking(
    space: Space,
    candidates: Sequence[Candidate],
    learned: Dataset,
    held_out: Dataset,
    options: SearchOptions,
    path: Path | None = None,
    progress: Progress = lambda items, _: items,
) -> tuple[list[Finalist], list[Candidate]]:
    """The finalists, and all candidates, each the best first: finalists, then others as the supernet says.

    path: where accuracies of finalists are kept. Where there is but one, nothing is trained.
    """
    alone: list[Finalist] = []
    if options.finalists > 1:
        chosen = finalists(candidates, len(held_out), options.finalists)
        alone = trained_finalists(
            space, chosen, learned, held_out, options.finalist_training or options.training,
            seed=options.seed, device=options.device, path=path, progress=progress,
        )  # fmt: skip
        alone.sort(key=lambda item: (-item.accuracy, item.candidate.cost.instructions))
    first = [item.candidate for item in alone]
    return alone, first + [item for item in ranked(candidates) if item not in first]


def chosen_space(
    spaces: Mapping[str, Space], options: SearchOptions, path: Path, progress: Progress
) -> tuple[str, Mapping[str, Satisfying]]:
    """The name of the best space, and what each was judged by, which is kept at the path."""
    names = list(spaces)
    if len(names) == 1:
        return names[0], {}
    setup = {
        "spaces": {name: asdict(space) for name, space in spaces.items()},
        "constraints": asdict(options.constraints),
        "drawn": [options.drawn, options.least_share, options.seed],
    }
    known: list[tuple[str, Mapping[str, Satisfying]]] = []

    def resume(state: dict[str, Any]) -> None:
        drawn = {name: Satisfying(draws, tuple(macs)) for name, (draws, macs) in state["spaces"].items()}
        known.append((str(state["best"]), drawn))

    file = SearchFile(path, setup)
    file.load(resume)
    if known:
        return known[0]
    best, drawn = choose_space(
        spaces, options.constraints, count=options.drawn, floor=options.least_share, seed=options.seed,
        processes=options.processes, progress=progress,
    )  # fmt: skip
    file.save({"best": best, "spaces": {name: astuple(item) for name, item in drawn.items()}})
    return best, drawn
