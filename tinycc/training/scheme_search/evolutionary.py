"""The parts of a network that gain most within a budget, by evolution, to compare `exact` with.

Source: the search of MCUNetV3 (Lin et al., "On-device training under 256KB memory", 2022).
"""

import numpy as np

from tinycc.training.scheme_search.contribution import Contributions, Parts
from tinycc.training.scheme_search.step_model import Budget, StepModel

_POPULATION, _PARENTS, _GENERATIONS = 48, 16, 50
# How likely each gene is another one in a child.
_MUTATION = 0.1


class EvolutionarySearch:
    """Proposes parts of great gain, but none of those that were found not to fit.

    A gene is the choice of a depth, the first, or of a layer's share, 0 for none.
    """

    def __init__(
        self,
        contributions: Contributions,
        sums: StepModel,
        budget: Budget,
        caution: float = 1.0,
        seed: int = 0,
    ) -> None:
        """budget: what the sums may come to. caution: standard errors that gains are taken less by."""
        self.contributions, self.sums, self.caution = contributions, sums, caution
        memory = sums.memory
        self.random = np.random.default_rng(seed)
        self.depths = list(memory.moments)
        self.shares: dict[str, list[float]] = {}
        for layer, share in memory.parts:
            self.shares.setdefault(layer, [0.0]).append(share)
        self.choices = np.array([len(self.depths), *map(len, self.shares.values())])
        self.excluded: list[Parts] = []
        self.restrict(budget)

    def best(self) -> Parts | None:
        """Those of greatest gain that were met; None where none fit."""
        # What begins with the least there is has something that fits, if anything does.
        genes = np.zeros((1, len(self.choices)), int)
        for _ in range(_GENERATIONS):
            genes = np.unique(genes, axis=0)
            fitness = np.array([self._fitness(self._parts(row)) for row in genes])
            parents = genes[np.argsort(-fitness, kind="stable")[:_PARENTS]]
            pairs = self.random.integers(len(parents), size=(2, _POPULATION))
            is_first = self.random.random((_POPULATION, len(self.choices))) < 0.5
            children = np.where(is_first, parents[pairs[0]], parents[pairs[1]])
            others = self.random.integers(self.choices, size=children.shape)
            is_other = self.random.random(children.shape) < _MUTATION
            genes = np.concatenate([parents, np.where(is_other, others, children)])
        found = max((self._parts(row) for row in genes), key=self._fitness)
        return found if self._fits(found) else None

    def restrict(self, budget: Budget) -> None:
        """Propose nothing that comes to more."""
        self.budget = budget

    def exclude(self, parts: Parts) -> None:
        """Propose nothing that trains all of this, or more."""
        self.excluded.append(parts)

    def _parts(self, genes: np.ndarray) -> Parts:
        """What of the chosen shares is within the depth."""
        depth = self.depths[genes[0]]
        reached = {layer for moment in self.sums.memory.moments[depth] for layer in moment.keeping}
        told = zip(self.shares.items(), genes[1:], strict=True)
        return Parts(
            depth, {layer: shares[gene] for (layer, shares), gene in told if gene and layer in reached}
        )

    def _fits(self, parts: Parts) -> bool:
        is_known = any(parts.includes(other) for other in self.excluded)
        return not is_known and self.sums.least(parts).fit(self.budget)

    def _fitness(self, parts: Parts) -> float:
        """The gain, less than any where it does not fit."""
        return self.contributions.gain(parts).bound(self.caution) if self._fits(parts) else -np.inf
