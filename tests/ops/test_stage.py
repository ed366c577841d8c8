"""Stages compute what their operators compute on whole tensors, in rings and over their own input."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.tools.kernel_runner import module_of, run_plan
from tests.tools.layers import random_inputs
from tests.tools.networks import Network, inverted_residual, shared
from tinycc.ops.stage import Stage
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan
from tinycc.schedule.options import Form, ScheduleOptions

Body = Callable[[Network, relax.Expr], relax.Expr]
SHAPE = (1, 9, 7, 3)


def strided(network: Network, x: relax.Expr) -> relax.Expr:
    first = network.convolution(x, 4, 3, 3, 2)
    return network.convolution(network.depthwise(first, 4, 5), 6, 4)


def residual(network: Network, x: relax.Expr) -> relax.Expr:
    first = network.convolution(network.convolution(x, 4, 3, 3), 3, 4, 3)
    return network.add(first, x)


def pooled(network: Network, x: relax.Expr) -> relax.Expr:
    return network.convolution(network.pooled(network.convolution(x, 4, 3, 3)), 5, 4, 3)


def joined(network: Network, x: relax.Expr) -> relax.Expr:
    first = network.convolution(x, 4, 3, 3)
    return network.convolution(relax.op.concat([first, network.depthwise(first, 4, 5)], 3), 2, 8)


def resized(network: Network, x: relax.Expr) -> relax.Expr:
    larger = relax.op.image.resize2d(
        network.convolution(x, 2, 3), relax.ShapeExpr((18, 14)), layout="NHWC", method="nearest_neighbor",
        coordinate_transformation_mode="asymmetric", rounding_method="floor",
    )  # fmt: skip
    return network.convolution(larger, 2, 2, 3)


def averaged(network: Network, x: relax.Expr) -> relax.Expr:
    return network.mean(network.convolution(x, 5, 3, 3))


def classified(network: Network, x: relax.Expr) -> relax.Expr:
    return network.dense(network.convolution(x, 2, 3, 3), 126, 7)


BODIES: dict[str, Body] = {
    "strides": strided,
    "residual": residual,
    "pooling": pooled,
    "concatenation": joined,
    "resize": resized,
    "mean": averaged,
    "dense": classified,
}


def module_for(body: Body) -> tvm.IRModule:
    network = Network()
    return shared(module_of([(SHAPE, "int8")], lambda x: body(network, x)))


def planned(module: tvm.IRModule, form: Form) -> Plan:
    options = ScheduleOptions(form=form)
    return build_plan(tvm.transform.Sequential(default_passes("float", options))(module))


@pytest.mark.parametrize("name", BODIES)
def test_a_stage_computes_what_whole_tensors_do(name: str) -> None:
    module = module_for(BODIES[name])
    stage, whole = planned(module, "stream"), planned(module, "whole")
    assert [type(step.operator) for step in stage.steps] == [Stage] and len(whole.steps) > 1
    inputs = random_inputs([(SHAPE, "int8")], 0)
    [[streamed]], [[expected]] = run_plan(stage, [inputs], True), run_plan(whole, [inputs], True)
    np.testing.assert_array_equal(streamed, expected)


@pytest.mark.parametrize("name", ["strides", "residual", "pooling", "resize", "mean"])
def test_the_overlap_distance_of_a_stage_is_safe_and_no_larger_than_needed(name: str) -> None:
    plan = planned(module_for(BODIES[name]), "stream")
    [step] = plan.steps
    inputs = random_inputs([(SHAPE, "int8")], 0)
    distance = step.operator.overlap_distance(0)
    assert distance is not None
    [[apart]] = run_plan(at_distance(plan, plan.buffers[step.outputs[0]].bytes), [inputs], True)
    [[near]] = run_plan(at_distance(plan, distance), [inputs], True)
    np.testing.assert_array_equal(near, apart)
    if distance > 0:  # else the output already begins where the input does
        [[nearer]] = run_plan(at_distance(plan, distance - 1), [inputs], True)
        assert (nearer != apart).any()


def at_distance(plan: Plan, distance: int) -> Plan:
    """The plan with the output so far before the input, and all rings behind both."""
    output, end = plan.steps[0].outputs[0], 0
    offsets = {output: max(0, -distance), "input0": max(0, distance)}
    end = max(offsets[name] + plan.buffers[name].bytes for name in offsets)
    for name, buffer in plan.buffers.items():
        if name not in offsets:
            offsets[name] = -(-end // 8) * 8
            end = offsets[name] + buffer.bytes
    buffers = {name: replace(buffer, offset=offsets[name]) for name, buffer in plan.buffers.items()}
    return replace(plan, buffers=buffers, arena_bytes=end)


def test_an_inverted_residual_never_holds_the_expanded_tensor() -> None:
    """Three rows of it and one of what the depthwise convolution makes of them."""
    plan = planned(inverted_residual(height=16, width=6, channels=4, expansion=6), "stream")
    row = 6 * 4 * 6
    rings = {buffer.name: buffer.bytes for buffer in plan.buffers.values() if buffer.kind == "ring"}
    assert rings == {"conv2d_0_rows": 3 * row, "depthwise_conv2d_0_rows": row, "conv2d_1_rows": 6 * 4}
    assert plan.arena_bytes == 16 * 6 * 4 + 4 * row + 6 * 4


def test_nothing_is_computed_twice() -> None:
    [step] = planned(inverted_residual(), "stream").steps
    assert isinstance(step.operator, Stage)
    order = step.operator.stream.order
    assert [order.count(member) for member in range(4)] == [8, 8, 8, 8]
