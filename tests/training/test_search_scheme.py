"""The scheme that is found fits, and none that fits gains more, of all schemes of a small network."""

from dataclasses import replace
from itertools import product
from typing import get_args

import numpy as np
import pytest
from tvm import relax

from tests.tools.kernel_runner import module_of
from tests.tools.networks import Network, shared
from tinycc import training
from tinycc.errors import TrainingError
from tinycc.training.planned_step import forward_of
from tinycc.training.scheme import fingerprint
from tinycc.training.scheme_search.contribution import Contributions, Parts
from tinycc.training.scheme_search.evolutionary import EvolutionarySearch
from tinycc.training.scheme_search.exact import ExactSearch
from tinycc.training.scheme_search.finalists import decided, finalists
from tinycc.training.scheme_search.instruction_model import InstructionModel
from tinycc.training.scheme_search.memory_model import MemoryModel, Moment, PartBytes
from tinycc.training.scheme_search.search import Method, StepPlanner, search, step_model
from tinycc.training.scheme_search.step_model import Budget, Needs, StepModel

SHARES = (0.5, 1.0)
AMPLE = Budget(2**20)
# So many that gains are all but sure.
CASES = 2**40
# Of biases by depth, and of weights by layer and share.
BIASES = {1: 0.0, 3: 0.05}
WEIGHTS = {("conv2d_0", 0.5): 0.02, ("conv2d_0", 1.0): 0.04, ("conv2d_1", 0.5): 0.06, ("conv2d_1", 1.0): 0.07}


def small_network() -> relax.Expr:
    """Two convolutions, of which the first has the greater results and the second the greater weights."""
    network = Network()

    def body(x: relax.Expr) -> relax.Expr:
        made = network.convolution(network.convolution(x, 8, 4, kernel=3), 24, 8, kernel=3)
        return network.dense(network.mean(made), 24, 5)

    return shared(module_of([((1, 8, 8, 4), "int8")], body))


@pytest.fixture(scope="module")
def planner() -> StepPlanner:
    return StepPlanner(forward_of(small_network()), optimize_for="memory")


@pytest.fixture(scope="module")
def contributions(planner: StepPlanner) -> Contributions:
    scores = {Parts(depth, {}).name: [[0.5 + gain]] for depth, gain in BIASES.items()}
    scores |= {Parts(3, {layer: share}).name: [[0.55 + gain]] for (layer, share), gain in WEIGHTS.items()}
    shares = {"conv2d_0": SHARES, "conv2d_1": SHARES}
    return Contributions({"layers": fingerprint(planner.layers)}, [1, 3], shares, scores, CASES)


@pytest.fixture(scope="module")
def sums(planner: StepPlanner, contributions: Contributions) -> StepModel:
    return step_model(planner, contributions)


@pytest.fixture(scope="module")
def arenas(planner: StepPlanner) -> list[tuple[Parts, Needs]]:
    """Every scheme there is, and what the planner needs for it."""
    every = [Parts(1, {})]
    for chosen in product((0.0, *SHARES), repeat=2):
        told = zip(("conv2d_0", "conv2d_1"), chosen, strict=True)
        every.append(Parts(3, {layer: share for layer, share in told if share}))
    return [(parts, planner.needs(parts.scheme(planner.layers), AMPLE)) for parts in every]


def test_none_that_fits_gains_more(
    planner: StepPlanner, contributions: Contributions, sums: StepModel, arenas: list[tuple[Parts, Needs]]
) -> None:
    for budget_bytes in sorted({needs.bytes for _, needs in arenas})[::4]:
        best = max(contributions.gain(parts).sure for parts, needs in arenas if needs.bytes <= budget_bytes)
        found = search(planner, contributions, Budget(budget_bytes), sums=sums)
        assert found.arena_bytes <= budget_bytes
        assert found.gain.sure == pytest.approx(best) and found.is_best
        evolved = search(planner, contributions, Budget(budget_bytes), method="evolutionary", sums=sums)
        assert evolved.arena_bytes <= budget_bytes and not evolved.is_best
        assert evolved.gain.sure <= best + 1e-9


def test_none_that_takes_so_few_instructions_gains_more(
    planner: StepPlanner, contributions: Contributions, sums: StepModel, arenas: list[tuple[Parts, Needs]]
) -> None:
    for limit in sorted(needs.instructions for _, needs in arenas)[1::4]:
        best = max(contributions.gain(parts).sure for parts, needs in arenas if needs.instructions <= limit)
        found = search(planner, contributions, Budget(AMPLE.bytes, limit), sums=sums)
        assert found.instructions <= limit and found.gain.sure == pytest.approx(best)


def test_finalists_are_different_schemes_that_fit(
    planner: StepPlanner, contributions: Contributions, sums: StepModel, arenas: list[tuple[Parts, Needs]]
) -> None:
    known = {parts.name: needs for parts, needs in arenas}
    sizes = sorted(needs.bytes for needs in known.values())
    for budget in (Budget(sizes[len(sizes) // 2]), AMPLE):
        proposed = finalists(planner, contributions, budget, sums=sums)
        assert proposed[0] == search(planner, contributions, budget, sums=sums).parts
        names = [parts.name for parts in proposed]
        assert len(set(names)) == len(names) > 1
        assert all(known[name].fit(budget) for name in names if name in known)
        assert finalists(planner, contributions, budget, sums=sums, most=2) == proposed[:2]
    # The last layers whole are among them, whatever sums say.
    assert Parts(3, {"conv2d_0": 1.0, "conv2d_1": 1.0}) in proposed


def test_what_was_trained_together_decides(planner: StepPlanner, contributions: Contributions) -> None:
    one, other = Parts(3, {"conv2d_1": 1.0}), Parts(3, {"conv2d_0": 1.0, "conv2d_1": 0.5})
    with pytest.raises(TrainingError, match="not measured to the end: biases of 3, 1 of conv2d_0"):
        decided(planner, contributions, [one, other], AMPLE)
    for score, best in ((0.9, other), (0.1, one)):
        scores = {**contributions.scores, other.name: [[score]]}
        found = decided(planner, replace(contributions, scores=scores), [one, other], AMPLE)
        assert found.parts == best
        assert found.arena_bytes == planner.needs(found.scheme, AMPLE).bytes
        assert found.gain.mean == pytest.approx(max(score, 0.62) - 0.5)


def test_what_gains_is_chosen_where_that_is_sure(planner: StepPlanner, contributions: Contributions) -> None:
    """Of a great gain that seeds do not agree on, and a small one that they do."""
    scores = {
        "biases of 1": [[0.5, 0.5]],
        "biases of 3": [[0.6, 0.6]],
        "biases of 3, 1 of conv2d_0": [[0.6, 0.9]],
        "biases of 3, 1 of conv2d_1": [[0.62, 0.63]],
    }
    shares = {"conv2d_0": [1.0], "conv2d_1": [1.0]}
    given = replace(contributions, shares=shares, scores=scores)
    assert given.weights("conv2d_0", 1.0).mean > 5 * given.weights("conv2d_1", 1.0).mean
    # Of ten cases nothing is sure.
    for known, parts in ((given, Parts(3, {"conv2d_1": 1.0})), (replace(given, cases=10), Parts(1, {}))):
        sums = step_model(planner, known)
        for method in get_args(Method):
            assert search(planner, known, AMPLE, method=method, sums=sums).parts == parts


def test_sums_never_tell_more_than_the_planner(sums: StepModel, arenas: list[tuple[Parts, Needs]]) -> None:
    least = [sums.least(parts) for parts, _ in arenas]
    for told, needed in (
        ([item.bytes for item in least], [needs.bytes for _, needs in arenas]),
        ([item.instructions for item in least], [needs.instructions for _, needs in arenas]),
    ):
        assert np.less_equal(told, needed).all()
        assert np.corrcoef(told, needed)[0, 1] > 0.95
    assert sums.memory.range_bytes == (min(item.bytes for item in least), max(item.bytes for item in least))


def test_what_no_scheme_meets(
    planner: StepPlanner, contributions: Contributions, sums: StepModel, arenas: list[tuple[Parts, Needs]]
) -> None:
    least = arenas[0][1]
    few, slow = least.bytes - 1, least.instructions - 1
    with pytest.raises(
        TrainingError, match=rf"no scheme fits {few:,} bytes: the least is {least.bytes:,}, to train dense_0"
    ):
        search(planner, contributions, Budget(few), sums=sums)
    with pytest.raises(
        TrainingError,
        match=rf"and {slow:,} instructions of a step: the least is {least.bytes:,} and "
        rf"{least.instructions:,}, to train dense_0, the last layer, alone",
    ):
        search(planner, contributions, Budget(AMPLE.bytes, slow), sums=sums)


def test_contributions_of_another_network(planner: StepPlanner, contributions: Contributions) -> None:
    other = replace(contributions, setup={"layers": "0123"})
    with pytest.raises(TrainingError, match="measured of another model"):
        search(planner, other, AMPLE)


def test_a_model_is_compiled_for_a_budget(
    contributions: Contributions, arenas: list[tuple[Parts, Needs]]
) -> None:
    budget_bytes = max(needs.bytes for _, needs in arenas)
    compiled = training.compile(small_network(), memory=budget_bytes, contributions=contributions)
    assert compiled.report["arena_bytes"] <= budget_bytes
    names = {state["name"] for state in compiled.report["training"]["states"]}
    assert {"conv2d_0_weights", "conv2d_1_weights", "dense_0_weights"} <= names
    with pytest.raises(TrainingError, match="give contributions= as well"):
        training.compile(small_network(), memory="1M")


@pytest.mark.parametrize("seed", range(2))
def test_exact_search_is_exhaustive_search(seed: int) -> None:
    """On random sums of six layers, with proposals that are refused."""
    random = np.random.default_rng(seed)
    layers = [f"conv2d_{index}" for index in range(6)]
    memory = MemoryModel(
        {
            depth: [
                Moment(int(random.integers(10, 60)), frozenset(layers[7 - depth : 7 - depth + length]))
                for length in range(depth)
            ]
            + [Moment(5 * depth, frozenset(layers[7 - depth :]))]
            for depth in (1, 3, 5, 7)
        },
        {
            (layer, share): PartBytes(*map(int, random.integers(1, 25, 2)))
            for layer in layers
            for share in SHARES
        },
    )
    steps = {depth: 100 * depth for depth in memory.moments}
    updates = {part: int(random.integers(1, 200)) for part in memory.parts}
    sums, budget = StepModel(memory, InstructionModel(steps, updates)), Budget(90, 900)
    scores = {Parts(depth, {}).name: [[random.uniform(0.0, 0.7)]] for depth in (1, 3, 5, 7)}
    scores |= {
        Parts(7, {layer: share}).name: [[random.uniform(0.2, 0.9)]] for layer in layers for share in SHARES
    }
    contributions = Contributions({}, [1, 3, 5, 7], dict.fromkeys(layers, SHARES), scores, 1000)
    every = [
        Parts(depth, {layer: share for layer, share in zip(layers, chosen, strict=True) if share})
        for depth in memory.moments
        for chosen in product((0.0, *SHARES), repeat=6)
        if not any(chosen[: 7 - depth])
    ]
    fitting = [parts for parts in every if sums.least(parts).fit(budget)]
    exact, evolving = (kind(contributions, sums, budget) for kind in (ExactSearch, EvolutionarySearch))
    for _ in range(4):
        if not fitting:
            assert exact.best() is None
            break
        best = max(contributions.gain(parts).sure for parts in fitting)
        found, evolved = exact.best(), evolving.best()
        assert found in fitting and evolved in fitting
        assert contributions.gain(found).sure == pytest.approx(best, abs=1e-5)
        assert contributions.gain(evolved).sure <= best + 1e-9
        exact.exclude(found)
        evolving.exclude(found)
        fitting = [parts for parts in fitting if not parts.includes(found)]
    exact.restrict(Budget(1))
    evolving.restrict(Budget(1))
    assert exact.best() is None and evolving.best() is None
