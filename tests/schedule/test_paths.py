"""The cheapest path is that of brute force, also where sequences are refused."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schedule.test_search import all_schedules, candidates_of, random_network
from tinycc.schedule.candidates import Candidate
from tinycc.schedule.paths import GivenSteps, Path, cheapest_path
from tinycc.schedule.within import StepsWithin


def is_part(part: Path, path: Path) -> bool:
    return any(path[index : index + len(part)] == part for index in range(len(path)))


def cost(candidate: Candidate) -> int:
    return candidate.instructions


@settings(max_examples=8)
@given(st.integers(0, 999))
def test_no_path_goes_along_what_is_refused_and_none_is_cheaper(seed: int) -> None:
    random = np.random.default_rng(seed)
    candidates = candidates_of(random_network(seed))
    steps = [*candidates.whole, *candidates.stages]
    given_steps = GivenSteps([[s for s in steps if s.first == i] for i in range(len(candidates.nodes))])
    left = [schedule.candidates for schedule in all_schedules(candidates)]
    refused: list[Path] = []
    while left:
        found = cheapest_path(given_steps, cost, refused)
        assert found in left
        assert sum(map(cost, found)) == min(sum(map(cost, path)) for path in left)
        first = int(random.integers(len(found)))
        refused.append(found[first : first + int(random.integers(1, 4))])
        left = [path for path in left if not is_part(refused[-1], path)]
    assert cheapest_path(given_steps, cost, refused) is None


@settings(max_examples=8)
@given(st.integers(0, 999))
def test_a_way_costs_no_less_than_is_said_beforehand(seed: int) -> None:
    candidates = candidates_of(random_network(seed))
    steps = StepsWithin(candidates, candidates.most_whole, is_cut=True)
    for schedule in all_schedules(candidates, cut=True):
        left = sum(map(cost, schedule.candidates))
        for step in schedule.candidates:
            kind = 0 if step.grid is None else 1 if step.grid.strips == 1 else 2
            assert steps.least_cost(step.first, kind) <= left
            left -= cost(step)
