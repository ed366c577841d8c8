"""The scheme that gains most under a memory budget, which the planner has the last word on."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import tvm

from tinycc.errors import TrainingError
from tinycc.graph import OperatorGraph
from tinycc.limits import SearchLimits
from tinycc.schedule.options import Objective, read_options
from tinycc.target import target_named
from tinycc.training.build_backward import Loss
from tinycc.training.gradients import GradientType
from tinycc.training.layers import Layer, layers_of
from tinycc.training.planned_step import TRAINING_LIMITS, PlannedStep, planned_step
from tinycc.training.scheme import Scheme
from tinycc.training.scheme_search.contribution import Contributions, Parts
from tinycc.training.scheme_search.evolutionary import EvolutionarySearch
from tinycc.training.scheme_search.exact import ExactSearch
from tinycc.training.scheme_search.memory_model import MemoryModel, Moment, PartBytes, moments_of, part_bytes
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
    is_best: whether none of greater gain fits, as far as sums tell. refused: proposals that did not fit.
    """

    parts: Parts
    scheme: Scheme
    gain: float
    arena_bytes: int
    is_best: bool
    refused: int


@dataclass(frozen=True, eq=False)
class StepPlanner:
    """Answers what memory schemes of a network need.

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

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """Those that can be trained."""
        return layers_of(OperatorGraph.of(self.forward))

    def arena_bytes(self, scheme: Scheme, budget_bytes: int | None) -> int:
        """Of inference and step, as they are compiled for such a budget, or for none."""
        return self._planned(scheme, self.optimize_for, budget_bytes, self.limits).program.arena_bytes

    def needed_bytes(self, scheme: Scheme, budget_bytes: int) -> int:
        """`arena_bytes`, or what is live, which takes less time to tell, where that is too much already."""
        outline = self._planned(scheme, "memory", None, _OUTLINE).program.entries.values()
        live_bytes = max(plan.lower_bound_bytes for plan in outline)
        return live_bytes if live_bytes > budget_bytes else self.arena_bytes(scheme, budget_bytes)

    def moments(self, depth: int) -> list[Moment]:
        """Of the step that trains the biases of so many layers."""
        return moments_of(self._planned(Parts(depth, {}).scheme(self.layers), "memory", None, _OUTLINE))

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
            features=target_named(self.target).features,
            schedule=replace(read_options(optimize_for, "auto", budget_bytes), limits=limits),
        )


def memory_model(planner: StepPlanner, contributions: Contributions) -> MemoryModel:
    """Of all that contributions tell to gain something. Raises TrainingError for another network's."""
    contributions.check(planner.layers)
    moments = {depth: planner.moments(depth) for depth in contributions.depths}
    gaining = (
        (layer, share)
        for layer, shares in contributions.shares.items()
        for share in shares
        if contributions.weights(layer, share).mean > 0
    )
    return MemoryModel(moments, {part: planner.part_bytes(*part) for part in gaining})


def search(
    planner: StepPlanner,
    contributions: Contributions,
    budget_bytes: int,
    *,
    method: Method = "exact",
    memory: MemoryModel | None = None,
) -> Found:
    """The scheme whose contributions add up to most, of those that fit.

    Sums propose it, the planner accepts it or not: what it refuses is left out, and all that trains more.
    budget_bytes: for inference and step together. memory: what `memory_model` gives, if it is there already.

    Raises TrainingError where no scheme fits: it says what the least is.
    """
    model = memory or memory_model(planner, contributions)
    searches = {"exact": ExactSearch, "evolutionary": EvolutionarySearch}
    proposing = searches[method](contributions, model, budget_bytes)
    lacking: list[int] = []
    margin_bytes = 0
    while (parts := proposing.best()) is not None:
        needed = planner.needed_bytes(parts.scheme(planner.layers), budget_bytes)
        if needed <= budget_bytes:
            is_best = method == "exact" and not margin_bytes
            return _found(planner, contributions, parts, needed, is_best, len(lacking))
        proposing.exclude(parts)
        lacking.append(needed - model.least_bytes(parts))
        if len(lacking) % _PATIENCE == 0:
            margin_bytes += min(lacking[-_PATIENCE:])
            proposing.restrict(budget_bytes - margin_bytes)
    # What computes twice may need less than sums tell.
    head = Parts(1, {})
    needed = planner.needed_bytes(head.scheme(planner.layers), budget_bytes)
    if needed > budget_bytes:
        raise TrainingError(
            f"no scheme fits {budget_bytes:,} bytes: the least is {needed:,}, "
            f"to train {list(planner.layers)[-1]}, the last layer, alone"
        )
    return _found(planner, contributions, head, needed, False, len(lacking))


def _found(
    planner: StepPlanner, contributions: Contributions, parts: Parts, needed: int, is_best: bool, refused: int
) -> Found:
    scheme, gain = parts.scheme(planner.layers), contributions.gain(parts)
    return Found(parts, scheme, gain, needed, is_best, refused)
