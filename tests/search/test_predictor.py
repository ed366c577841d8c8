"""Accuracies are predicted from genes, and a search uses that where it ranks networks well."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from tinycc.search.constraints import Constraints
from tinycc.search.cost import Device
from tinycc.search.evolution import EvolutionOptions, Evolved, evolve
from tinycc.search.predictor import trained_predictor
from tinycc.search.space import Genome, Space, Stage

STAGES = tuple(
    Stage(channels, stride, (1, 2, 3), ((1, 1), (3, 3), (5, 5)), (), (0.5, 1.0))
    for channels, stride in ((4, (1, 1)), (8, (2, 2)))
)
SPACE = Space(((4, 4), (6, 6)), 1, 4, (3, 3), (1, 1), STAGES, 0, 2, divisor=4)
WORTH = [np.random.default_rng(9).normal(size=len(gene.options)) / 100 for gene in SPACE.genes]


def accuracy(genomes: Sequence[Genome]) -> list[float]:
    """Each option of a gene that makes a difference is worth something."""
    return [
        0.5 + sum(float(WORTH[index][genome[index]]) for index in SPACE.active_genes(genome))
        for genome in genomes
    ]


def sampled(count: int, seed: int) -> list[Genome]:
    random = np.random.default_rng(seed)
    return [SPACE.sampled(random) for _ in range(count)]


def test_what_it_says_of_itself_holds_for_other_networks() -> None:
    random = np.random.default_rng(0)
    genomes, others = sampled(200, 1), sampled(400, 2)
    noisy = np.array(accuracy(genomes)) + random.normal(scale=0.02, size=200)
    predictor = trained_predictor(SPACE, genomes, noisy.tolist())
    measured = np.array(accuracy(others)) + random.normal(scale=0.02, size=400)
    predicted = predictor(others)
    assert predictor.quality.kendall == pytest.approx(kendalltau(measured, predicted).statistic, abs=0.08)
    assert predictor.quality.mean_error == pytest.approx(np.abs(measured - predicted).mean(), abs=0.003)


def test_chance_is_not_taken_for_a_ranking() -> None:
    noise = np.random.default_rng(0).normal(size=100).tolist()
    assert trained_predictor(SPACE, sampled(100, 1), noise).quality.kendall < 0.2
    assert trained_predictor(SPACE, sampled(100, 1), [0.5] * 100).quality.kendall == 0


def test_networks_that_are_the_same_are_as_accurate() -> None:
    predictor = trained_predictor(SPACE, sampled(50, 1), accuracy(sampled(50, 1)))
    shallow = SPACE.smallest()
    name = "stage 0 block 2 kernel"
    other = tuple(int(gene.name == name or value) for gene, value in zip(SPACE.genes, shallow, strict=True))
    assert SPACE.architecture(shallow) == SPACE.architecture(other) and shallow != other
    assert predictor([shallow]) == predictor([other])


def test_too_few_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="3 networks are too few to hold out some"):
        trained_predictor(SPACE, sampled(3, 1), [0.1, 0.2, 0.3])


# Whole tensors, as that is found out soonest.
LIMITS = Constraints(Device(schedule="whole"))
PLAIN = EvolutionOptions(population=20, generations=2)
SCREENED = replace(PLAIN, proposed=4)


@functools.cache
def evolved(options: EvolutionOptions, seed: int) -> Evolved:
    return evolve(SPACE, LIMITS, accuracy, options=options, seed=seed)


def test_evolution_with_a_predictor_finds_better_networks_with_as_many_looked_at() -> None:
    gains = []
    for seed in range(2):
        plain, screened = evolved(PLAIN, seed), evolved(SCREENED, seed)
        assert len(plain.scores) == len(screened.scores) == 20 * 3
        assert not plain.qualities and len(screened.qualities) == 2
        gains.append(screened.best[-1] - plain.best[-1])
    assert np.mean(gains) > 0


def test_a_predictor_that_ranks_badly_is_not_used() -> None:
    """The search goes as without one."""

    def noise(genomes: Sequence[Genome]) -> list[float]:
        return [float(np.random.default_rng(genome).normal()) for genome in genomes]

    plain, screened = (evolve(SPACE, LIMITS, noise, options=options) for options in (PLAIN, SCREENED))
    assert all(quality.kendall < SCREENED.least_kendall for quality in screened.qualities)
    assert screened.scores == plain.scores


def test_a_search_with_a_predictor_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    path = tmp_path / "search.json"

    calls = 0

    def stopping(genomes: Sequence[Genome]) -> list[float]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return accuracy(genomes)

    with pytest.raises(KeyboardInterrupt):
        evolve(SPACE, LIMITS, stopping, options=SCREENED, path=path)
    assert evolve(SPACE, LIMITS, accuracy, options=SCREENED, path=path) == evolved(SCREENED, 0)
