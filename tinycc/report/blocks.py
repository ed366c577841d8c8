"""Tensors and stages as blocks of a picture: where each lies, what they share, their labels and tooltips."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from tinycc.report.figures import UNCUT, Entry, Report, format_bytes, tensor_type
from tinycc.report.geometry import CHARACTER_WIDTH, FONT_SIZE, Rectangle, Scale, Span, span_of, tensor_family

SHORTEST_NAME = 8
# Rows of a ring are drawn apart where each has this many pixels.
LOWEST_LANE = 3.0


@dataclass(frozen=True)
class Label:
    """A text centred at a point, upright where it was too long to lie."""

    x: float
    y: float
    text: str
    upright: bool


@dataclass(frozen=True)
class Block:
    """A tensor: its area, the family that colours it, its tooltip and its label where there is room.

    lanes: y of the lines between the rows of a ring.
    """

    area: Rectangle
    family: str
    tip: str
    label: Label | None
    lanes: list[float]


@dataclass(frozen=True)
class Overlap:
    """Bytes that two live tensors share; hatched in the colour of the older one."""

    area: Rectangle
    family: str
    tip: str


@dataclass(frozen=True)
class StageFrame:
    """A stage: the columns of its operators, its name where there is room, its tooltip."""

    x: float
    width: float
    text: str
    tip: str


# A span and the bytes [start, stop) that two tensors share in it.
Shared = tuple[Span, int, int]


def shared_area(report: Report, older: Entry, newer: Entry) -> Shared | None:
    """The span and the byte range [start, stop) that two tensors share; None where they do not."""
    spans = span_of(report, older), span_of(report, newer)
    begin, end = max(span[0] for span in spans), min(span[1] for span in spans)
    start = max(older["offset"], newer["offset"])
    stop = min(older["offset"] + older["bytes"], newer["offset"] + newer["bytes"])
    return ((begin, end), start, stop) if begin < end and start < stop else None


def find_overlaps(report: Report) -> list[tuple[Entry, Entry, Shared]]:
    """All pairs of tensors that share bytes while both live, the older one first."""
    ordered = sorted(report["tensors"], key=lambda tensor: (tensor["first_use"], tensor["last_use"]))
    pairs = ((older, newer, shared_area(report, older, newer)) for older, newer in combinations(ordered, 2))
    return [(older, newer, shared) for older, newer, shared in pairs if shared is not None]


def fit_label(area: Rectangle, name: str, size: str) -> Label | None:
    """Name and size, the end of the name and size, or size alone, as the area holds, lying or upright."""
    centre_x, centre_y = area.x + area.width / 2, area.y + area.height / 2
    for upright, length, depth in ((False, area.width, area.height), (True, area.height, area.width)):
        if depth < FONT_SIZE + 1:
            continue
        room = int((length - 4) / CHARACTER_WIDTH)
        tail = room - len(size) - 3
        shortened = [f"…{name[-tail:]}  {size}"] if tail >= SHORTEST_NAME else []
        for text in (f"{name}  {size}", *shortened, size):
            if len(text) <= room:
                return Label(centre_x, centre_y, text, upright)
    return None


def label_areas(scale: Scale, tensor: Entry, span: Span, shared: list[Shared]) -> list[Rectangle]:
    """Where a label would not lie on a hatched area: the free steps, else the free bytes, of a tensor."""
    low, high = tensor["offset"], tensor["offset"] + tensor["bytes"]
    (free_begin, free_end), free_low, free_high = span, low, high
    for (begin, end), start, stop in shared:
        if begin <= free_begin:
            free_begin = end
        else:
            free_end = min(free_end, begin)
        if start - free_low < free_high - stop:
            free_low = max(free_low, stop)
        else:
            free_high = min(free_high, start)
    areas = []
    if free_begin < free_end:
        areas.append(scale.area((free_begin, free_end), low, high))
    if free_low < free_high:
        areas.append(scale.area(span, free_low, free_high))
    return areas


def describe_tensor(tensor: Entry) -> str:
    """The tooltip of a tensor, one fact a line."""
    end = tensor["offset"] + tensor["bytes"]
    first, last = tensor["first_use"], tensor["last_use"]
    steps = f"operator {first}" if first == last else f"operators {first} to {last}"
    ring, cost = tensor["ring"], tensor["cost_bytes"]
    calls = (
        f", row calls {ring['row_calls'][0] + 1} to {ring['row_calls'][1] + 1} of {ring['stage']}"
        if ring
        else ""
    )
    return "\n".join((
        tensor["name"],
        f"{tensor['kind']}, {tensor_type(tensor)}",
        f"{tensor['bytes']:,} B at {tensor['offset']:,} to {end:,}",
        f"lives at {steps}{calls}",
        *([f"without it {cost:,} B less would do"] if cost else []),
    ))  # fmt: skip


def describe_overlap(older: Entry, newer: Entry, shared: Shared) -> str:
    """The tooltip of bytes that two tensors share."""
    (_, end), start, stop = shared
    if older["ring"] and newer["ring"]:
        return f"{newer['name']}\nand {older['name']}\n{stop - start:,} B shared, in turns"
    return f"{newer['name']}\nover {older['name']}\n{stop - start:,} B shared at operator {int(end) - 1}"


def draw_lanes(tensor: Entry, area: Rectangle) -> list[float]:
    """The y of the lines between the rows of a ring, where they can be told apart."""
    if tensor["ring"] is None or tensor["ring"]["rows"] is None:
        return []
    rows, _ = tensor["ring"]["rows"]
    if area.height / rows < LOWEST_LANE:
        return []
    return [area.y + area.height * row / rows for row in range(1, rows)]


def draw_blocks(report: Report, scale: Scale, with_labels: bool = True) -> tuple[list[Block], list[Overlap]]:
    """Every tensor as a block, and every byte range that two of them share."""
    shared_of: dict[str, list[Shared]] = {}
    overlaps = []
    for older, newer, shared in find_overlaps(report):
        for tensor in (older, newer):
            shared_of.setdefault(tensor["name"], []).append(shared)
        tip = describe_overlap(older, newer, shared)
        overlaps.append(Overlap(scale.area(*shared), tensor_family(report, older), tip))
    blocks = []
    for tensor in sorted(report["tensors"], key=lambda tensor: int(tensor["first_use"])):
        span = span_of(report, tensor)
        area = scale.area(span, tensor["offset"], tensor["offset"] + tensor["bytes"])
        labels = (
            fit_label(free, tensor["name"], format_bytes(tensor["bytes"]))
            for free in label_areas(scale, tensor, span, shared_of.get(tensor["name"], []))
        )
        label = next((label for label in labels if label), None) if with_labels else None
        family, tip = tensor_family(report, tensor), describe_tensor(tensor)
        blocks.append(Block(area, family, tip, label, draw_lanes(tensor, area)))
    return blocks, overlaps


def draw_stages(report: Report, scale: Scale) -> list[StageFrame]:
    """The stages with their columns."""
    frames = []
    for stage in report["stages"]:
        width = (stage["last"] + 1 - stage["first"]) * scale.step_width
        room = int((width - 4) / CHARACTER_WIDTH)
        name = str(stage["name"])
        short = name.removeprefix("stage_")
        text = next((text for text in (name.replace("_", " "), short) if len(text) <= room), "")
        frames.append(StageFrame(scale.x(stage["first"]), width, text, describe_stage(stage)))
    return frames


def describe_stage(stage: Entry) -> str:
    """The tooltip of a stage."""
    is_cut = stage["grid"] != UNCUT
    cut = f", cut into {stage['grid']} parts" if is_cut else ""
    calls = f"{stage['row_calls']:,} row calls{' in each strip' if is_cut else ''}"
    again = f"\n{stage['extra_macs']:,} MACs computed again" if stage["extra_macs"] else ""
    return (
        f"{stage['name']}\noperators {stage['first']} to {stage['last']} in turns, a row at a time{cut}\n"
        f"{calls}, {stage['live_bytes']:,} B live{again}"
    )
