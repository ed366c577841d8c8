"""Why a model does not fit."""

from tests.report.reports import schedule, staged_report, two_step_report
from tinycc.report.explain import explain_excess, least_bytes


def test_nothing_is_said_of_what_fits() -> None:
    assert explain_excess(two_step_report()) == []
    assert explain_excess(two_step_report(sram_bytes=3000)) == []


def test_the_least_of_the_schedules_is_told() -> None:
    need, *_ = explain_excess(staged_report(sram_bytes=1000))
    assert need == (
        "kws.tflite needs at least 1,250 bytes, 250 more than the 1,000 bytes of SRAM given, "
        "in the best of 2 schedules."
    )


def test_a_forced_schedule_is_not_the_least() -> None:
    report = two_step_report(
        sram_bytes=2900,
        schedule="whole",
        schedules=[schedule(1250, 8, [2]), schedule(3000, 0, [], is_chosen=True)],
    )
    assert least_bytes(report) == 1250
    need, *_ = explain_excess(report)
    assert "an arena of 3,000 bytes, 100 more than" in need
    assert "with schedule 'whole'; --optimize-for memory would need about 1,250" in need


def test_the_peak_names_its_stage_and_what_is_live() -> None:
    _, peak, *_ = explain_excess(staged_report(sram_bytes=1000))
    assert peak.startswith("The peak is at add_1 in stage_0 (1x1")
    assert peak.endswith("with 1,250 bytes live: audio 1,000, conv2d_0_rows 250.")


def test_what_would_help_is_told_by_the_costliest_tensor() -> None:
    _, _, cost, steps, _ = explain_excess(staged_report(sram_bytes=1000))
    assert cost == "It would fit with a smaller input: without audio, 250 bytes would do."
    assert steps == "Nothing but stage_0 needs more than 1,000 bytes."


def test_a_tensor_that_alone_does_not_help_is_not_blamed() -> None:
    _, _, cost, *_ = explain_excess(staged_report(sram_bytes=200))
    assert cost == "No tensor alone is to blame: without audio, 250 bytes would still be needed."


def test_all_steps_that_are_too_large_are_counted() -> None:
    *_, steps = explain_excess(two_step_report(sram_bytes=5))
    assert steps == "To fit, 2 steps must become smaller: conv2d_0, add_1."


def test_a_placement_that_loses_what_is_missing_is_blamed() -> None:
    loose = two_step_report(sram_bytes=2900, lower_bound_bytes=2800, optimal=False)
    assert explain_excess(loose)[-1] == "What is live would fit: the placement loses 200 bytes."


def test_rows_are_proposed_where_the_input_is_in_memory_at_the_peak() -> None:
    *_, hint = explain_excess(staged_report(sram_bytes=1000))
    assert hint == "With --input-mode rows, audio need not be in memory whole."
    *_, last = explain_excess(staged_report(sram_bytes=1000, input_mode="rows"))
    assert "--input-mode" not in last
