"""A scheduled module is well-formed and computes, on TVM's own VM, what it computed before."""

from collections.abc import Callable

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.assert_pass import names_in
from tests.tools.networks import inverted_residual, squeeze_and_excite
from tinycc.passes.pipeline import default_passes
from tinycc.schedule.options import ScheduleOptions

OPTIONS = {
    "whole": ScheduleOptions(form="whole"),
    "stream": ScheduleOptions(form="stream"),
    "patches": ScheduleOptions(form="patch", patches=2),
    "computed again": ScheduleOptions("memory", most_extra=None),
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("network", [inverted_residual, squeeze_and_excite])
def test_the_module_runs_as_before(network: Callable[[], tvm.IRModule], option: str) -> None:
    before = network()
    after = tvm.transform.Sequential(default_passes("float", OPTIONS[option]))(before)
    relax.analysis.well_formed(after)
    inputs = random_inputs(before)
    [expected], [actual] = run_on_vm(before, inputs), run_on_vm(relax.transform.LambdaLift()(after), inputs)
    np.testing.assert_array_equal(actual, expected)


def test_operators_become_members_of_a_stage() -> None:
    passes = default_passes("float", OPTIONS["stream"])
    module = tvm.transform.Sequential(passes)(inverted_residual())
    assert names_in(module) == ["stage"]
    assert len(module.functions) == 2


def test_a_module_of_whole_tensors_is_left_as_it_is() -> None:
    passes = default_passes("float", OPTIONS["whole"])
    before = tvm.transform.Sequential(passes[:-1])(inverted_residual())
    assert names_in(passes[-1](before)) == names_in(before)
