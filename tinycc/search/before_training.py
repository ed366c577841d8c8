"""What is wrong with a search and can be told before anything is trained."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tinycc.errors import OutputError, TinyccError, TrainingError
from tinycc.output_folder import check_free
from tinycc.search.constraints import Constraints
from tinycc.search.data import Dataset
from tinycc.search.normalization import normalization_of
from tinycc.search.space import Space
from tinycc.search.space_checks import check_fits, read_space

# Parts of a search in its folder, in the order in which they come to be.
SPACE, SUPERNET, SEARCH, FINALISTS, NETWORK = (
    "space.json",
    "supernet.pt",
    "search.json",
    "finalists.json",
    "network{}.pt",
)


def check_folders(output: Path, work: Path) -> None:
    """OutputError for an output that is not free, or that parts would lie in; TinyccError for odd parts.

    A search in a supernet that is gone would be gone on with in another one.
    """
    check_free(output)
    if output.resolve() in (work.resolve(), *work.resolve().parents):
        raise OutputError(f"parts cannot be kept in {work}, which is in the output {output}: give another")
    if work.exists() and not work.is_dir():
        raise OutputError(f"parts cannot be kept in {work}, which is no folder: give another")
    for earlier, later in ((SUPERNET, SEARCH), (SEARCH, FINALISTS), (SEARCH, NETWORK.format(0))):
        if (work / later).exists() and not (work / earlier).exists():
            raise TinyccError(f"{work / later} was made of a {earlier} that is gone: remove it, too")


def check_learned(learned: Dataset, batch: int) -> None:
    """TinyccError where there are too few cases for a batch, or all images are the same."""
    if len(learned) < batch:
        raise TrainingError(
            f"a batch of {batch} cannot be had of {len(learned)} cases to learn from: give a smaller one"
        )
    normalization_of(learned)


def check_spaces(spaces: Mapping[str, Space], learned: Dataset, constraints: Constraints) -> None:
    """TinyccError for a space that is none, or of other data; BudgetError where nothing is allowed."""
    for space in spaces.values():
        read_space(asdict(space), "the space")
        check_fits(space, learned.channels, len(learned.classes))
    judge = constraints.judge()
    smallest = {name: space.architecture(space.smallest()) for name, space in spaces.items()}
    if len(spaces) == 1 or not any(judge.allowed(network) for network in smallest.values()):
        judge.check(spaces[min(spaces, key=lambda name: smallest[name].weight_bytes)])
