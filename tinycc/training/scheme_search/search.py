"""The scheme that gains most within a budget, which the planner has the last word on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import tvm

from tinycc.errors import TrainingError
from tinycc.graph import OperatorGraph
from tinycc.limits import SearchLimits
from tinycc.schedule.options import Objective, read_options
from tinycc.target import target_named
from tinycc.training.build_backward import Loss
from tinycc.training.channels import trained_channels
from tinycc.training.gradients import GradientType
from tinycc.training.layers import Layer, layers_of
from tinycc.training.planned_step import TRAINING_LIMITS, PlannedStep, planned_step
from tinycc.training.scheme import Scheme
from tinycc.training.scheme_search.contribution import Contributions, Gain, Parts
from tinycc.training.scheme_search.evolutionary import EvolutionarySearch
from tinycc.training.scheme_search.exact import ExactSearch
from tinycc.training.scheme_search.instruction_model import (
    InstructionModel,
    step_instructions,
    update_instructions,
    whole_instructions,
)
from tinycc.training.scheme_search.memory_model import MemoryModel, PartBytes, moments_of, part_bytes
from tinycc.training.scheme_search.step_model import Budget, Needs, StepModel
from tinycc.training.update_rule import DEFAULT_RULE, UpdateRule

Method = Literal["exact", "evolutionary"]

# Of plans that only say what is live: a second or two for a network of 40 layers, however buffers are placed.
_OUTLINE = SearchLimits(plans=4, solver_seconds=0.0)
# How many proposals the planner may turn down before sums have to stay below the budget by what they lack.
_PATIENCE = 24


@dataclass(frozen=True)
class Found:
    """A scheme that fits.

    gain: the sum of its contributions, over the head alone. arena_bytes: what the planner needs for it.
    instructions: of a step, as they are predicted.
    is_best: whether none of greater gain, less caution, fits, as far as sums tell. refused: proposals that
        did not fit.
    """

    parts: Parts
    scheme: Scheme
    gain: Gain
    arena_bytes: int
    instructions: int
    is_best: bool
    refused: int


@dataclass(frozen=True, eq=False)
class StepPlanner:
    """Answers what memory and instructions schemes of a network need.

    forward: what `forward_of` gives. rule: of updates, whose velocities take memory. Others: as for
        `tinycc.training.compile`.
    """

    forward: tvm.IRModule
    loss: Loss = "cross_entropy"
    target: str = "cortex-m4"
    gradients: GradientType | None = None
    optimize_for: Objective = "latency"
    limits: SearchLimits = TRAINING_LIMITS
    rule: UpdateRule = DEFAULT_RULE
    # What was answered: searches ask for the same.
    _needs: dict[Any, Needs] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """Those that can be trained."""
        return layers_of(OperatorGraph.of(self.forward))

    def arena_bytes(self, scheme: Scheme, budget_bytes: int | None) -> int:
        """Of inference and step, as they are compiled for such a budget, or for none."""
        return self._planned(scheme, self.optimize_for, budget_bytes, self.limits).program.arena_bytes

    def needs(self, scheme: Scheme, budget: Budget) -> Needs:
        """Of a scheme as it is compiled for such a budget.

        Where what is live is too much already, that is told in place of the arena: it takes less time.
        """
        key = tuple(scheme.layers.items()), budget
        if key not in self._needs:
            self._needs[key] = self._needed(scheme, budget)
        return self._needs[key]

    def _needed(self, scheme: Scheme, budget: Budget) -> Needs:
        outline = self.outline(scheme)
        live_bytes = max(plan.lower_bound_bytes for plan in outline.program.entries.values())
        if live_bytes > budget.bytes:
            return Needs(live_bytes, whole_instructions(outline))
        planned = self._planned(scheme, self.optimize_for, budget.bytes, self.limits)
        return Needs(planned.program.arena_bytes, step_instructions(planned))

    def outline(self, scheme: Scheme) -> PlannedStep:
        """The step that needs least memory, of which is told what is live, and no more."""
        return self._planned(scheme, "memory", None, _OUTLINE)

    def part_bytes(self, layer: str, share: float) -> PartBytes:
        """Of a share of a layer's weights."""
        return part_bytes(self.layers[layer], share, has_velocities=self.rule.has_velocities)

    def _planned(
        self, scheme: Scheme, optimize_for: Objective, budget_bytes: int | None, limits: SearchLimits
    ) -> PlannedStep:
        return planned_step(
            self.forward,
            scheme,
            loss=self.loss,
            rule=self.rule,
            gradients=self.gradients,
            target=target_named(self.target),
            schedule=replace(read_options(optimize_for, "auto", budget_bytes), limits=limits),
        )


def step_model(planner: StepPlanner, contributions: Contributions) -> StepModel:
    """Of all that gains something. Raises TrainingError for another network's."""
    contributions.check(planner.layers)
    gaining = [
        (layer, share)
        for layer, shares in contributions.shares.items()
        for share in shares
        if contributions.weights(layer, share).mean > 0
    ]
    biases = {
        depth: planner.outline(Parts(depth, {}).scheme(planner.layers)) for depth in contributions.depths
    }
    memory = MemoryModel(
        {depth: moments_of(planned) for depth, planned in biases.items()},
        {part: planner.part_bytes(*part) for part in gaining},
    )
    steps = {depth: whole_instructions(planned) for depth, planned in biases.items()}
    return StepModel(memory, InstructionModel(steps, _updates(planner, contributions.depths[-1], gaining)))


def _updates(
    planner: StepPlanner, depth: int, parts: Sequence[tuple[str, float]]
) -> dict[tuple[str, float], int]:
    """Instructions of updates of weights, as they are where the greatest shares train together."""
    greatest: dict[str, float] = {}
    for layer, share in parts:
        greatest[layer] = max(share, greatest.get(layer, 0.0))
    if not greatest:
        return {}
    told = update_instructions(planner.outline(Parts(depth, greatest).scheme(planner.layers)))
    channels = {part: len(trained_channels(planner.layers[part[0]], part[1])) for part in parts}
    return {
        (layer, share): told[layer] * channels[layer, share] // channels[layer, greatest[layer]]
        for layer, share in parts
    }


def search(
    planner: StepPlanner,
    contributions: Contributions,
    budget: Budget,
    *,
    method: Method = "exact",
    sums: StepModel | None = None,
    caution: float = 1.0,
) -> Found:
    """The scheme whose contributions add up to most, of those that fit.

    Sums propose it, the planner accepts it or not: what it refuses is left out, and all that trains more.
    budget: for inference and step together.
    sums: what `step_model` gives, if it is there already.
    caution: by how many standard errors contributions are taken less, so that nothing is chosen for what
        chance added to it.

    Raises TrainingError where no scheme fits: it says what the least is.
    """
    model = sums or step_model(planner, contributions)
    searches = {"exact": ExactSearch, "evolutionary": EvolutionarySearch}
    proposing = searches[method](contributions, model, budget, caution)
    refused: list[tuple[Needs, Needs]] = []
    limit = budget
    while (parts := proposing.best()) is not None:
        needs = planner.needs(parts.scheme(planner.layers), budget)
        if needs.fit(budget):
            is_best = method == "exact" and limit == budget
            return _found(planner, contributions, parts, needs, is_best, len(refused))
        proposing.exclude(parts)
        refused.append((needs, model.least(parts)))
        if len(refused) % _PATIENCE == 0:
            limit = _less(limit, budget, refused[-_PATIENCE:])
            proposing.restrict(limit)
    # What computes twice may need less than sums tell.
    head = Parts(1, {})
    needs = planner.needs(head.scheme(planner.layers), budget)
    if not needs.fit(budget):
        instructions = "" if budget.instructions is None else f" and {needs.instructions:,}"
        raise TrainingError(
            f"no scheme fits {budget}: the least is {needs.bytes:,}{instructions}, "
            f"to train {list(planner.layers)[-1]}, the last layer, alone"
        )
    return _found(planner, contributions, head, needs, False, len(refused))


def _less(limit: Budget, budget: Budget, refused: Sequence[tuple[Needs, Needs]]) -> Budget:
    """A limit for sums, less by what they lacked at the least of what was too much."""
    large = [needs.bytes - least.bytes for needs, least in refused if needs.bytes > budget.bytes]
    less = replace(limit, bytes=limit.bytes - min(large, default=0))
    most = budget.instructions
    if most is None or limit.instructions is None:
        return less
    slow = [needs.instructions - least.instructions for needs, least in refused if needs.instructions > most]
    return replace(less, instructions=limit.instructions - max(0, min(slow, default=0)))


def _found(
    planner: StepPlanner,
    contributions: Contributions,
    parts: Parts,
    needs: Needs,
    is_best: bool,
    refused: int,
) -> Found:
    scheme, gain = parts.scheme(planner.layers), contributions.gain(parts)
    return Found(parts, scheme, gain, needs.bytes, needs.instructions, is_best, refused)
