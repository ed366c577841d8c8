"""Evolution within constraints, and drawing at random, which is what it has to be better than.

Parents are the most accurate networks so far. Children are mutations of one, or crosses of two; what is not
allowed is drawn again, but not for ever.

Source: evolutionary search of once-for-all networks (Cai et al., 2020) and of TinyNAS (Lin et al., 2020),
after Real et al., "Regularized evolution for image classifier architecture search" (2019).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinycc.errors import BudgetError
from tinycc.search.architecture import Architecture
from tinycc.search.constraints import Constraints, Judge
from tinycc.search.cost import Cost
from tinycc.search.predictor import LEAST_NETWORKS, Predictor, Quality, trained_predictor
from tinycc.search.search_file import SearchFile, setup_of
from tinycc.search.space import Genome, Space

# Of networks, each with its own genome, how accurate they are: shares of held-out cases.
Accuracy = Callable[[Sequence[Genome]], Sequence[float]]
Progress = Callable[[Iterable[Any], str], Iterable[Any]]


@dataclass(frozen=True)
class EvolutionOptions:
    """How far it goes.

    population: networks of a generation; the first is drawn at random. generations: after that.
    parents: the share of them that have children. mutated: the share of children that have one parent.
    gene_chance: that a gene is mutated; size_chance: that the size of the input is.
    most_draws: for a child, before it is given up.
    proposed: how many times as many children are bred as are looked at; a predictor picks them, of those that
        are allowed. 1 for no predictor.
    least_kendall: the rank correlation on held-out networks without which it picks none.
    """

    population: int = 100
    generations: int = 30
    parents: float = 0.25
    mutated: float = 0.5
    gene_chance: float = 0.1
    size_chance: float = 0.5
    most_draws: int = 200
    proposed: int = 1
    least_kendall: float = 0.5


@dataclass
class Evolved:
    """What a search has found.

    scores, costs: accuracies and costs of all networks that were looked at, in that order.
    best: accuracy of each generation.
    qualities: of each predictor that was trained, whether or not it was used.
    """

    scores: dict[Genome, float] = field(default_factory=dict)
    costs: dict[Genome, Cost] = field(default_factory=dict)
    best: list[float] = field(default_factory=list)
    qualities: list[Quality] = field(default_factory=list)

    @property
    def genome(self) -> Genome:
        """The most accurate network."""
        return max(self.scores, key=lambda genome: self.scores[genome])

    def add(self, space: Space, judge: Judge, genomes: Sequence[Genome], scores: Sequence[float]) -> None:
        """A generation of networks that the judge allowed."""
        costs = (judge.allowed(space.architecture(genome)) for genome in genomes)
        for genome, score, cost in zip(genomes, scores, costs, strict=True):
            assert cost is not None
            self.scores[genome], self.costs[genome] = float(score), cost
        self.best.append(max(self.scores.values()))


def evolve(
    space: Space,
    constraints: Constraints,
    accuracy: Accuracy,
    *,
    options: EvolutionOptions | None = None,
    seed: int = 0,
    path: Path | None = None,
    progress: Progress = lambda items, _: items,
) -> Evolved:
    """The networks of an evolution.

    path: where it is kept after each generation, and taken up again: the result is the same.
    Raises BudgetError where no network is allowed, TinyccError where `path` holds another search.
    """
    options = options or EvolutionOptions()
    search = _Search(space, constraints, options, seed, path)
    for _ in progress(range(len(search.found.best), options.generations + 1), "evolving networks"):
        search.generation(accuracy)
    return search.found


def draw(space: Space, constraints: Constraints, accuracy: Accuracy, count: int, seed: int = 0) -> Evolved:
    """So many networks drawn at random. Raises BudgetError where so many cannot be found."""
    found, judge, random = Evolved(), constraints.judge(), np.random.default_rng(seed)
    judge.check(space)
    genomes = distinct(space, judge, lambda: space.sampled(random), count, set(), 1000 * count)
    if len(genomes) < count:
        raise BudgetError(f"only {len(genomes)} of {count} networks keep within the limits: give more room")
    found.add(space, judge, genomes, accuracy(genomes))
    return found


def mutated(space: Space, genome: Genome, options: EvolutionOptions, random: np.random.Generator) -> Genome:
    """A genome some of whose genes are drawn anew; the first is the size of the input."""
    chances = [options.size_chance] + [options.gene_chance] * (len(genome) - 1)
    return tuple(
        int(random.integers(len(gene.options))) if random.random() < chance else value
        for gene, chance, value in zip(space.genes, chances, genome, strict=True)
    )


def crossed(one: Genome, other: Genome, random: np.random.Generator) -> Genome:
    """Each gene of one of two."""
    picks = random.random(len(one)) < 0.5
    return tuple(a if pick else b for a, b, pick in zip(one, other, picks, strict=True))


def bred(
    space: Space, one: Genome, other: Genome, options: EvolutionOptions, random: np.random.Generator
) -> Genome:
    """A child: a mutation of one, or a cross of both."""
    is_mutated = random.random() < options.mutated
    return mutated(space, one, options, random) if is_mutated else crossed(one, other, random)


def distinct(
    space: Space,
    judge: Judge,
    child: Callable[[], Genome],
    count: int,
    known: set[Architecture],
    most_draws: int,
) -> list[Genome]:
    """So many allowed networks, none known and no two the same; fewer once there were so many draws."""
    found: list[Genome] = []
    known = set(known)
    for _ in range(most_draws):
        if len(found) == count:
            break
        genome = child()
        architecture = space.architecture(genome)
        if architecture not in known and judge.allowed(architecture) is not None:
            known.add(architecture)
            found.append(genome)
    return found


class _Search:
    """An evolution between two generations."""

    def __init__(
        self, space: Space, constraints: Constraints, options: EvolutionOptions, seed: int, path: Path | None
    ) -> None:
        self._space, self._options = space, options
        self._judge = constraints.judge()
        self._judge.check(space)
        self._random = np.random.default_rng(seed)
        self.found = Evolved()
        self._file = SearchFile(path, setup_of("evolution", space, constraints, options, seed))
        self._file.load(self._resume)

    def generation(self, accuracy: Accuracy) -> None:
        """One more: the first is drawn, others are children of the best."""
        space, options, random = self._space, self._options, self._random
        known = set(map(space.architecture, self.found.scores))
        ranked = sorted(self.found.scores, key=lambda genome: -self.found.scores[genome])
        parents = ranked[: max(2, round(options.parents * options.population))]

        def child() -> Genome:
            if not parents:
                return space.sampled(random)
            one, other = (parents[int(place)] for place in random.integers(len(parents), size=2))
            return bred(space, one, other, options, random)

        predictor = self._predictor()
        count = options.population * (options.proposed if predictor else 1)
        draws = count * options.most_draws
        genomes = distinct(space, self._judge, child, count, known, draws)
        if predictor:
            order = np.argsort(-predictor(genomes), kind="stable")
            genomes = [genomes[place] for place in order[: options.population]]
        if not genomes and not parents:
            raise BudgetError(f"none of {draws:,} networks drawn keeps within the limits: give more room")
        self.found.add(space, self._judge, genomes, accuracy(genomes) if genomes else [])
        self._file.save(self._state())

    def _predictor(self) -> Predictor | None:
        """None where none is wanted, or it would not rank well."""
        scores = self.found.scores
        if self._options.proposed == 1 or len(scores) < LEAST_NETWORKS:
            return None
        predictor = trained_predictor(self._space, list(scores), list(scores.values()))
        self.found.qualities.append(predictor.quality)
        return predictor if predictor.quality.kendall >= self._options.least_kendall else None

    def _state(self) -> dict[str, Any]:
        return {
            "random": self._random.bit_generator.state,
            "networks": [
                [list(genome), score, astuple(self.found.costs[genome])]
                for genome, score in self.found.scores.items()
            ],
            "best": self.found.best,
            "qualities": [astuple(quality) for quality in self.found.qualities],
        }

    def _resume(self, state: dict[str, Any]) -> None:
        self._random.bit_generator.state = state["random"]
        for values, score, cost in state["networks"]:
            genome = tuple(values)
            self.found.scores[genome], self.found.costs[genome] = float(score), Cost(*cost)
        self.found.best = [float(score) for score in state["best"]]
        self.found.qualities = [Quality(*quality) for quality in state["qualities"]]
