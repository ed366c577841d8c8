"""Flash that is left goes to wide weights, those that save most for a byte first, and to the byte."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax

import tinycc
from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.cut_stages import CutStages
from tests.tools.kernel_runner import module_of, run_plan
from tests.tools.networks import Network
from tinycc.ops.stage import Grid
from tinycc.passes.pipeline import default_passes
from tinycc.passes.widen_weights import CODE_BYTES, WidenWeights
from tinycc.schedule import costs
from tinycc.schedule.options import ScheduleOptions

DSP = ("dsp",)
MODEL = Path(__file__).parents[1] / "data" / "mobile_int8.tflite"
# More that wide weights of the network's convolutions take; the first saves most for a byte.
SIZES = [16 * 4, 64 * 16, 8 * 64]
# Passes that cut it into stages, whose tables lie in flash, too.
SCHEDULES: dict[str, list[tvm.transform.Pass]] = {
    "whole": [],
    "row by row": [CutStages(Grid())],
    "bands and strips": [CutStages(Grid(2, 2))],
    "patches": [CutStages(Grid(2, 2, by_layers=True))],
}


def network() -> tvm.IRModule:
    """Three convolutions, each of fewer pixels than the one before."""
    layers = Network()

    def body(x: relax.Expr) -> relax.Expr:
        first = layers.pooled(layers.convolution(x, 16, 4))
        return layers.convolution(layers.pooled(layers.convolution(first, 64, 16)), 8, 64)

    return module_of([((1, 16, 16, 4), "int8")], body)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, dict[str, float]]]:
    """Coefficients in place of the fitted ones: wide weights save half an instruction of each two."""
    chosen = {
        "portable": {"any": {"macs": 3.0}},
        "dsp": {"any": {"macs": 1.0}},
        "dsp_wide": {"any": {"macs": 0.5}},
        "stage": {"row_call": {"calls": 0.0}},
    }
    monkeypatch.setattr(costs, "_models", lambda: chosen)
    return chosen


def compiled(schedule: str, flash_bytes: int | None) -> tinycc.CompiledModel:
    passes = [*default_passes("float", features=DSP)[:-1], *SCHEDULES[schedule]]
    if flash_bytes is not None:
        passes.append(WidenWeights(flash_bytes))
    return tinycc.compile(network(), passes=passes)


def widened(model: tinycc.CompiledModel) -> list[bool]:
    """Which of the convolutions have wide weights."""
    operators = model.report["operators"]
    return [operator["variant"] == "dsp_wide" for operator in operators if operator["kind"] == "conv2d"]


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_budget_is_used_to_the_byte(schedule: str) -> None:
    narrow = compiled(schedule, None)
    least = narrow.report["weight_bytes"] + CODE_BYTES
    assert widened(narrow) == [False] * 3
    for count in range(4):
        budget = least + sum(SIZES[:count])
        model = compiled(schedule, budget)
        assert widened(model) == [index < count for index in range(3)]
        assert model.report["weight_bytes"] == budget - CODE_BYTES
        assert model.report["arena_bytes"] == narrow.report["arena_bytes"]
        if count:
            assert not widened(compiled(schedule, budget - 1))[count - 1]


@pytest.mark.usefixtures("models")
def test_what_does_not_fit_leaves_its_room_to_others() -> None:
    least = compiled("whole", None).report["weight_bytes"] + CODE_BYTES
    assert widened(compiled("whole", least + SIZES[0] + SIZES[2])) == [True, False, True]


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_same_bytes_come_out(schedule: str) -> None:
    inputs = random_inputs(network())
    narrow, wide = compiled(schedule, None), compiled(schedule, 1 << 20)
    assert all(widened(wide))
    [expected], [actual] = (run_plan(model.plan, [inputs], True)[0] for model in (narrow, wide))
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("form", ["whole", "stream"])
def test_the_module_runs_as_before(form: Any) -> None:
    passes = default_passes("float", ScheduleOptions(form=form), DSP, flash_bytes=1 << 20)
    before = network()
    after = tvm.transform.Sequential(passes)(before)
    relax.analysis.well_formed(after)
    inputs = random_inputs(before)
    [expected], [actual] = run_on_vm(before, inputs), run_on_vm(relax.transform.LambdaLift()(after), inputs)
    np.testing.assert_array_equal(actual, expected)


def test_weights_that_save_nothing_stay_as_they_are(models: dict[str, Any]) -> None:
    models["dsp_wide"] = models["dsp"]
    assert widened(compiled("whole", 1 << 20)) == [False] * 3


def test_flash_is_for_wide_weights_only_where_it_was_given() -> None:
    def variants(**options: Any) -> set[str]:
        report = tinycc.compile(MODEL, target="cortex-m4", **options).report
        return {operator["variant"] for operator in report["operators"]}

    assert "dsp_wide" not in variants()
    assert "dsp_wide" not in variants(flash="24K")
    assert "dsp_wide" in variants(flash="1M")
    assert "dsp_wide" in variants(flash="1M", optimize_for="memory")
    assert "dsp_wide" not in variants(flash="1M", kernels="portable")
