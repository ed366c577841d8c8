"""From data and the limits of a board to a folder of C, in one go or in pieces."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the search needs the extra tinycc[search]")

from tests.search.digits import digits
from tests.search.supernet.digits import SPACE
from tinycc.errors import BudgetError, OutputError, TinyccError
from tinycc.search.constraints import Constraints
from tinycc.search.cost import Device
from tinycc.search.data import Data
from tinycc.search.evolution import EvolutionOptions
from tinycc.search.pipeline import (
    Found,
    Method,
    SearchOptions,
    held_apart,
    search_network,
    searched,
    supernet_accuracy,
)
from tinycc.search.retraining import TrainingOptions
from tinycc.search.supernet.training import SupernetOptions

TRAIN, TEST, _ = digits()
DATA = Data(TRAIN, TEST)
SPACES = {"narrow": SPACE.scaled(0.5, SPACE.input_sizes), "wide": SPACE}
OPTIONS = SearchOptions(
    Constraints(Device(sram="1K"), flash="4K", instructions=400_000),
    drawn=4,
    supernet=SupernetOptions(2, 4, batch=64, rate=0.2),
    evolution=EvolutionOptions(population=6, generations=2),
    finalists=2,
    training=TrainingOptions(epochs=3, batch=32),
    quantized=TrainingOptions(epochs=1, batch=64, rate=0.005),
    processes=1,
)


class StoppedError(Exception):
    """What breaks a search off."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Path]:
    folder = tmp_path_factory.mktemp("search")
    return search_network(DATA, SPACES, OPTIONS, folder / "best", folder / "work"), folder


def test_the_network_is_within_the_limits_as_compiled_and_right(found: tuple[Found, Path]) -> None:
    result, folder = found
    compiled = result.hand_off.costs.compiled
    assert compiled.sram_bytes <= 1024 and compiled.flash_bytes <= 4096 and compiled.instructions <= 400_000
    assert result.hand_off.int8_accuracy is not None and result.hand_off.int8_accuracy > 0.7
    assert (folder / "best" / "report.html").exists()
    assert result.space == "wide" and set(result.drawn) == set(SPACES)
    first, second = result.finalists
    assert result.chosen == first.candidate and first.accuracy >= second.accuracy
    most = max(item.accuracy for item in result.candidates)
    assert most in (first.candidate.accuracy, second.candidate.accuracy)
    assert len(result.candidates) == 18


def test_a_search_that_was_broken_off_ends_as_one_that_was_not(
    found: tuple[Found, Path], tmp_path: Path
) -> None:
    output, work, runs, left = tmp_path / "best", tmp_path / "work", 0, 0

    def stopping(items: Iterable[Any], _name: str) -> Iterable[Any]:
        """Breaks off when three things are done."""
        nonlocal left
        for item in items:
            yield item
            left -= 1
            if not left:
                raise StoppedError

    while not output.exists():
        left = 3
        runs += 1
        with suppress(StoppedError):
            result = search_network(DATA, SPACES, OPTIONS, output, work, progress=stopping)
    assert runs > 4
    whole, folder = found
    assert result == whole
    for path in sorted((folder / "best").rglob("*.[ch]")):
        assert (output / path.relative_to(folder / "best")).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("method", ["front", "random"])
def test_fronts_and_random_networks_are_searched_as_well(
    found: tuple[Found, Path], tmp_path: Path, method: Method
) -> None:
    """In the supernet that is there."""
    _, folder = found
    learned, held_out = held_apart(TRAIN, 0)
    accuracy = supernet_accuracy(SPACE, learned, held_out, OPTIONS, folder / "work" / "supernet.pt")
    candidates = searched(SPACE, accuracy, replace(OPTIONS, method=method))
    assert len({item.genome for item in candidates}) == 18
    assert all(item.cost.sram_bytes <= 1024 and item.cost.flash_bytes <= 4096 for item in candidates)


def test_limits_that_nothing_meets_cost_no_training(tmp_path: Path) -> None:
    options = replace(OPTIONS, constraints=Constraints(Device(sram=100)))
    for spaces in (SPACES, {"wide": SPACE}):
        with pytest.raises(BudgetError, match=r"the smallest, 6x6x1, \d+ layers, takes \d+ bytes of SRAM"):
            search_network(DATA, spaces, options, tmp_path / "best", tmp_path / "work")
    assert not (tmp_path / "work" / "supernet.pt").exists()


def test_an_output_that_is_there_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "mine.txt").write_text("")
    with pytest.raises(OutputError, match="best"):
        search_network(DATA, SPACES, OPTIONS, tmp_path / "best", tmp_path / "work")


def test_the_work_of_another_search_is_refused(found: tuple[Found, Path], tmp_path: Path) -> None:
    _, folder = found
    options = replace(OPTIONS, seed=1)
    with pytest.raises(TinyccError, match=r"space.json is of another search"):
        search_network(DATA, SPACES, options, tmp_path / "best", folder / "work")
