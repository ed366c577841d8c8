"""The page of a search tells what was asked for, found and compiled, and needs nothing but itself."""

import re
from dataclasses import replace
from html.parser import HTMLParser

from tests.search.digits import NETWORK
from tinycc.search.constraints import Constraints
from tinycc.search.cost import Cost, Device
from tinycc.search.hand_off import HandOff
from tinycc.search.normalization import Normalization
from tinycc.search.prediction import Prediction
from tinycc.search.satisfying import Satisfying
from tinycc.search.search_page import FinalistRow, FrontRow, SearchSummary, layer_rows, search_page

PREDICTED, COMPILED = Cost(3552, 2560, 93344, 192462), Cost(3552, 2560, 93344, 446588)
REASON = "conv2d_1 is run by the kernel portable instead of dsp"
SUMMARY = SearchSummary(
    title="<digits> & letters",
    constraints=Constraints(Device("cortex-m4", sram="4K"), flash="3K", instructions=500_000),
    space="narrow",
    hand_off=HandOff(
        NETWORK,
        tuple("0123456789"),
        Normalization(0, 1, -7, 0.01),
        None,
        Prediction(PREDICTED, COMPILED, (REASON,)),
        400,
        0.91,
        0.9,
    ),
    supernet_accuracy=0.85,
    held_out_cases=100,
    report_link="firmware/report.html",
    finalists=[FinalistRow("8x8, 16: k3", 0.85, 0.88, PREDICTED, is_chosen=True)],
    front=[FrontRow("8x8, 16: k3", 0.85, PREDICTED, is_chosen=True), FrontRow("6x6", 0.7, PREDICTED)],
    drawn={"narrow": Satisfying(10, (50, 60)), "wide": Satisfying(10, ())},
    spaces_picture='<svg id="one"></svg>',
    front_picture='<svg id="two"></svg>',
    notes=["Nobody knows the limits of <this>."],
)


class Tables(HTMLParser):
    """The cells of each table, by its id, and what lies open at the end."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.open: list[str] = []
        self.is_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        if tag == "table":
            self.rows = self.tables.setdefault(dict(attributes)["id"] or "", [])
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.is_cell = True

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.is_cell = self.is_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.is_cell:
            self.rows[-1][-1] += data


def test_finalists_have_both_accuracies() -> None:
    costs = ["3,552", "2,560", "93,344", "192,462"]
    rows = Tables(search_page(SUMMARY)).tables["finalists"][1:]
    assert rows == [["8x8, 16: k3", "85.0%", "88.0%", *costs, "chosen"]]


def test_costs_stand_beside_their_limits() -> None:
    costs = Tables(search_page(SUMMARY)).tables["costs"][1:]
    assert costs == [
        ["SRAM, bytes", "4K", "3,552", "3,552", "none"],
        ["constants, bytes", "3K", "2,560", "2,560", "none"],
        ["multiply-accumulates", "", "93,344", "93,344", "none"],
        ["instructions", "500,000", "192,462", "446,588", "+254,126"],
    ]
    assert REASON in search_page(SUMMARY)


def test_accuracies_have_their_standard_errors() -> None:
    page = search_page(SUMMARY)
    for share, error in (("85.0%", "± 3.6%, 100"), ("91.0%", "± 1.4%, 400"), ("90.0%", "± 1.5%, 400")):
        assert f'<dd class="value">{share}</dd><dd class="note">{error} cases</dd>' in page


def test_the_front_the_spaces_and_the_layers_are_tables() -> None:
    tables = Tables(search_page(SUMMARY)).tables
    assert [row[-1] for row in tables["front"][1:]] == ["chosen", ""]
    assert tables["spaces"][1:] == [
        ["narrow", "10", "20.0%", "55", "chosen"],
        ["wide", "10", "0.0%", "0", ""],
    ]
    assert [row[1] for row in tables["layers"][1:]] == [row.name for row in layer_rows(NETWORK)]


def test_a_layer_is_told_in_words() -> None:
    rows = layer_rows(NETWORK)
    assert (rows[2].name, rows[2].kernel, rows[2].output) == ("depthwise, ReLU6", "3×3", "8×8×32")
    assert rows[4].name == "sum with the result of 0"
    assert [row.weights for row in rows] == [160, 544, 320, 528, 0, 0, 170]


def test_the_page_needs_nothing_but_itself() -> None:
    """Pictures are in it, there is no script, and the only address is that of the report."""
    page = search_page(SUMMARY)
    assert Tables(page).open == [] and "<script" not in page
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert [address.partition(",")[0] for address in addresses] == [
        "firmware/report.html", "data:image/svg+xml;base64", "data:image/svg+xml;base64",
    ]  # fmt: skip


def test_texts_are_escaped() -> None:
    page = search_page(SUMMARY)
    assert "&lt;digits&gt; &amp; letters" in page and "limits of &lt;this&gt;" in page
    assert "<digits>" not in page and "<this>" not in page


def test_what_is_not_there_is_not_told() -> None:
    plain = replace(
        SUMMARY,
        finalists=(),
        front=(),
        drawn={},
        spaces_picture=None,
        front_picture=None,
        supernet_accuracy=None,
    )
    page = search_page(plain)
    assert set(Tables(page).tables) == {"costs", "layers"}
    assert "<img" not in page and "supernet" not in page and "It was given" in page
