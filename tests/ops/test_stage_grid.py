"""Stages cut into strips, bands and patches compute what whole tensors do, and as much as they say."""

import re
from collections.abc import Callable

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.tools.cut_stages import CutStages
from tests.tools.kernel_runner import module_of, run_plan
from tests.tools.layers import random_inputs
from tests.tools.networks import Network, inverted_residual, shared
from tinycc.ops.stage import UNCUT, Grid, Stage
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan

SHAPE = (1, 11, 13, 3)
GRIDS = [
    Grid(strips=2),
    Grid(strips=5),
    Grid(bands=3),
    Grid(2, 2),
    Grid(4, 3),
    Grid(3, 3, by_layers=True),
    Grid(2, 4, by_layers=True),
]


def strided(network: Network, x: relax.Expr) -> relax.Expr:
    first = network.convolution(x, 4, 3, 3, 2)
    return network.convolution(network.depthwise(first, 4, 5), 6, 4)


def residual(network: Network, x: relax.Expr) -> relax.Expr:
    first = network.convolution(network.convolution(x, 4, 3, 3), 3, 4, 3)
    return network.add(first, network.convolution(x, 3, 3))


def joined(network: Network, x: relax.Expr) -> relax.Expr:
    first = network.convolution(x, 4, 3, 3)
    pooled = relax.op.concat([first, network.depthwise(first, 4, 5)], 3)
    return network.convolution(network.pooled(pooled), 2, 8)


BODIES: dict[str, Callable[[Network, relax.Expr], relax.Expr]] = {
    "strides": strided,
    "residual": residual,
    "concatenation and pooling": joined,
}


def module_for(name: str) -> tvm.IRModule:
    network = Network()
    return shared(module_of([(SHAPE, "int8")], lambda x: BODIES[name](network, x)))


def planned(module: tvm.IRModule, grid: Grid) -> Plan:
    return build_plan(tvm.transform.Sequential([*default_passes("float")[:-1], CutStages(grid)])(module))


def whole(module: tvm.IRModule) -> Plan:
    return build_plan(tvm.transform.Sequential(default_passes("float"))(module))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("name", BODIES)
def test_a_cut_stage_computes_what_whole_tensors_do(name: str, grid: Grid) -> None:
    module = module_for(name)
    plan = planned(module, grid)
    [step] = plan.steps
    assert isinstance(step.operator, Stage) and step.operator.grid == grid
    inputs = random_inputs([(SHAPE, "int8")], 0)
    [[cut]], [[expected]] = run_plan(plan, [inputs], True), run_plan(whole(module), [inputs], True)
    np.testing.assert_array_equal(cut, expected)


# Counts where kernels are called; the name in parentheses is the kernel itself.
_COUNTING = """
#include <stdio.h>
static long counted;
#define tinycc_conv2d_int8(rows, out, x0, x1, shape, data) \\
    (counted += (long)((x1) - (x0)) * (shape)->kernel_height * (shape)->kernel_width * \\
        (shape)->input_channels / (shape)->groups * (shape)->output_channels, \\
     (tinycc_conv2d_int8)(rows, out, x0, x1, shape, data))
#define tinycc_pointwise_int8(row, out, x0, x1, shape, data) \\
    (counted += (long)((x1) - (x0)) * (shape)->input_channels * (shape)->output_channels, \\
     (tinycc_pointwise_int8)(row, out, x0, x1, shape, data))
#define tinycc_depthwise_conv2d_int8(rows, out, x0, x1, shape, data) \\
    (counted += (long)((x1) - (x0)) * (shape)->kernel_height * (shape)->kernel_width * \\
        (shape)->input_channels * (shape)->depth_multiplier, \\
     (tinycc_depthwise_conv2d_int8)(rows, out, x0, x1, shape, data))
"""
_TELLING = """
static __attribute__((destructor)) void tell(void)
{
    fprintf(stderr, "%ld", counted);
}
"""


def counting(source: str) -> str:
    """model.c that tells on the standard error, at its end, how many MACs were executed."""
    end = max(match.end() for match in re.finditer(r'#include "kernels/.*"\n', source))
    return source[:end] + _COUNTING + source[end:] + _TELLING


@pytest.mark.parametrize("grid", [UNCUT, *GRIDS], ids=str)
@pytest.mark.parametrize("name", BODIES)
def test_extra_macs_are_what_the_code_executes(name: str, grid: Grid) -> None:
    plan = planned(module_for(name), grid)
    messages: list[str] = []
    run_plan(plan, [random_inputs([(SHAPE, "int8")], 0)], False, edit=counting, messages=messages)
    [step] = plan.steps
    stage = step.operator
    assert isinstance(stage, Stage)
    assert int(messages[-1]) == stage.executed_macs
    assert stage.extra_macs == (0 if grid.is_whole else stage.executed_macs - stage.macs)


def test_strips_need_narrower_rings_and_compute_halos_again() -> None:
    module = inverted_residual(height=16, width=12, channels=4, expansion=6)
    rings = {}
    for strips in (1, 2, 3):
        [step] = planned(module, Grid(strips=strips)).steps
        assert isinstance(step.operator, Stage)
        rings[strips] = {ring.member: ring.bytes for ring in step.operator.rings}
    # Three rows of 24 channels: 12 columns, 6 and one to the right, 4 and one at either side.
    assert [rings[strips][0] for strips in (1, 2, 3)] == [3 * 24 * 12, 3 * 24 * 7, 3 * 24 * 6]
    [step] = planned(module, Grid(strips=3)).steps
    # Of the first convolution, 4 columns too many in each row; the others compute nothing twice.
    assert step.operator.extra_macs == 16 * 4 * 4 * 24


def test_patches_hold_all_rows_of_a_band_at_once() -> None:
    module = inverted_residual(height=16, width=12, channels=4, expansion=6)
    [step] = planned(module, Grid(2, 2, by_layers=True)).steps
    assert isinstance(step.operator, Stage)
    rings = {ring.member: ring.bytes for ring in step.operator.rings}
    assert rings[0] == 24 * 9 * 7


def test_a_cut_that_is_finer_than_the_output_is_refused() -> None:
    assert not any(
        isinstance(step.operator, Stage) for step in planned(module_for("strides"), Grid(99)).steps
    )
