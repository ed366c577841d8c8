"""A scheduled module opened again is the module on whole tensors."""

import pytest
import tvm
from tvm import relax

from tests.tools.kernel_runner import module_of
from tests.tools.networks import Network, inverted_residual, shared, squeeze_and_excite
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan
from tinycc.schedule.options import Form, ScheduleOptions
from tinycc.schedule.whole_tensors import whole_tensors


def scheduled(module: tvm.IRModule, form: Form) -> tvm.IRModule:
    return tvm.transform.Sequential(default_passes("float", ScheduleOptions(form=form)))(module)


def classifier() -> tvm.IRModule:
    """Stages, a view between two operators of one, and an operator by itself."""
    network = Network()

    def body(x: relax.Expr) -> relax.Expr:
        first = network.convolution(x, 4, 3, 3, 2)
        scores = network.dense(network.convolution(first, 2, 4, 3), 5 * 4 * 2, 6)
        return network.dense(scores, 6, 3)

    return shared(module_of([((1, 9, 7, 3), "int8")], body))


@pytest.mark.parametrize("network", [inverted_residual, classifier])
@pytest.mark.parametrize("form", ["stream", "whole"])
def test_the_plan_is_that_of_whole_tensors(network: type, form: Form) -> None:
    module = network()
    opened = whole_tensors(scheduled(module, form))
    assert relax.analysis.check_well_formed(opened)
    plan, expected = build_plan(opened), build_plan(scheduled(module, "whole"))
    assert [step.name for step in plan.steps] == [step.name for step in expected.steps]
    assert plan.buffers == expected.buffers
    assert plan.arena_bytes == expected.arena_bytes


def test_what_was_computed_again_is_computed_once() -> None:
    options = ScheduleOptions("memory", most_extra=10.0)
    module = squeeze_and_excite()
    again = tvm.transform.Sequential(default_passes("float", options))(module)
    members = [member for step in build_plan(again).steps for member in (step, *step.members)]
    assert any(member.operator.is_repeated for member in members)
    plan, expected = build_plan(whole_tensors(again)), build_plan(scheduled(module, "whole"))
    assert [step.name for step in plan.steps] == [step.name for step in expected.steps]
    assert plan.buffers == expected.buffers


def test_an_input_that_came_by_rows_is_in_memory_whole() -> None:
    passes = default_passes("float", ScheduleOptions(form="stream"), input_mode="rows")
    plan = build_plan(whole_tensors(tvm.transform.Sequential(passes)(inverted_residual())))
    expected = build_plan(scheduled(inverted_residual(), "whole"))
    assert plan.row_input is None and plan.inputs == ("input0",)
    assert [step.operator.kind for step in plan.steps[:1]] == ["input_rows"]
    assert plan.arena_bytes == expected.arena_bytes
