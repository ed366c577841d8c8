"""The steps that make a plan too large are as few as there are, and what they take is the least they can."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schedule.test_search import all_schedules, candidates_of, random_network
from tinycc.plan import Plan, bottleneck
from tinycc.plan.arena import place
from tinycc.plan.model import Buffer
from tinycc.schedule.choose import Space


def least_of(plan: Plan, steps: range) -> int:
    """The least arena of what is live in some steps, were there no others."""
    live: Mapping[str, Buffer] = {
        name: replace(
            item, first_step=max(item.first_step, steps.start), last_step=min(item.last_step, steps.stop - 1)
        )
        for name, item in plan.buffers.items()
        if item.first_step < steps.stop and item.last_step >= steps.start
    }
    overlaps = {
        (step.outputs[0], name): gap
        for step in plan.steps[steps.start : steps.stop]
        for name, gap in step.overlaps.items()
    }
    exact = {pair for step in plan.steps for pair in step.exact_overlaps if pair in overlaps}
    return place(list(live.values()), overlaps, 0, exact).arena_bytes


@settings(max_examples=8)
@given(st.integers(0, 999))
def test_fewer_steps_fit_and_these_take_what_is_said(seed: int) -> None:
    space = Space(candidates_of(random_network(seed)))
    schedules = all_schedules(space.candidates)
    schedule = schedules[int(np.random.default_rng(seed).integers(len(schedules)))]
    plan = space.plan_of(schedule)
    for most in {plan.arena_bytes - 1, plan.arena_bytes * 2 // 3, plan.arena_bytes // 3}:
        found = bottleneck(plan, most)
        assert most < found.least_bytes == least_of(plan, found.steps) <= plan.arena_bytes
        for part in (found.steps[1:], found.steps[:-1]):
            assert not part or least_of(plan, part) <= most
