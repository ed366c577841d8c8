"""The arena over time as geometry: which tensor lies where, at which operator, in pixels.

The horizontal axis is the operator steps, one column each; the vertical axis is the byte offset, 0 at the
bottom. `draw_arena` computes every coordinate, the template only writes them down.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from tinycc.report.figures import Entry, Report, format_bytes, format_count, format_type, operator_kind

PLOT_WIDTH = 1088.0
PLOT_HEIGHT = 400.0
LEFT_MARGIN = 64.0
TOP_MARGIN = 22.0
WIDEST_STEP = 180.0
STRIP_HEIGHT = 20.0
CURVE_HEIGHT = 64.0
PANEL_GAP = 26.0
FONT_SIZE = 11.0
CHARACTER_WIDTH = 0.62 * FONT_SIZE
SHORTEST_NAME = 8

FAMILIES = {
    "convolution": {"conv2d", "transpose_conv2d"},
    "depthwise": {"depthwise_conv2d"},
    "dense": {"dense", "svdf", "unidirectional_lstm"},
    "elementwise": {"add", "multiply", "divide", "extremum"},
    "reduction": {"average_pool2d", "max_pool2d", "reduce", "arg_max", "softmax"},
    "activation": {"lookup", "prelu", "leaky_relu", "requantize", "quantize", "dequantize", "cast"},
    "moving": {"pad", "concatenate", "strided_copy", "resize_nearest", "resize_bilinear"},
}
FAMILY_LABELS = {
    "input": "input",
    "convolution": "convolution",
    "depthwise": "depthwise",
    "dense": "dense, recurrent",
    "elementwise": "elementwise",
    "reduction": "pooling, reduction",
    "activation": "activation, rescale",
    "moving": "moving data",
    "other": "other operator",
    "scratch": "scratch",
    "state": "state",
    "output": "output",
}


@dataclass(frozen=True)
class Rectangle:
    """An area of the picture in pixels, y downwards."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Label:
    """A text centred at a point, upright where it was too long to lie."""

    x: float
    y: float
    text: str
    upright: bool


@dataclass(frozen=True)
class Block:
    """A tensor: its area, the family that colours it, its tooltip and its label where there is room."""

    area: Rectangle
    family: str
    tip: str
    label: Label | None


@dataclass(frozen=True)
class Overlap:
    """Bytes that two live tensors share; hatched in the colour of the older one."""

    area: Rectangle
    family: str
    tip: str


@dataclass(frozen=True)
class Column:
    """One operator step: its place, its bar of MACs, its tooltip."""

    step: int
    x: float
    number: str
    family: str
    macs_height: float
    tip: str


@dataclass(frozen=True)
class Mark:
    """A horizontal line across the arena with its text."""

    y: float
    text: str


@dataclass(frozen=True)
class Picture:
    """All that the template draws, in pixels."""

    width: float
    height: float
    left: float
    right: float
    arena_top: float
    arena_bottom: float
    strip_top: float
    curve_top: float
    curve_bottom: float
    macs_bottom: float
    step_width: float
    peak_x: float
    blocks: list[Block]
    overlaps: list[Overlap]
    columns: list[Column]
    ticks: list[Mark]
    arena: Mark
    sram: Mark | None
    sram_exceeded: bool
    live_path: str
    bound_y: float
    live_text: str
    macs_text: str
    legend: list[tuple[str, str]]


def operator_family(operator: Entry) -> str:
    """The colour family of an operator."""
    kind = operator_kind(operator)
    return next((family for family, kinds in FAMILIES.items() if kind in kinds), "other")


def tensor_family(tensor: Entry, operators: list[Entry]) -> str:
    """Activations take the colour of the operator that writes them; all else that of its role."""
    if tensor["kind"] == "activation" and operators:
        return operator_family(operators[tensor["first_use"]])
    return str(tensor["kind"])


@dataclass(frozen=True)
class Scale:
    """Steps to x and byte offsets to y."""

    step_width: float
    top_bytes: int

    def x(self, step: int) -> float:
        """The left edge of a step."""
        return LEFT_MARGIN + step * self.step_width

    def y(self, offset: int) -> float:
        """The height of a byte offset."""
        return TOP_MARGIN + PLOT_HEIGHT * (1 - offset / self.top_bytes)

    def area(self, first: int, last: int, start: int, stop: int) -> Rectangle:
        """Steps first to last, included, and bytes [start, stop)."""
        height = max(self.y(start) - self.y(stop), 1.0)
        return Rectangle(self.x(first), self.y(stop), (last - first + 1) * self.step_width, height)


def shared_area(older: Entry, newer: Entry) -> tuple[int, int, int, int] | None:
    """First and last step and the byte range [start, stop) that two tensors share; None where they do not."""
    first = max(older["first_use"], newer["first_use"])
    last = min(older["last_use"], newer["last_use"])
    start = max(older["offset"], newer["offset"])
    stop = min(older["offset"] + older["bytes"], newer["offset"] + newer["bytes"])
    return (first, last, start, stop) if first <= last and start < stop else None


def find_overlaps(tensors: list[Entry]) -> list[tuple[Entry, Entry, tuple[int, int, int, int]]]:
    """All pairs of tensors that share bytes while both live, the older one first."""
    ordered = sorted(tensors, key=lambda tensor: (tensor["first_use"], tensor["last_use"]))
    pairs = ((older, newer, shared_area(older, newer)) for older, newer in combinations(ordered, 2))
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


def label_areas(scale: Scale, tensor: Entry, shared: list[tuple[int, int, int, int]]) -> list[Rectangle]:
    """Where a label would not lie on a hatched area: the free steps, else the free bytes, of a tensor."""
    first, last = tensor["first_use"], tensor["last_use"]
    low, high = tensor["offset"], tensor["offset"] + tensor["bytes"]
    free_first, free_last, free_low, free_high = first, last, low, high
    for begin, end, start, stop in shared:
        if begin <= free_first:
            free_first = end + 1
        else:
            free_last = min(free_last, begin - 1)
        if start - free_low < free_high - stop:
            free_low = max(free_low, stop)
        else:
            free_high = min(free_high, start)
    areas = []
    if free_first <= free_last:
        areas.append(scale.area(free_first, free_last, low, high))
    if free_low < free_high:
        areas.append(scale.area(first, last, free_low, free_high))
    return areas


def describe_tensor(tensor: Entry) -> str:
    """The tooltip of a tensor, one fact a line."""
    end = tensor["offset"] + tensor["bytes"]
    first, last = tensor["first_use"], tensor["last_use"]
    steps = f"operator {first}" if first == last else f"operators {first} to {last}"
    return "\n".join((
        tensor["name"],
        f"{tensor['kind']}, {format_type(tensor['dtype'], tensor['shape'])}",
        f"{tensor['bytes']:,} B at {tensor['offset']:,} to {end:,}",
        f"lives at {steps}",
    ))  # fmt: skip


def draw_blocks(report: Report, scale: Scale) -> tuple[list[Block], list[Overlap]]:
    """Every tensor as a block, and every byte range that two of them share."""
    operators, tensors = report["operators"], report["tensors"]
    shared_of: dict[int, list[tuple[int, int, int, int]]] = {}
    overlaps = []
    for older, newer, shared in find_overlaps(tensors):
        for tensor in (older, newer):
            shared_of.setdefault(id(tensor), []).append(shared)
        first, last, start, stop = shared
        tip = f"{newer['name']}\nover {older['name']}\n{stop - start:,} B shared at operator {last}"
        overlaps.append(Overlap(scale.area(first, last, start, stop), tensor_family(older, operators), tip))
    blocks = []
    for tensor in sorted(tensors, key=lambda tensor: int(tensor["first_use"])):
        start, stop = tensor["offset"], tensor["offset"] + tensor["bytes"]
        area = scale.area(tensor["first_use"], tensor["last_use"], start, stop)
        labels = (
            fit_label(free, tensor["name"], format_bytes(tensor["bytes"]))
            for free in label_areas(scale, tensor, shared_of.get(id(tensor), []))
        )
        label = next((label for label in labels if label), None)
        blocks.append(Block(area, tensor_family(tensor, operators), describe_tensor(tensor), label))
    return blocks, overlaps


def draw_ticks(scale: Scale) -> list[Mark]:
    """Lines at a round number of bytes, four to nine of them."""
    step = 1
    while scale.top_bytes / step > 9:
        step *= 2
    offsets = range(0, scale.top_bytes + 1, step)
    return [Mark(scale.y(offset), _tick_text(offset, step)) for offset in offsets]


def _tick_text(offset: int, step: int) -> str:
    return f"{offset // 1024} K" if step >= 1024 else f"{offset:,}"


def draw_columns(operators: list[Entry], scale: Scale) -> list[Column]:
    """One column a step; numbers only as often as they can be read."""
    every = next((n for n in (1, 2, 5, 10, 20) if n * scale.step_width >= 22), 50)
    most = max((operator["macs"] for operator in operators), default=0) or 1
    columns = []
    for step, operator in enumerate(operators):
        tip = "\n".join((
            f"{step}  {operator['name']}",
            operator["description"],
            f"{operator['live_bytes']:,} B live, {operator['macs']:,} MACs",
        ))  # fmt: skip
        height = CURVE_HEIGHT * operator["macs"] / most
        number = str(step) if step % every == 0 else ""
        columns.append(Column(step, scale.x(step), number, operator_family(operator), height, tip))
    return columns


def draw_live(operators: list[Entry], scale: Scale, bottom: float, top_bytes: int) -> str:
    """The live bytes as the path of a stepped area."""
    path = [f"M{scale.x(0):.1f},{bottom:.1f}"]
    for step, operator in enumerate(operators):
        y = bottom - CURVE_HEIGHT * operator["live_bytes"] / top_bytes
        path.append(f"V{y:.1f}H{scale.x(step + 1):.1f}")
    return "".join([*path, f"V{bottom:.1f}Z"])


def draw_arena(report: Report) -> Picture:
    """The whole picture of a report."""
    operators, arena, sram = report["operators"], report["arena_bytes"], report["sram_bytes"]
    # A budget far above the arena would press the tensors flat; it has its own bar on the page.
    top_bytes = max(arena, sram if sram is not None and sram <= 1.3 * arena else 0, 1)
    scale = Scale(min(PLOT_WIDTH / max(len(operators), 1), WIDEST_STEP), top_bytes)
    blocks, overlaps = draw_blocks(report, scale)
    columns = draw_columns(operators, scale)
    right = scale.x(len(operators))
    bottom = TOP_MARGIN + PLOT_HEIGHT
    curve_top = bottom + 8 + STRIP_HEIGHT + PANEL_GAP
    curve_bottom = curve_top + CURVE_HEIGHT
    macs_bottom = curve_bottom + PANEL_GAP + CURVE_HEIGHT
    most_live = max((operator["live_bytes"] for operator in operators), default=0)
    live_top = max(report["lower_bound_bytes"], most_live, 1)
    used = {block.family for block in blocks} | {column.family for column in columns}
    most_macs = max((operator["macs"] for operator in operators), default=0)
    sram_shown = sram is not None and sram <= top_bytes
    return Picture(
        width=max(right, LEFT_MARGIN + PLOT_WIDTH) + 8,
        height=macs_bottom + 6,
        left=LEFT_MARGIN,
        right=right,
        arena_top=TOP_MARGIN,
        arena_bottom=bottom,
        strip_top=bottom + 8,
        curve_top=curve_top,
        curve_bottom=curve_bottom,
        macs_bottom=macs_bottom,
        step_width=scale.step_width,
        peak_x=scale.x(report["peak_step"]),
        blocks=blocks,
        overlaps=overlaps,
        columns=columns,
        ticks=draw_ticks(scale),
        arena=Mark(scale.y(arena), f"arena {format_bytes(arena)}"),
        sram=Mark(scale.y(sram), f"SRAM {format_bytes(sram)}") if sram_shown else None,
        sram_exceeded=sram is not None and sram < arena,
        live_path=draw_live(operators, scale, curve_bottom, live_top),
        bound_y=curve_bottom - CURVE_HEIGHT * report["lower_bound_bytes"] / live_top,
        live_text=f"live bytes, at most {format_bytes(most_live)}",
        macs_text=f"MACs, at most {format_count(most_macs)}",
        legend=[(family, text) for family, text in FAMILY_LABELS.items() if family in used],
    )
