"""Squeeze-and-excite blocks in two passes: the same result, less memory, a known price."""

import numpy as np
import pytest
import tvm

from tests.schedule.test_search import candidates_of
from tests.tools.kernel_runner import run_plan
from tests.tools.layers import random_inputs
from tests.tools.networks import inverted_residual, squeeze_and_excite
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan
from tinycc.schedule.options import ScheduleOptions
from tinycc.schedule.two_passes import blocks_of

HEIGHT, WIDTH, CHANNELS, WIDE = 12, 8, 4, 24
SHAPE = (1, HEIGHT, WIDTH, CHANNELS)
# What is computed again: the pointwise convolution and the depthwise one.
AGAIN = HEIGHT * WIDTH * (CHANNELS * WIDE + 9 * WIDE)


def planned(module: tvm.IRModule, options: ScheduleOptions) -> Plan:
    return build_plan(tvm.transform.Sequential(default_passes("float", options))(module))


def memory(most_extra: float | None) -> ScheduleOptions:
    return ScheduleOptions("memory", most_extra=most_extra)


def extra_macs(plan: Plan) -> int:
    return sum(step.operator.extra_macs for step in plan.steps)


def test_the_block_is_found_with_all_that_makes_its_wide_tensor() -> None:
    [block] = blocks_of(candidates_of(squeeze_and_excite()))
    assert len(block.makers) == 2
    assert block.saved_bytes == HEIGHT * WIDTH * (WIDE - CHANNELS)


def test_a_block_without_a_reduction_is_left_alone() -> None:
    assert blocks_of(candidates_of(inverted_residual())) == []


def test_two_passes_need_no_room_for_the_wide_tensor_and_cost_what_they_say() -> None:
    module = squeeze_and_excite()
    once = planned(module, memory(0.0))
    total = sum(step.operator.macs for step in once.steps)
    twice = planned(module, memory((AGAIN + 1) / total))
    assert once.arena_bytes > HEIGHT * WIDTH * WIDE > twice.arena_bytes
    assert (extra_macs(once), extra_macs(twice)) == (0, AGAIN)
    inputs = random_inputs([(SHAPE, "int8")], 0)
    [[expected]], [[output]] = run_plan(once, [inputs], True), run_plan(twice, [inputs], True)
    np.testing.assert_array_equal(output, expected)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_no_more_is_computed_again_than_is_allowed(share: float) -> None:
    plan = planned(squeeze_and_excite(), memory(share))
    total = sum(step.operator.macs for step in plan.steps)
    assert extra_macs(plan) <= share * total


def test_a_budget_is_met_by_computing_again_only_where_nothing_else_meets_it() -> None:
    module = squeeze_and_excite()
    least = planned(module, memory(0.0)).arena_bytes
    enough = planned(module, ScheduleOptions(sram_bytes=least))
    tight = planned(module, ScheduleOptions(sram_bytes=least - 1))
    assert extra_macs(enough) == 0 and enough.arena_bytes <= least
    assert extra_macs(tight) > 0 and tight.arena_bytes < least
