"""The parts of a network that gain most within a budget, by CP-SAT on the sums of `step_model`."""

from ortools.sat.python import cp_model

from tinycc.training.scheme_search.contribution import Contributions, Parts
from tinycc.training.scheme_search.step_model import Budget, StepModel

# Gains are whole numbers of these.
_UNIT = 1e-6


class ExactSearch:
    """Proposes the parts of greatest gain, but none of those that were found not to fit."""

    def __init__(
        self, contributions: Contributions, sums: StepModel, budget: Budget, caution: float = 1.0
    ) -> None:
        """budget: what the sums may come to. caution: standard errors that gains are taken less by."""
        memory = sums.memory
        self.model, self.sums = cp_model.CpModel(), sums
        self.depths = {depth: self.model.new_bool_var("") for depth in memory.moments}
        self.weights = {part: self.model.new_bool_var("") for part in memory.parts}
        self.model.add_exactly_one(self.depths.values())
        for layer in {layer for layer, _ in self.weights}:
            self.model.add_at_most_one(x for (name, _), x in self.weights.items() if name == layer)
        for depth, moments in memory.moments.items():
            reached = {layer for moment in moments for layer in moment.keeping}
            for (layer, _), chosen in self.weights.items():
                if layer not in reached:
                    self.model.add_implication(self.depths[depth], ~chosen)
        gains = [
            (contributions.biases(depth).bound(caution), chosen) for depth, chosen in self.depths.items()
        ]
        gains += [
            (contributions.weights(*part).bound(caution), chosen) for part, chosen in self.weights.items()
        ]
        self.model.maximize(sum(round(gain / _UNIT) * chosen for gain, chosen in gains))
        self.restrict(budget)

    def best(self) -> Parts | None:
        """Those of greatest gain that are left; None where there are none."""
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        if solver.solve(self.model) != cp_model.OPTIMAL:
            return None
        depth = next(depth for depth, chosen in self.depths.items() if solver.value(chosen))
        return Parts(depth, {layer: share for (layer, share), x in self.weights.items() if solver.value(x)})

    def restrict(self, budget: Budget) -> None:
        """Propose nothing that comes to more."""
        memory, instructions = self.sums.memory, self.sums.instructions
        for depth, moments in memory.moments.items():
            for moment in moments:
                total = sum(
                    (part.weights + part.kept * (layer in moment.keeping)) * self.weights[layer, share]
                    for (layer, share), part in memory.parts.items()
                )
                self.model.add(total <= budget.bytes - moment.bytes).only_enforce_if(self.depths[depth])
        if budget.instructions is not None:
            steps = sum(count * self.depths[depth] for depth, count in instructions.steps.items())
            updates = sum(count * self.weights[part] for part, count in instructions.updates.items())
            self.model.add(steps + updates <= budget.instructions)

    def exclude(self, parts: Parts) -> None:
        """Propose nothing that trains all of this, or more."""
        as_deep = sum(chosen for depth, chosen in self.depths.items() if depth >= parts.depth)
        as_much = [
            sum(chosen for (name, given), chosen in self.weights.items() if name == layer and given >= share)
            for layer, share in parts.shares.items()
        ]
        self.model.add(as_deep + sum(as_much) <= len(as_much))
