"""Helium kernels row by row, over rings and over parts of rows: what whole tensors give without them."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.ops import test_stage, test_stage_grid
from tests.tools.cut_stages import CutStages
from tests.tools.kernel_runner import module_of, run_plan
from tests.tools.layers import random_inputs
from tests.tools.networks import Network, shared
from tinycc.ops.stage import Grid, Stage
from tinycc.passes import select_kernels
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan
from tinycc.schedule.options import ScheduleOptions

STREAM = ScheduleOptions(form="stream")
HELIUM = ("helium",)


@pytest.fixture(autouse=True, scope="module")
def first_preference() -> Iterator[None]:
    """Small operators run by Helium kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


def planned(module: tvm.IRModule, passes: Sequence[tvm.transform.Pass]) -> Plan:
    return build_plan(tvm.transform.Sequential(list(passes))(module))


def check(module: tvm.IRModule, plan: Plan, kinds: set[str]) -> None:
    """Assert that one stage runs Helium kernels of these kinds and gives what plain kernels give."""
    [step] = plan.steps
    assert isinstance(step.operator, Stage)
    assert {member.kind for member in step.operator.members if member.variant == "helium"} == kinds
    inputs = random_inputs([(test_stage_grid.SHAPE, "int8")], 0)
    [[result]], [[expected]] = (
        run_plan(each, [inputs], True) for each in (plan, planned(module, default_passes("float")))
    )
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("grid", [Grid(strips=5), Grid(4, 3)], ids=str)
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("strides", {"conv2d", "depthwise_conv2d"}),
        ("residual", {"conv2d", "add"}),
        ("concatenation and pooling", {"conv2d", "depthwise_conv2d", "max_pool2d"}),
    ],
)
def test_parts_of_rows(name: str, kinds: set[str], grid: Grid) -> None:
    module = test_stage_grid.module_for(name)
    passes = [*default_passes("float", features=HELIUM)[:-1], CutStages(grid)]
    check(module, planned(module, passes), kinds)


def averaged(network: Network, x: relax.Expr) -> relax.Expr:
    return network.average(network.convolution(x, 6, 3, 3), (11, 13))


def classified(network: Network, x: relax.Expr) -> relax.Expr:
    return network.dense(network.convolution(x, 3, 3, 3), 11 * 13 * 3, 7)


@pytest.mark.parametrize(
    ("body", "kind"), [(averaged, "average_pool2d"), (classified, "dense"), (test_stage.residual, "add")]
)
def test_rows(body: test_stage.Body, kind: str) -> None:
    network = Network()
    module = shared(module_of([(test_stage_grid.SHAPE, "int8")], lambda x: body(network, x)))
    check(module, planned(module, default_passes("float", STREAM, HELIUM)), {"conv2d", kind})
