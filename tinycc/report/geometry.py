"""What the pictures of a report are made of: colour families, shapes and scales, in pixels, y downwards."""

from __future__ import annotations

from dataclasses import dataclass

from tinycc.report.figures import Entry, Report, operator_kind

FONT_SIZE = 11.0
CHARACTER_WIDTH = 0.62 * FONT_SIZE

FAMILIES = {
    "input": {"input_rows"},
    "convolution": {"conv2d", "transpose_conv2d"},
    "depthwise": {"depthwise_conv2d"},
    "dense": {"dense", "svdf", "unidirectional_lstm"},
    "elementwise": {"add", "multiply", "divide", "extremum"},
    "reduction": {"average_pool2d", "max_pool2d", "reduce", "arg_max", "softmax"},
    "activation": {"lookup", "prelu", "leaky_relu", "requantize", "quantize", "dequantize", "cast"},
    "moving": {"pad", "concatenate", "strided_copy", "gather", "resize_nearest", "resize_bilinear"},
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


# When something is, in steps: [begin, end).
Span = tuple[float, float]


@dataclass(frozen=True)
class Rectangle:
    """An area of the picture in pixels, y downwards."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Mark:
    """A line across a picture with its text."""

    y: float
    text: str


@dataclass(frozen=True)
class Scale:
    """Steps to x and byte offsets to y: a plot of `height` pixels whose corner is at (left, top)."""

    left: float
    top: float
    height: float
    step_width: float
    top_bytes: int

    def x(self, step: float) -> float:
        """The left edge of a step; a fraction of a step lies within it."""
        return self.left + step * self.step_width

    def y(self, offset: float) -> float:
        """The height of a byte offset."""
        return self.top + self.height * (1 - offset / self.top_bytes)

    def area(self, span: Span, start: int, stop: int) -> Rectangle:
        """A span of steps and bytes [start, stop)."""
        begin, end = span
        height = max(self.y(start) - self.y(stop), 1.0)
        return Rectangle(self.x(begin), self.y(stop), (end - begin) * self.step_width, height)


def draw_ticks(scale: Scale, most: int = 9) -> list[Mark]:
    """Lines at a round number of bytes, about half of `most` to `most` of them."""
    step = 1
    while scale.top_bytes / step > most:
        step *= 2
    offsets = range(0, scale.top_bytes + 1, step)
    return [Mark(scale.y(offset), byte_tick(offset, step)) for offset in offsets]


def byte_tick(offset: int, step: int) -> str:
    """A byte offset at an axis with a tick every `step` bytes."""
    return f"{offset // 1024} K" if step >= 1024 else f"{offset:,}"


def operator_family(operator: Entry) -> str:
    """The colour family of an operator."""
    kind = operator_kind(operator)
    return next((family for family, kinds in FAMILIES.items() if kind in kinds), "other")


def tensor_family(report: Report, tensor: Entry) -> str:
    """What an operator hands on takes the colour of its writer; all else that of its role."""
    if tensor["kind"] not in ("activation", "ring") or not report["operators"]:
        return str(tensor["kind"])
    writer = tensor["first_use"]
    if tensor["kind"] == "activation":  # of a stage, the last of its operators writes its result
        writer = next((stage["last"] for stage in report["stages"] if stage["first"] == writer), writer)
    return operator_family(report["operators"][writer])


def span_of(report: Report, tensor: Entry) -> Span:
    """When a tensor lives, in steps: [begin, end).

    The operators of a stage run in turns, so a ring spans its row calls' share of the whole stage.
    """
    ring = tensor["ring"]
    stage = next((item for item in report["stages"] if ring and item["name"] == ring["stage"]), None)
    if stage is None:
        return float(tensor["first_use"]), float(tensor["last_use"] + 1)
    width = (stage["last"] + 1 - stage["first"]) / stage["row_calls"]
    first, last = ring["row_calls"]
    return stage["first"] + first * width, stage["first"] + (last + 1) * width


def peak_place(report: Report) -> float:
    """When the peak is, in steps: the middle of its column or, in a stage, of its row call."""
    stages = {stage["name"]: stage for stage in report["stages"]}
    peak = report["bottlenecks"][0] if report["bottlenecks"] else None
    if peak is None or peak["stage"] is None:
        return float(report["peak_step"]) + 0.5
    stage = stages[peak["stage"]]
    width = stage["last"] + 1 - stage["first"]
    return float(stage["first"] + width * (peak["row_call"] + 0.5) / peak["row_calls"])
