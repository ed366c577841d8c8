"""Schemes that may be the best within a budget, to be trained as they are.

Contributions are measured one at a time, and need not add up: two layers may learn the same, or need a
smaller rate together. So sums propose several schemes, bolder and more careful ones, for each depth of
biases, and the last layers, which need no measurement, stand beside them. What is trained together and tested
on held-out cases decides.
"""

from collections.abc import Sequence

from tinycc.training.scheme_search.contribution import Contributions, Parts
from tinycc.training.scheme_search.search import Found, Method, StepPlanner, search
from tinycc.training.scheme_search.step_model import Budget, StepModel

# By how many standard errors each part's gain is taken less.
_CAUTIONS = (0.0, 0.5, 1.0, 2.0)


def finalists(
    planner: StepPlanner,
    contributions: Contributions,
    budget: Budget,
    *,
    sums: StepModel,
    most: int = 8,
    method: Method = "exact",
) -> list[Parts]:
    """Different ones that fit, at most so many; what `search` finds is the first.

    sums, method: as for `search`. Raises what it does.
    """

    def searched(model: StepModel, caution: float) -> Found:
        return search(planner, contributions, budget, method=method, sums=model, caution=caution)

    first = searched(sums, 1.0).parts
    others = [
        searched(sums.of_depth(depth), caution) for depth in sums.memory.moments for caution in _CAUTIONS
    ]
    others.sort(key=lambda found: -found.gain.sure)
    proposed = [first, *_last_layers(planner, contributions, budget), *(found.parts for found in others)]
    return list({parts.name: parts for parts in proposed}.values())[:most]


def decided(
    planner: StepPlanner, contributions: Contributions, proposed: Sequence[Parts], budget: Budget
) -> Found:
    """The one that gains most as they were measured. Raises TrainingError where one was not."""
    parts = max(proposed, key=lambda parts: contributions.together(parts).mean)
    scheme = parts.scheme(planner.layers)
    needs = planner.needs(scheme, budget)
    gain = contributions.together(parts)
    return Found(parts, scheme, gain, needs.bytes, needs.instructions, is_best=False, refused=0)


def _last_layers(planner: StepPlanner, contributions: Contributions, budget: Budget) -> list[Parts]:
    """As many of the last layers as can train whole, of those that are looked at."""
    names = list(contributions.shares)
    fitting: list[Parts] = []
    for count in range(1, len(names) + 1):
        parts = Parts(count + 1, dict.fromkeys(names[-count:], 1.0))
        if not planner.needs(parts.scheme(planner.layers), budget).fit(budget):
            break
        fitting = [parts]
    return fitting
