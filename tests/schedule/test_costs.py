"""Predicted instructions: from work and coefficients, and beside counted ones."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm

import tinycc
from tests.conftest import CompileOnce
from tests.tools.corpus import ROOT
from tests.tools.float_models import float_tflite
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
from tinycc.target import TARGETS
from tinycc.training.gradients import GradientType


def plan_of(form: str, instruction_set: str = "", **options: Any) -> Plan:
    passes = default_passes("float", ScheduleOptions(form=form, **options), instruction_set=instruction_set)
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


def test_an_instruction_set_with_models_of_its_own_uses_them(models: dict[str, Any]) -> None:
    """For its kernels, and for what a stage takes around them."""
    models |= {
        "portable on small": {"any": {"macs": 4.0, "calls": 30.0}},
        "stage on small": {"row_call": {"calls": 9.0}},
    }
    for step in plan_of("whole", instruction_set="small").steps:
        (one,) = runs_of(step.operator)
        assert predicted_instructions(step.operator) == 4 * step.operator.macs + 30 * one.calls
    plan = plan_of("stream", instruction_set="small")
    (stage,) = (step.operator for step in plan.steps if isinstance(step.operator, Stage))
    expected = 4 * stage.macs + (30 + 9) * len(stage.stream.order)
    assert predicted_instructions(stage) == pytest.approx(expected, abs=len(stage.members))


def test_what_has_no_models_of_an_instruction_set_takes_those_of_all_cores(models: dict[str, Any]) -> None:
    """As a core without an FPU has models of its own for real numbers alone."""
    models["float32 on small"] = {"any": {"macs": 90.0}}
    operator = plan_of("whole", instruction_set="small").steps[0].operator
    assert operator.instruction_set == "small"
    (one,) = runs_of(operator)
    assert one.predicted_instructions == 2 * operator.macs + 10 * one.calls
    real = replace(operator, inputs=tuple(replace(item, dtype="float32") for item in operator.inputs))
    assert replace(one, view=real).predicted_instructions == 90 * operator.macs


def test_any_other_instruction_set_takes_those_of_all_cores(models: dict[str, Any]) -> None:
    models["portable on small"] = {"any": {"macs": 4.0}}
    plans = [plan_of("whole", instruction_set=name) for name in ("", "large")]
    one, other = ([predicted_instructions(step.operator) for step in plan.steps] for plan in plans)
    assert one == other


def test_a_kernel_never_counted_on_an_instruction_set_takes_that_of_all_there(
    models: dict[str, Any],
) -> None:
    """Elsewhere it may be known, but costs another multiple of the work there."""
    models["portable on small"] = {"any": {"runs": 3.0}}
    operator = plan_of("whole", instruction_set="small").steps[0].operator
    models["portable"][runs_of(operator)[0].kernel] = {"runs": 7.0}
    assert predicted_instructions(operator) == 3


def test_what_any_core_runs_was_counted_on_each_instruction_set_that_has_models() -> None:
    text = (resources.files("tinycc.schedule") / "costs.json").read_text(encoding="utf-8")
    models = json.loads(text)
    sets = {costs.fitted_set(target.instruction_set) for target in TARGETS.values()} - {""}
    assert sets == {"armv6-m", "armv7-m", "rv32imc"}
    for instruction_set in sets - {"armv7-m"}:
        for variant in ("portable", "portable_narrow", "portable_blocks"):
            assert models[variant].keys() <= models[f"{variant} on {instruction_set}"].keys()
        assert {f"stage on {instruction_set}", f"float32 on {instruction_set}"} <= models.keys()


def test_every_coefficient_is_of_a_term_and_positive() -> None:
    text = (resources.files("tinycc.schedule") / "costs.json").read_text(encoding="utf-8")
    terms = {field.name for field in fields(Work)}
    for variant, kernels in json.loads(text).items():
        is_stage = variant.partition(" on ")[0] == costs.STAGE
        assert (costs.ROW_CALL if is_stage else costs.ANY_KERNEL) in kernels
        for model in kernels.values():
            assert model.keys() <= terms
            assert all(value > 0 for value in model.values())


@pytest.mark.emulator
def test_a_real_model_takes_what_was_predicted(
    corpus: Path, compile_once: CompileOnce, require_core: Callable[[str], None]
) -> None:
    require_core("cortex-m4")
    path = corpus / "tflite" / "int8" / "mlperf_kws_dscnn_int8.tflite"
    compiled = compile_once(path, target="cortex-m4", kernels="portable")
    result = run(compiled.folder, "cortex-m4", profile=True)
    predicted = sum(entry["predicted_instructions"] for entry in compiled.report["operators"])
    assert predicted == pytest.approx(sum(result.operator_instructions or ()), rel=0.15)


@pytest.mark.emulator
@pytest.mark.parametrize("schedule", ["whole", "stream"])
@pytest.mark.parametrize("core", ["cortex-m0", "rv32imc"])
def test_on_a_core_of_another_instruction_set_too(
    core: str, schedule: str, compile_once: CompileOnce, require_core: Callable[[str], None]
) -> None:
    require_core(core)
    # A network that the model was not fitted to.
    compiled = compile_once(ROOT / "tests" / "data" / "mobile_int8.tflite", target=core, schedule=schedule)
    result = run(compiled.folder, core, profile=True)
    predicted = sum(entry["predicted_instructions"] for entry in compiled.report["operators"])
    assert predicted == pytest.approx(sum(result.operator_instructions or ()), rel=0.1)


@pytest.mark.emulator
@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m3", "cortex-m4"])
def test_real_numbers_with_an_fpu_and_without(
    core: str, tmp_path: Path, require_core: Callable[[str], None]
) -> None:
    require_core(core)
    # A network that the model was not fitted to.
    compiled = tinycc.compile(float_tflite(tmp_path), target=core, allow_float=True)
    compiled.export(tmp_path / "model")
    result = run(tmp_path / "model", core, profile=True)
    predicted = sum(entry["predicted_instructions"] for entry in compiled.report["operators"])
    assert predicted == pytest.approx(sum(result.operator_instructions or ()), rel=0.3)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("core", "gradients"), [("cortex-m4", "float"), ("cortex-m4", "integer"), ("cortex-m0", "integer")]
)
def test_a_training_step_takes_what_was_predicted(
    core: str, gradients: GradientType, tmp_path: Path, require_core: Callable[[str], None]
) -> None:
    require_core(core)
    # A network that the model was not fitted to.
    compiled = training.compile(training_graph(20), target=core, gradients=gradients)
    compiled.export(tmp_path / "model")
    image = np.random.default_rng(0).integers(-128, 128, (1, 1, 8, 8, 3)).astype(np.int8)
    result = train(tmp_path / "model", core, [image], np.array([1]), 0.01, profile=True)
    predicted = sum(entry["predicted_instructions"] for entry in compiled.report["training"]["operators"])
    assert predicted == pytest.approx(sum(result.operator_instructions or ()), rel=0.2)
