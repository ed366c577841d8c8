"""Evolution finds better networks than drawing, within the constraints, and goes on where it stopped."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tinycc.errors import BudgetError, TinyccError
from tinycc.search.constraints import Constraints
from tinycc.search.cost import Device
from tinycc.search.evolution import EvolutionOptions, Evolved, draw, evolve
from tinycc.search.satisfying import choose_space, satisfying
from tinycc.search.space import Genome, Space, Stage

STAGES = (
    Stage(8, (1, 1), (1, 2), ((3, 3), (5, 5)), (1, 2), (0.5, 1.0)),
    Stage(16, (2, 2), (1, 2), ((3, 3), (5, 5)), (1, 2), (0.5, 1.0)),
)
SPACE = Space(((8, 8), (12, 12)), 3, 8, (3, 3), (1, 1), STAGES, 0, 4)
LIMITS = Constraints(Device(sram=2000), flash=6000)
OPTIONS = EvolutionOptions(population=12, generations=6)


def accuracy(genomes: Sequence[Genome]) -> list[float]:
    """As if the first options were the best, most of all in the last genes."""
    weights = np.arange(1, len(SPACE.genes) + 1)
    return [float(-(weights * genome).sum()) for genome in np.array(genomes)]


class StoppedError(Exception):
    """What stops a search from outside."""


def test_every_network_keeps_within_the_constraints_and_is_asked_for_once() -> None:
    found = evolve(SPACE, LIMITS, accuracy, options=OPTIONS)
    judge = LIMITS.judge()
    architectures = [SPACE.architecture(genome) for genome in found.scores]
    assert len(set(architectures)) == len(architectures)
    assert all(judge.allowed(architecture) is not None for architecture in architectures)
    assert judge.allowed(SPACE.architecture(SPACE.largest())) is None


def test_evolution_is_better_than_drawing_as_many() -> None:
    gains = []
    for seed in range(3):
        found = evolve(SPACE, LIMITS, accuracy, options=OPTIONS, seed=seed)
        drawn = draw(SPACE, LIMITS, accuracy, 40, seed)
        gains.append(found.scores[found.genome] - drawn.scores[drawn.genome])
        assert found.best == sorted(found.best)
    assert np.mean(gains) > 0


@pytest.mark.parametrize("stopped_at", [1, 3])
def test_a_search_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, stopped_at: int) -> None:
    whole = evolve(SPACE, LIMITS, accuracy, options=OPTIONS, seed=5)
    calls = 0

    def stopping(genomes: Sequence[Genome]) -> list[float]:
        nonlocal calls
        calls += 1
        if calls > stopped_at:
            raise StoppedError
        return accuracy(genomes)

    path = tmp_path / "search.json"
    with pytest.raises(StoppedError):
        evolve(SPACE, LIMITS, stopping, options=OPTIONS, seed=5, path=path)
    assert evolve(SPACE, LIMITS, accuracy, options=OPTIONS, seed=5, path=path) == whole


def test_a_file_of_another_search_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    evolve(SPACE, LIMITS, accuracy, options=EvolutionOptions(4, 0), path=path)
    with pytest.raises(TinyccError, match="is of another search"):
        evolve(SPACE, LIMITS, accuracy, options=EvolutionOptions(4, 1), path=path)
    path.write_text(path.read_text()[:100])
    with pytest.raises(TinyccError, match="holds no search"):
        evolve(SPACE, LIMITS, accuracy, options=EvolutionOptions(4, 0), path=path)


def test_limits_that_nothing_meets_say_what_the_least_is() -> None:
    limits = Constraints(Device(sram=300))
    for search in (
        lambda: evolve(SPACE, limits, accuracy, options=OPTIONS),
        lambda: draw(SPACE, limits, accuracy, 2),
    ):
        with pytest.raises(BudgetError, match=r"the smallest, 8x8x3, \d+ layers, takes [\d,]+ bytes of SRAM"):
            search()


def test_a_space_is_chosen_by_what_its_allowed_networks_compute() -> None:
    spaces = {
        "narrow": SPACE.scaled(0.5, SPACE.input_sizes),
        "wide": SPACE,
        "huge": SPACE.scaled(4, ((64, 64),)),
    }
    name, drawn = choose_space(spaces, LIMITS, count=20, floor=0.2, processes=1)
    assert drawn["huge"].acceptance < 0.2
    assert drawn["wide"].mean_macs > drawn["narrow"].mean_macs
    assert name == "wide"
    assert all(len(item.macs) == 20 for key, item in drawn.items() if key != "huge")
    scarce = {"huge": spaces["huge"], "wide": SPACE}
    name, drawn = choose_space(scarce, LIMITS, count=4, floor=0.99, processes=1)
    assert name == "wide" and drawn["wide"].acceptance < 0.99
    with pytest.raises(BudgetError, match=r"the smallest, 8x8x3, \d+ layers, takes [\d,]+ bytes of SRAM"):
        choose_space(scarce, Constraints(Device(sram=300)), count=2, floor=0.5, processes=1)


def test_drawing_in_processes_gives_the_same() -> None:
    spaces = {"one": SPACE, "other": SPACE.scaled(0.5, SPACE.input_sizes)}
    _, apart = choose_space(spaces, LIMITS, count=3, floor=0.2, processes=2)
    assert apart == {name: satisfying(space, LIMITS, 3, 0.2) for name, space in spaces.items()}


def test_an_evolved_network_is_the_most_accurate() -> None:
    assert Evolved({(0, 1): 0.2, (1, 0): 0.4}, best=[0.4]).genome == (1, 0)
