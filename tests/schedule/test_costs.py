"""Predicted instructions: from work and coefficients, and beside counted ones."""

import json
from collections.abc import Callable
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm

from tests.conftest import CompileOnce
from tests.tools.networks import inverted_residual
from tests.tools.training_graphs import training_graph
from tinycc import training
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.stage import Stage
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan
from tinycc.run import run, train
from tinycc.schedule import costs
from tinycc.schedule.costs import Work, predicted_instructions, runs_of
from tinycc.schedule.options import ScheduleOptions
from tinycc.training.gradients import GradientType


def plan_of(form: str, **options: Any) -> Plan:
    passes = default_passes("float", ScheduleOptions(form=form, **options))
    return build_plan(tvm.transform.Sequential(passes)(inverted_residual()))


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, dict[str, float]]]:
    """Coefficients in place of the fitted ones: 2 a multiply-accumulate, 10 a call, and 5 more in a stage."""
    chosen = {"portable": {"any": {"macs": 2.0, "calls": 10.0}}, "stage": {"row_call": {"calls": 5.0}}}
    monkeypatch.setattr(costs, "_models", lambda: chosen)
    return chosen


def test_whole_tensors_take_one_run_of_all_rows(models: dict[str, Any]) -> None:
    for step in plan_of("whole").steps:
        (one,) = runs_of(step.operator)
        assert isinstance(one.call, RowCall)
        assert (one.calls, one.share) == (one.call.rows, 1.0)
        assert predicted_instructions(step.operator) == 2 * step.operator.macs + 10 * one.call.rows


def test_a_stage_takes_a_call_for_each_row(models: dict[str, Any]) -> None:
    (stage,) = (step.operator for step in plan_of("stream").steps if isinstance(step.operator, Stage))
    expected = 2 * stage.macs + (10 + 5) * len(stage.stream.order)
    assert predicted_instructions(stage) == pytest.approx(expected, abs=len(stage.members))


def test_rows_that_the_caller_writes_cost_their_calls(models: dict[str, Any]) -> None:
    models["portable"]["any"] = {"outputs": 1000.0, "calls": 10.0}
    passes = default_passes("float", ScheduleOptions(form="stream"), input_mode="rows")
    [step] = build_plan(tvm.transform.Sequential(passes)(inverted_residual(height=8))).steps
    rows = runs_of(step.operator)[0]
    assert rows.kernel == "tinycc_input_rows_int8" and rows.predicted_instructions == 8 * (10 + 5)


def test_what_is_computed_again_counts_again(models: dict[str, Any]) -> None:
    (stage,) = (
        step.operator for step in plan_of("patch", patches=2).steps if isinstance(step.operator, Stage)
    )
    assert stage.extra_macs > 0
    macs = sum(one.work.macs for one in runs_of(stage))
    assert macs == pytest.approx(stage.macs + stage.extra_macs, rel=1e-3)


def test_a_kernel_with_a_model_of_its_own_uses_it(models: dict[str, Any]) -> None:
    operator = plan_of("whole").steps[0].operator
    models["portable"][runs_of(operator)[0].kernel] = {"runs": 7.0}
    assert predicted_instructions(operator) == 7


def test_every_coefficient_is_of_a_term_and_positive() -> None:
    text = (resources.files("tinycc.schedule") / "costs.json").read_text(encoding="utf-8")
    terms = {field.name for field in fields(Work)}
    for variant, kernels in json.loads(text).items():
        assert (costs.ROW_CALL if variant == costs.STAGE else costs.ANY_KERNEL) in kernels
        for model in kernels.values():
            assert model.keys() <= terms
            assert all(value > 0 for value in model.values())


@pytest.mark.emulator
def test_a_real_model_takes_what_was_predicted(
    corpus: Path, compile_once: CompileOnce, require_tool: Callable[[str], str]
) -> None:
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        require_tool(tool)
    path = corpus / "tflite" / "int8" / "mlperf_kws_dscnn_int8.tflite"
    compiled = compile_once(path, target="cortex-m4", kernels="portable")
    result = run(compiled.folder, "cortex-m4", profile=True)
    predicted = sum(entry["predicted_instructions"] for entry in compiled.report["operators"])
    assert predicted == pytest.approx(sum(result.operator_instructions or ()), rel=0.15)


@pytest.mark.emulator
@pytest.mark.parametrize("gradients", ["float", "integer"])
def test_a_training_step_takes_what_was_predicted(
    gradients: GradientType, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        require_tool(tool)
    # A network that the model was not fitted to.
    compiled = training.compile(training_graph(20), target="cortex-m4", gradients=gradients)
    compiled.export(tmp_path / "model")
    image = np.random.default_rng(0).integers(-128, 128, (1, 1, 8, 8, 3)).astype(np.int8)
    result = train(tmp_path / "model", "cortex-m4", [image], np.array([1]), 0.01, profile=True)
    predicted = sum(entry["predicted_instructions"] for entry in compiled.report["training"]["operators"])
    assert predicted == pytest.approx(sum(result.operator_instructions or ()), rel=0.2)
