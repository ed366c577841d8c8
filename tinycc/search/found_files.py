"""What a search has found, as files beside the C that came of it."""

from pathlib import Path

from tinycc.search.constraints import Constraints
from tinycc.search.front import front_of
from tinycc.search.front_files import described, plot_front, write_candidates
from tinycc.search.pipeline import Found
from tinycc.search.satisfying_plot import plot_satisfying
from tinycc.search.search_page import FinalistRow, FrontRow, SearchSummary, search_page
from tinycc.search.space import Space
from tinycc.search.space_file import space_to_yaml

PAGE, FRONT, NETWORKS, FRONT_PICTURE, SPACES_PICTURE = (
    "search.html",
    "front.csv",
    "networks.csv",
    "front.svg",
    "spaces.svg",
)


def write_found(
    folder: Path, found: Found, space: Space, constraints: Constraints, title: str, least_share: float
) -> None:
    """The page, the front and all networks as tables, and pictures. Raises OutputError.

    space: that which was searched. least_share: the share of allowed networks that a space had to have.
    """
    front = front_of(found.candidates)
    write_candidates(folder / FRONT, space, front)
    write_candidates(folder / NETWORKS, space, found.candidates)
    plot_front(folder / FRONT_PICTURE, found.candidates)
    if found.drawn:
        plot_satisfying(folder / SPACES_PICTURE, found.drawn, least_share)
    summary = SearchSummary(
        title=title,
        constraints=constraints,
        space=found.space,
        hand_off=found.hand_off,
        supernet_accuracy=found.chosen.accuracy,
        held_out_cases=found.held_out,
        looked_at=len(found.candidates),
        space_text=space_to_yaml(space),
        report_link="report.html",
        finalists=[
            FinalistRow(
                described(space, item.candidate.genome),
                item.candidate.accuracy,
                item.accuracy,
                item.candidate.cost,
                item.candidate == found.chosen,
            )
            for item in found.finalists
        ],
        front=[
            FrontRow(described(space, item.genome), item.accuracy, item.cost, item == found.chosen)
            for item in front
        ],
        drawn=found.drawn,
        spaces_picture=_text(folder / SPACES_PICTURE) if found.drawn else None,
        front_picture=_text(folder / FRONT_PICTURE),
        notes=[
            f"A network that was more accurate on held-out cases was left out: {why}" for why in found.refused
        ],
    )
    (folder / PAGE).write_text(search_page(summary), encoding="utf-8")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
