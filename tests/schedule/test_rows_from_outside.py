"""Schedules of models that are fed by rows: what takes the rows is in a stage, and in one that is not cut."""

import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schedule.test_search import all_schedules, arena_of, random_network, search_in
from tests.tools.networks import inverted_residual, squeeze_and_excite
from tinycc.graph import OperatorGraph
from tinycc.ops.stage import Grid
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan
from tinycc.schedule.candidates import Candidates
from tinycc.schedule.choose import Space
from tinycc.schedule.staged import staged
from tinycc.schedule.two_passes import blocks_of


def candidates_of(module: tvm.IRModule) -> Candidates:
    passes = default_passes("float", input_mode="rows")
    last = [item.info.name for item in passes].index("OrderOperators")
    return Candidates(OperatorGraph.of(tvm.transform.Sequential(passes[: last + 1])(module)))


@settings(max_examples=8)
@given(st.integers(0, 999))
def test_the_least_memory_is_that_of_brute_force(seed: int) -> None:
    candidates = candidates_of(random_network(seed))
    schedules = all_schedules(candidates)
    for schedule in schedules:
        bound = build_plan(staged(candidates.graph, schedule.candidates)).lower_bound_bytes
        assert schedule.candidates[0].is_fed and schedule.live_bytes == bound
    found = search_in(candidates).smallest(lambda schedule: arena_of(candidates, schedule))
    best = min(arena_of(candidates, schedule) for schedule in schedules)
    assert arena_of(candidates, found) == best


def test_on_whole_tensors_the_rows_run_through_the_shortest_stage() -> None:
    candidates = candidates_of(random_network(0))
    whole = Space(candidates).whole
    assert [candidate.is_fed for candidate in whole.candidates] == [True] + [False] * (
        len(whole.candidates) - 1
    )
    assert all(candidate.stage is None for candidate in whole.candidates[1:])
    assert whole.candidates[0].members == min(stage.members for stage in candidates.stages if stage.is_fed)


@pytest.mark.parametrize("grid", [Grid(strips=2), Grid(bands=2), Grid(2, 2, by_layers=True)])
def test_a_stage_that_takes_rows_is_not_cut(grid: Grid) -> None:
    candidates = candidates_of(inverted_residual())
    fed = [stage for stage in candidates.stages if stage.is_fed]
    assert fed and all(candidates.cut(stage, grid) is None for stage in fed)


def test_rows_come_once_so_nothing_is_made_of_them_again() -> None:
    assert blocks_of(candidates_of(squeeze_and_excite())) == []
