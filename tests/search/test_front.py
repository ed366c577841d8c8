"""The front holds what nothing else is better than, within the constraints, and the search goes on where it
stopped."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tinycc.errors import BudgetError, OutputError, TinyccError
from tinycc.search.constraints import Constraints
from tinycc.search.cost import Cost, CostModel, Device
from tinycc.search.evolution import EvolutionOptions, draw, evolve
from tinycc.search.front import Candidate, front_of, search_front
from tinycc.search.front_files import plot_front, write_candidates
from tinycc.search.space import Genome, Space, Stage

STAGES = (
    Stage(8, (1, 1), (1, 2), ((3, 3), (5, 5)), (1, 2), (0.5, 1.0)),
    Stage(16, (2, 2), (1, 2), ((3, 3), (5, 5)), (1, 2), (0.5, 1.0)),
)
SPACE = Space(((8, 8), (12, 12)), 3, 8, (3, 3), (1, 1), STAGES, 0, 4)
LIMITS = Constraints(Device(sram=4000), flash=3500)
OPTIONS = EvolutionOptions(population=8, generations=4)


def accuracy(genomes: Sequence[Genome]) -> list[float]:
    """As if more of everything were better, most of all in the last genes."""
    weights = np.arange(1, len(SPACE.genes) + 1)
    return [float((weights * genome).sum()) for genome in np.array(genomes)]


class StoppedError(Exception):
    """What stops a search from outside."""


def dominates(one: Candidate, other: Candidate) -> bool:
    pairs = list(zip(one.objectives, other.objectives, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


@pytest.fixture(scope="module")
def found() -> list[Candidate]:
    return search_front(SPACE, LIMITS, accuracy, options=OPTIONS, seed=5)


def test_nothing_dominates_the_front_and_something_does_the_rest(found: list[Candidate]) -> None:
    front = front_of(found)
    assert 1 < len(front) < len(found)
    for item in found:
        assert (item in front) != any(dominates(other, item) for other in found)


def test_every_network_keeps_within_the_constraints_and_is_looked_at_once(found: list[Candidate]) -> None:
    architectures = [SPACE.architecture(item.genome) for item in found]
    assert len(set(architectures)) == len(found) == 8 * 5
    assert all(item.cost.sram_bytes <= 4000 and item.cost.flash_bytes <= 3500 for item in found)
    assert LIMITS.judge().allowed(SPACE.architecture(SPACE.largest())) is None


def test_accuracies_and_costs_are_those_of_the_network(found: list[Candidate]) -> None:
    """With the schedule of least memory, which has room here."""
    least = CostModel(Device(optimize_for="memory"))
    for item in found[::5]:
        assert [item.accuracy] == accuracy([item.genome])
        assert item.cost == least.cost(SPACE.architecture(item.genome))


def test_what_only_strips_make_fit_is_allowed_as_well() -> None:
    architecture = SPACE.architecture((1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1))
    least = CostModel(Device(optimize_for="memory")).cost(architecture)
    limits = Constraints(Device(sram=least.sram_bytes - 64))
    cost = limits.thrifty_judge().allowed(architecture)
    assert cost == limits.judge().allowed(architecture)
    assert cost is not None and cost.macs > least.macs


def test_later_generations_are_better(found: list[Candidate]) -> None:
    """Their share of the front of all is larger than that of the first generations, drawn at random."""
    front = front_of(found)
    early, late = ([item in front for item in part] for part in (found[:16], found[-16:]))
    assert sum(late) > sum(early)


@pytest.mark.parametrize("stopped_at", [1, 3])
def test_a_search_that_was_stopped_ends_as_one_that_was_not(
    found: list[Candidate], tmp_path: Path, stopped_at: int
) -> None:
    calls = 0

    def stopping(genomes: Sequence[Genome]) -> list[float]:
        nonlocal calls
        calls += 1
        if calls > stopped_at:
            raise StoppedError
        return accuracy(genomes)

    path = tmp_path / "search.json"
    with pytest.raises(StoppedError):
        search_front(SPACE, LIMITS, stopping, options=OPTIONS, seed=5, path=path)
    assert search_front(SPACE, LIMITS, accuracy, options=OPTIONS, seed=5, path=path) == found


def test_a_file_of_an_evolution_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    options = EvolutionOptions(4, 0)
    evolve(SPACE, LIMITS, accuracy, options=options, path=path)
    with pytest.raises(TinyccError, match="is of another search"):
        search_front(SPACE, LIMITS, accuracy, options=options, path=path)


def test_limits_that_nothing_meets_say_what_the_least_is() -> None:
    with pytest.raises(BudgetError, match=r"the smallest, 8x8x3, \d+ layers, takes [\d,]+ bytes of SRAM"):
        search_front(SPACE, Constraints(Device(sram=300)), accuracy, options=OPTIONS)


def test_a_front_is_a_table_and_a_picture(tmp_path: Path) -> None:
    genomes = [SPACE.smallest(), SPACE.largest()]
    front = [Candidate(genome, 0.5, Cost(1, 2, 3, 4)) for genome in genomes]
    write_candidates(tmp_path / "front.csv", SPACE, front)
    with (tmp_path / "front.csv").open(newline="") as file:
        small, large = csv.DictReader(file)
    assert tuple(map(int, large["genome"].split())) == SPACE.largest()
    assert small["network"] == "8x8, 8: k3e1, 8: k3e1"
    assert large["network"] == "12x12, 8: k5e2 k5e2, 16: k5e2 k5e2"
    assert [small[name] for name in ("accuracy", "sram_bytes", "flash_bytes", "macs", "instructions")] == [
        "0.5", "1", "2", "3", "4"
    ]  # fmt: skip
    plot_front(tmp_path / "front.svg", front)
    assert "instructions, millions" in (tmp_path / "front.svg").read_text()
    with pytest.raises(OutputError, match=r"cannot draw .*front\.txt"):
        plot_front(tmp_path / "front.txt", front)


def test_a_space_of_one_network_is_refused() -> None:
    stage = Stage(8, (1, 1), (1,), ((3, 3),), (1,))
    space = Space(((8, 8),), 3, 8, (3, 3), (1, 1), (stage,), 0, 4)
    for search in (
        lambda: search_front(space, LIMITS, accuracy),
        lambda: evolve(space, LIMITS, accuracy),
        lambda: draw(space, LIMITS, accuracy, 2),
    ):
        with pytest.raises(TinyccError, match="has one network, so that there is nothing to search"):
            search()
