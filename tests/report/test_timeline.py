"""What is live when: by operator, at the bottlenecks, and what each tensor costs."""

from typing import Any

import tvm

from tests.tools.networks import inverted_residual
from tinycc.ops.stage import Stage
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan
from tinycc.report.timeline import Timeline
from tinycc.schedule.options import Form, ScheduleOptions

ROW = 6 * 4 * 6
TENSOR = 8 * 6 * 4


FORMS: tuple[Form, ...] = ("stream", "whole")


def planned(form: Form) -> Plan:
    options = ScheduleOptions(form=form)
    module = inverted_residual(height=8, width=6, channels=4, expansion=6)
    return build_plan(tvm.transform.Sequential(default_passes("float", options))(module))


def described(form: Form) -> tuple[Plan, dict[str, Any]]:
    plan = planned(form)
    return plan, Timeline(plan).describe()


def test_a_member_of_a_stage_has_what_is_live_during_its_own_row_calls() -> None:
    plan, told = described("stream")
    [step] = plan.steps
    assert isinstance(step.operator, Stage)
    expected = []
    for member in range(4):
        calls = [call for call, turn in enumerate(step.operator.stream.order) if turn == member]
        expected.append(max(
            TENSOR + sum(buffer.bytes for buffer in plan.buffers.values()
                         if any(first <= call <= last for first, last in buffer.moments))
            for call in calls
        ))  # fmt: skip
    # The stage's output lies over its input.
    assert [operator["live_bytes"] for operator in told["operators"]] == expected
    assert max(expected) == told["lower_bound_bytes"]


def test_the_worst_bottleneck_is_the_peak() -> None:
    for form in FORMS:
        plan, told = described(form)
        peak = told["bottlenecks"][0]
        assert (
            peak["live_bytes"]
            == told["lower_bound_bytes"]
            == max(b["live_bytes"] for b in told["bottlenecks"])
        )
        assert told["peak_step"] == peak["operator"]
        assert told["operators"][peak["operator"]]["name"] == peak["name"] == told["peak_operator"]
        assert told["operators"][peak["operator"]]["live_bytes"] == peak["live_bytes"]
        assert len(told["bottlenecks"]) == len(plan.steps)


def test_a_stage_is_one_bottleneck_at_a_row_call() -> None:
    _, told = described("stream")
    [bottleneck] = told["bottlenecks"]
    assert bottleneck["stage"] == "stage_0"
    assert 0 <= bottleneck["row_call"] < bottleneck["row_calls"] == 4 * 8
    assert {"input0", "stage_0_out", "conv2d_0_rows", "depthwise_conv2d_0_rows"} <= set(bottleneck["tensors"])


def test_a_ring_tells_its_rows() -> None:
    _, told = described("stream")
    tensor = next(entry for entry in told["tensors"] if entry["name"] == "conv2d_0_rows")
    assert tensor["ring"]["stage"] == "stage_0"
    assert (tensor["ring"]["rows"], tensor["ring"]["columns"]) == ([3, 8], [6, 6])
    assert tensor["bytes"] == 3 * ROW
    first, last = tensor["ring"]["row_calls"]
    assert 0 <= first < last < 4 * 8


def test_a_tensor_costs_what_would_be_saved_without_it() -> None:
    """On whole tensors the peak is the depthwise convolution: the expanded tensor, its result, the input."""
    _, told = described("whole")
    costs = {entry["name"]: entry["cost_bytes"] for entry in told["tensors"]}
    peaks = sorted((entry["live_bytes"] for entry in told["bottlenecks"]), reverse=True)
    assert costs["input0"] == TENSOR
    assert 0 < costs["conv2d_0_out"] <= peaks[0]
    assert costs["add_0_out"] == 0


def test_stages_and_work_are_counted() -> None:
    _, streamed = described("stream")
    _, whole = described("whole")
    bound = streamed["lower_bound_bytes"]
    assert streamed["stages"] == [
        {
            "name": "stage_0",
            "first": 0,
            "last": 3,
            "grid": "1x1",
            "row_calls": 32,
            "extra_macs": 0,
            "live_bytes": bound,
        }
    ]
    assert whole["stages"] == []
    assert streamed["macs"] == whole["macs"]
    assert streamed["extra_macs"] == whole["extra_macs"] == 0
    assert [entry["name"] for entry in streamed["operators"]] == [
        entry["name"] for entry in whole["operators"]
    ]
