"""The depthwise convolution in place by blocks of channels: taken where it takes less memory or work."""

import numpy as np
import pytest
import tvm
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.ops.test_depthwise_conv2d import Attributes, depthwise_module
from tests.tools.kernel_runner import Features, run_plan
from tests.tools.layers import FEATURES, ZERO_POINTS, Shape, inputs_of, windows
from tests.tools.view_reference import reference_of
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan
from tinycc.schedule.options import ScheduleOptions

SAME = {"padding": [2, 2, 2, 2]}


def planned(module: tvm.IRModule, objective: str = "memory", features: Features = ()) -> Plan:
    """The plan of a module for an objective."""
    passes = default_passes("float", ScheduleOptions(objective=objective), features=features)
    return build_plan(tvm.transform.Sequential(passes)(module))


@pytest.mark.parametrize("features", FEATURES)
def test_it_is_taken_where_memory_is_what_counts(features: Features) -> None:
    module = depthwise_module((12, 10), (5, 5), 32, SAME)
    fast, small = (planned(module, objective, features) for objective in ("latency", "memory"))
    assert [plan.steps[0].operator.variant for plan in (fast, small)] == [
        features[0] if features else "portable_blocks",
        "portable_blocks",
    ]
    # The tensor itself and four of its channels, in place of rows and a bit.
    assert small.arena_bytes == 12 * 10 * (32 + 4)
    assert (fast.arena_bytes > small.arena_bytes) == bool(features)


def test_without_a_budget_fewer_instructions_cost_no_memory() -> None:
    wide, narrow = (
        planned(depthwise_module((12, 10), (3, 3), channels, {"padding": [1] * 4}), "latency")
        for channels in (64, 4)
    )
    assert [plan.steps[0].operator.variant for plan in (wide, narrow)] == ["portable_blocks", "portable"]


def test_with_a_budget_fewer_instructions_may_cost_what_fits() -> None:
    module = depthwise_module((12, 10), (3, 3), 4, {"padding": [1] * 4})
    variants = []
    for budget in (2 * 12 * 10 * 4, 12 * 10 * 4 + 60):
        passes = default_passes("float", ScheduleOptions(sram_bytes=budget))
        plan = build_plan(tvm.transform.Sequential(passes)(module))
        assert plan.arena_bytes <= budget
        variants.append(plan.steps[0].operator.variant)
    assert variants == ["portable_blocks", "portable"]


def test_it_is_not_taken_where_copying_its_input_takes_more_than_it_saves() -> None:
    module = depthwise_module((40, 40), (1, 1), 64, {"strides": [8, 8]})
    assert planned(module, "latency").steps[0].operator.variant == "portable"


def test_it_is_not_taken_where_four_channels_are_more_than_the_rows() -> None:
    assert planned(depthwise_module((12, 10), (3, 3), 4, {"padding": [1] * 4})).steps[0].operator.variant == (
        "portable"
    )


@settings(max_examples=8, suppress_health_check=[HealthCheck.filter_too_much])
@given(windows(), st.sampled_from([8, 18, 33]), ZERO_POINTS, st.integers(0, 99))
def test_equals_the_reference_in_place(
    window: tuple[Shape, Shape, Attributes], channels: int, zero_point: int, seed: int
) -> None:
    """Windows of which the rows that they reach back are more than four channels."""
    image, kernel, attributes = window
    plan = planned(
        depthwise_module(image, kernel, channels, attributes, zero_points=(zero_point, 7), seed=seed)
    )
    [step] = plan.steps
    assume(step.operator.variant == "portable_blocks")
    inputs = inputs_of(step.operator, seed)
    [[result]] = run_plan(plan, [inputs], True)
    np.testing.assert_array_equal(result, reference_of(step.operator, inputs))
