"""The front: networks than which none is better in one respect and no worse in the others.

NSGA-II (Deb et al., "A fast and elitist multiobjective genetic algorithm", 2002) by pymoo's non-dominated
sorting, crowding distance and binary tournament. Genomes are bred as in evolution, so that each child is a
network of the space that is allowed and that nobody has asked for yet; no constraint is ever violated.

Accuracy is set against SRAM, flash and instructions of one schedule, which a compiler can be told to take:
that of least memory, or, where it breaks a limit, that of least work within the memory
(`Constraints.thrifty_judge`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import RankAndCrowdingSurvival, binary_tournament
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.operators.selection.tournament import TournamentSelection
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from tinycc.errors import BudgetError
from tinycc.search.constraints import Constraints
from tinycc.search.cost import Cost
from tinycc.search.evolution import Accuracy, EvolutionOptions, Progress, bred, distinct
from tinycc.search.search_file import SearchFile, setup_of
from tinycc.search.space import Genome, Space

_OBJECTIVES = 4


@dataclass(frozen=True)
class Candidate:
    """A network that was looked at. accuracy: the share of held-out cases that it gets right."""

    genome: Genome
    accuracy: float
    cost: Cost

    @property
    def objectives(self) -> tuple[float, ...]:
        """What is to be small."""
        return (-self.accuracy, self.cost.sram_bytes, self.cost.flash_bytes, self.cost.instructions)


def front_of(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that no other dominates, the most accurate first."""
    if not candidates:
        return []
    places = NonDominatedSorting().do(_objectives(candidates), only_non_dominated_front=True)
    return sorted((candidates[place] for place in places), key=lambda item: item.objectives)


def search_front(
    space: Space,
    constraints: Constraints,
    accuracy: Accuracy,
    *,
    options: EvolutionOptions | None = None,
    seed: int = 0,
    path: Path | None = None,
    progress: Progress = lambda items, _: items,
) -> list[Candidate]:
    """All networks that were looked at, in that order; `front_of` tells which are the best.

    options: as of an evolution, but that a tournament decides who has children (`parents` is not asked).
    path: where the search is kept after each generation, and taken up again: the result is the same.
    Raises BudgetError where no network is allowed, TinyccError where there is only one, or `path` holds
    another search.
    """
    options = options or EvolutionOptions()
    search = _Search(space, constraints, options, seed, path)
    for _ in progress(range(len(search.generations), options.generations + 1), "searching the front"):
        search.generation(accuracy)
    return search.candidates


class _Search:
    """NSGA-II between two generations."""

    def __init__(
        self, space: Space, constraints: Constraints, options: EvolutionOptions, seed: int, path: Path | None
    ) -> None:
        self._space, self._options = space, options
        self._judge = constraints.thrifty_judge()
        self._judge.check(space)
        self._random = np.random.default_rng(seed)
        self._problem = Problem(n_var=len(space.genes), n_obj=_OBJECTIVES)
        self._population = Population()
        self.generations: list[list[Candidate]] = []
        self._file = SearchFile(path, setup_of("front", space, constraints, options, seed))
        self._file.load(self._resume)

    @property
    def candidates(self) -> list[Candidate]:
        """Of all generations."""
        return [item for generation in self.generations for item in generation]

    def generation(self, accuracy: Accuracy) -> None:
        """One more: the first is drawn, others are children of those that survived."""
        known = {self._space.architecture(item.genome) for item in self.candidates}
        draws = self._options.population * self._options.most_draws
        count = self._options.population
        genomes = distinct(self._space, self._judge, self._child(), count, known, draws)
        if not genomes and not known:
            raise BudgetError(f"none of {draws:,} networks drawn keeps within the limits: give more room")
        scores = accuracy(genomes) if genomes else []
        costs = [self._judge.allowed(self._space.architecture(genome)) for genome in genomes]
        children = [
            Candidate(genome, float(score), cost)
            for genome, score, cost in zip(genomes, scores, costs, strict=True)
            if cost is not None
        ]
        self._survive(children)
        self._file.save(self._state())

    def _child(self) -> Callable[[], Genome]:
        space, options, random, population = self._space, self._options, self._random, self._population
        if len(population) < 2:
            return lambda: space.sampled(random)
        tournament = TournamentSelection(func_comp=binary_tournament)
        # What the tournament asks of an algorithm.
        rules = SimpleNamespace(tournament_type="comp_by_dom_and_crowding", random_state=random)

        def child() -> Genome:
            [parents] = tournament(self._problem, population, 1, 2, algorithm=rules, random_state=random)
            one, other = (tuple(int(gene) for gene in parent.X) for parent in parents)
            return bred(space, one, other, options, random)

        return child

    def _survive(self, children: list[Candidate]) -> None:
        """The next population; it follows from the children of all generations, so that it is not saved."""
        self.generations.append(children)
        if children:
            genomes = np.array([item.genome for item in children])
            merged = Population.merge(self._population, Population.new(X=genomes, F=_objectives(children)))
            random = np.random.default_rng(len(self.generations))
            self._population = RankAndCrowdingSurvival().do(
                self._problem, merged, n_survive=self._options.population, random_state=random
            )

    def _state(self) -> dict[str, Any]:
        generations = [
            [[list(item.genome), item.accuracy, astuple(item.cost)] for item in generation]
            for generation in self.generations
        ]
        return {"random": self._random.bit_generator.state, "generations": generations}

    def _resume(self, state: dict[str, Any]) -> None:
        for generation in state["generations"]:
            self._survive(list(_restored(generation)))
        self._random.bit_generator.state = state["random"]


def _restored(generation: Iterable[Any]) -> Iterable[Candidate]:
    return (Candidate(tuple(genome), float(accuracy), Cost(*cost)) for genome, accuracy, cost in generation)


def _objectives(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """[candidates, objectives], to be small."""
    return np.array([item.objectives for item in candidates], float)
