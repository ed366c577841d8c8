"""Results survive being written and read, and the page is made of what is there."""

from pathlib import Path

import pytest

from benchmarks.records import Measurement, Operator, Setting, read_results, write_results


def measurement(instructions: int) -> Measurement:
    operators = (Operator("conv2d_0", "conv2d", 640), Operator("softmax_0", "softmax", 0))
    return Measurement(instructions, 640, 100, 90, 200, 3000, 700, 650, operators, (instructions, 7), "ab")


def test_results_survive_being_written_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.records.compiler_version", lambda target: "gcc 1")
    setting = Setting("cortex-m4", optimize_for="memory")
    measured = {"b": measurement(2), "a": measurement(1)}
    write_results(setting, measured, tmp_path)
    assert (tmp_path / "cortex-m4-memory.json").exists()
    assert read_results(setting, tmp_path) == measured


def test_a_setting_that_was_not_measured_has_no_results(tmp_path: Path) -> None:
    assert read_results(Setting("cortex-m0"), tmp_path) == {}


def test_cores_of_equal_features_and_costs_share_what_is_generated() -> None:
    assert Setting("cortex-m3").generated_by == Setting("cortex-m4", kernels="portable").generated_by
    assert Setting("cortex-m3").generated_by != Setting("cortex-m0").generated_by
    assert Setting("cortex-m4").generated_by == Setting("cortex-m7").generated_by
    assert Setting("cortex-m4").generated_by != Setting("cortex-m55").generated_by
    assert Setting("cortex-m4").generated_by != Setting("cortex-m4", optimize_for="memory").generated_by
