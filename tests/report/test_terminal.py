"""The tables in the terminal, wide, narrow and piped."""

import io

import pytest
from rich.console import Console

from tests.report.reports import chain_report, learning_report, staged_report, two_step_report
from tinycc.report.figures import Report
from tinycc.report.terminal import print_report


def shown(report: Report, width: int = 100, encoding: str = "utf-8") -> str:
    """What a file of the given width would hold."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding) as stream:
        print_report(report, Console(file=stream, width=width))
        stream.flush()
        return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [50, 80, 120])
def test_figures_are_whole_at_any_width(width: int) -> None:
    text = shown(two_step_report(sram_bytes=2900, flash_bytes=20000), width)
    for figure in ("3,000 B", "12,345", "67,890", "100 B too much", "7,655 B to", "add_1", "-2,000"):
        assert figure in " ".join(text.split())
    assert all(len(line) <= width for line in text.splitlines())


def test_piped_output_has_no_escape_codes() -> None:
    assert "\x1b" not in shown(two_step_report(sram_bytes=2900))


def test_ascii_terminals_get_ascii() -> None:
    assert shown(two_step_report(), width=120, encoding="ascii").isascii()


def test_names_are_not_taken_for_markup() -> None:
    report = two_step_report(model="[bold]x[/nonsense]")
    report["operators"][0]["name"] = "[red]conv"
    text = shown(report)
    assert "[bold]x[/nonsense]" in text
    assert "[red]conv" in text


def test_missing_budgets_are_named() -> None:
    assert "SRAM: no budget given" in shown(two_step_report())


def test_fallbacks_are_listed_with_their_reason() -> None:
    text = shown(two_step_report(fallbacks=[{"name": "erf_3", "reason": "no kernel"}]))
    assert "fallback: erf_3: no kernel" in text


def test_notes_are_told() -> None:
    assert "note: the search ended" in shown(two_step_report(notes=["the search ended"]))


@pytest.mark.parametrize("length", [1, 150])
def test_every_operator_has_a_row(length: int) -> None:
    text = shown(chain_report(length))
    assert all(f"conv2d_{step}" in text for step in range(length))


def test_stages_rings_bottlenecks_and_schedules_have_their_tables() -> None:
    lines = [" ".join(line.split()) for line in shown(staged_report(sram_bytes=1000), 120).splitlines()]
    assert "whole tensors 3,000 B the arena is 41.7% of it" in lines
    assert "At the peak: operator 1, add_1, in stage_0 (row call 4 of 8)" in lines
    assert "conv2d_0_rows ring 2 of 8 rows of int8 [1,250] 1,000 250 250" in lines
    assert "1 stage of 2 operators 1,250 8 108,000 chosen, does not fit" in lines
    assert "whole tensors 3,000 100,000 does not fit" in lines


def test_the_next_bottleneck_follows_the_peak() -> None:
    lines = [" ".join(line.split()) for line in shown(two_step_report(), 120).splitlines()]
    place = lines.index("add_1 3,000 audio, hidden, scores")
    assert lines[place + 1] == "conv2d_0 2,990 audio, hidden"


def test_predicted_instructions_stand_beside_those_of_whole_tensors() -> None:
    report = staged_report()
    report["operators"][0]["predicted_instructions"] = 44
    assert "instructions 84 predicted, +5.00% against whole tensors" in " ".join(shown(report, 120).split())
    assert "instructions 80 predicted" in " ".join(shown(two_step_report(), 120).split())


def test_operators_are_told_with_their_kernels() -> None:
    report = two_step_report()
    report["operators"][0]["variant"] = "dsp_wide"
    lines = [" ".join(line.split()) for line in shown(report, 120).splitlines()]
    assert "operators 2 1 dsp_wide, 1 portable" in lines
    assert any("conv2d_0" in line and "dsp_wide 1x1" in line for line in lines)


def test_a_training_step_stands_beside_an_inference() -> None:
    lines = [" ".join(line.split()) for line in shown(learning_report(), 120).splitlines()]
    assert "lower bound 3,600 B the arena meets it" in lines
    assert "an inference 3,000 67,890 2" in lines
    assert "a training step 3,600 200,000 3" in lines
    assert "At the peak: operator 2, train_update_0" in lines
    assert any("train_update_0" in line and "132,110" in line for line in lines)
