"""The page: well-formed, self-contained, escaped, and with the figures that matter."""

import re
from html.parser import HTMLParser

import pytest

from tests.report.reports import chain_report, learning_report, schedule, staged_report, two_step_report
from tinycc.report.page import render_page

VOID = {"meta"}


class Checker(HTMLParser):
    """Follows open elements and gathers texts, ids, links and what would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        assert len(values) == len(attributes), f"repeated attribute in {tag}"
        if tag not in VOID:
            self.open.append(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "a":
            self.links.append(str(values["href"]))
        elif "href" in values or "src" in values:
            self.loads.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        self.open.remove(tag) if tag in VOID else self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, text: str) -> None:
        self.texts.append(text)


def check(page: str) -> Checker:
    """The page as read by a parser, once it is known to be well-formed and to need nothing else."""
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    assert checker.loads == []
    assert len(set(checker.ids)) == len(checker.ids)
    assert all(link.startswith("#") and link[1:] in checker.ids for link in checker.links)
    assert not re.search(r"https?://|url\((?!#)|@import", page)
    return checker


@pytest.mark.parametrize("length", [1, 2, 40, 150])
def test_page_is_well_formed_and_self_contained(length: int) -> None:
    checker = check(render_page(chain_report(length)))
    assert f"operator-{length - 1}" in checker.ids


def test_page_shows_the_figures() -> None:
    text = " ".join(check(render_page(two_step_report(sram_bytes=2900))).texts)
    figures = ["3,000 B", "12,345 B", "67,890", "does not fit, 100 B too much", "0.0625", "-77", "−2,000"]
    for figure in [*figures, "fuse-quantized-ops", "at the same address", "None: every operator"]:
        assert figure in text


def test_notes_are_told() -> None:
    assert "the search ended" in " ".join(
        check(render_page(two_step_report(notes=["the search ended"]))).texts
    )


def test_names_are_escaped() -> None:
    hostile = "<script>alert('x')</script>\"&"
    report = two_step_report(model=hostile, peak_operator=hostile)
    report["operators"][0]["name"] = hostile
    report["tensors"][1]["name"] = hostile
    report["inputs"][0]["name"] = hostile
    report["fallbacks"] = [{"name": hostile, "reason": hostile}]
    page = render_page(report)
    assert "<script>alert" not in page
    assert hostile in " ".join(check(page).texts)


def test_missing_quantisation_and_state_are_shown_as_such() -> None:
    report = two_step_report(state_bytes=640, extra_macs=17, dead_macs=18)
    report["inputs"][0] |= {"scale": None, "zero_point": None, "permutation": [1, 0]}
    page = render_page(report)
    check(page)
    assert "640 B of state" in page
    assert "17 more computed again, 18 without influence on the outputs left out" in page
    assert "transposed by (1, 0)" in page
    assert ">None<" not in page


def test_a_model_without_operators_has_a_page() -> None:
    report = two_step_report(operators=[], bottlenecks=[], peak_step=0, peak_operator="", tensors=[])
    check(render_page(report))


def test_a_staged_model_stands_beside_whole_tensors() -> None:
    checker = check(render_page(staged_report(sram_bytes=1000)))
    text = " ".join(" ".join(checker.texts).split())
    for words in ("whole tensors: 3,000 B", "1 stage of 2 operators: 1,250 B", "2 of 8 rows of int8 [1,250]",
                  "Saved without it", "row call 4 of 8", "in the best of 2 schedules"):  # fmt: skip
        assert words in text
    assert {"peak", "schedules"} <= set(checker.ids)


def test_bounds_are_told_from_arenas_that_were_planned() -> None:
    schedules = [schedule(1250, 8, [2], is_chosen=True), schedule(2000, 4, [2, 3]), schedule(2990, 0, [])]
    text = " ".join(check(render_page(staged_report(schedules=schedules))).texts)
    assert "≥ 2,000" in text and "≥ 1,250" not in text and "≥ 3,000" not in text


def test_a_kernel_that_is_not_portable_is_named() -> None:
    report = two_step_report()
    report["operators"][0]["variant"] = "dsp"
    assert "model_conv2d_0, dsp" in render_page(report)


def test_a_training_step_stands_beside_an_inference() -> None:
    checker = check(render_page(learning_report()))
    text = " ".join(" ".join(checker.texts).split())
    for words in ("an inference: 3,000 B are live", "a training step: 3,600 B are live",
                  "A step makes 200,000 MACs", "operator 2, train_update_0", "gradient"):  # fmt: skip
        assert words in text
    assert {"training-peak", "training-operators"} <= set(checker.ids)
    assert "training-peak" not in render_page(two_step_report())
