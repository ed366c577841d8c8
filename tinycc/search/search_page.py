"""A search as one HTML page that needs nothing but itself: what was asked for, and what was found."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinycc.report.page import PAGES
from tinycc.search.architecture import Architecture, Convolution, Dense, Depthwise, Layer, Residual
from tinycc.search.constraints import Constraints
from tinycc.search.cost import Cost
from tinycc.search.hand_off import HandOff
from tinycc.search.satisfying import Satisfying
from tinycc.version import VERSION


@dataclass(frozen=True)
class FrontRow:
    """A network of the front. network: in words. accuracy: in the supernet, on held-out cases."""

    network: str
    accuracy: float
    cost: Cost
    is_chosen: bool = False


@dataclass(frozen=True)
class FinalistRow:
    """A network that was trained alone. network: in words. Accuracies are those on held-out cases."""

    network: str
    supernet_accuracy: float
    accuracy: float
    cost: Cost
    is_chosen: bool = False


@dataclass(frozen=True)
class SearchSummary:
    """What the page tells.

    title: of the data. space: the name of the one that was searched.
    drawn: what was drawn of each space to choose it; none where it was given.
    supernet_accuracy: of the network that was chosen, inside the supernet, on `held_out_cases`.
    report_link: to the compiled folder's report, from where the page lies.
    spaces_picture, front_picture: SVG files' content.
    notes: sentences of those who searched.
    looked_at: networks whose accuracy was asked for. space_text: the space as a YAML file has it.
    """

    title: str
    constraints: Constraints
    space: str
    hand_off: HandOff
    supernet_accuracy: float | None
    held_out_cases: int
    report_link: str
    finalists: Sequence[FinalistRow] = ()
    front: Sequence[FrontRow] = ()
    drawn: Mapping[str, Satisfying] = field(default_factory=dict)
    spaces_picture: str | None = None
    front_picture: str | None = None
    notes: Sequence[str] = ()
    looked_at: int = 0
    space_text: str = ""


@dataclass(frozen=True)
class LayerRow:
    """A layer in words. output: shape of its result. weights: how many it has, biases included."""

    name: str
    kernel: str
    stride: str
    output: str
    weights: int


def search_page(summary: SearchSummary) -> str:
    """The page. Every text is escaped; pictures are embedded as they are."""
    found, constraints = summary.hand_off, summary.constraints
    accuracies = [
        ("inside the supernet, on held-out cases", summary.supernet_accuracy, summary.held_out_cases),
        ("trained alone, float", found.float_accuracy, found.test_cases),
        ("compiled, int8", found.int8_accuracy, found.test_cases),
    ]
    limits = (constraints.device.sram, constraints.flash, None, constraints.instructions)
    names = ("SRAM, bytes", "constants, bytes", "multiply-accumulates", "instructions")
    costs = found.costs
    fields = ("sram_bytes", "flash_bytes", "macs", "instructions")
    return PAGES.get_template("search.html.j2").render(
        summary=summary,
        found=found,
        device=constraints.device,
        accuracies=[
            (name, share, _error(share, cases), cases)
            for name, share, cases in accuracies
            if share is not None
        ],
        costs=[
            (name, limit, getattr(costs.predicted, key), getattr(costs.compiled, key))
            for name, key, limit in zip(names, fields, limits, strict=True)
        ],
        layers=layer_rows(found.architecture),
        spaces_picture=_embedded(summary.spaces_picture),
        front_picture=_embedded(summary.front_picture),
        percent=lambda share: f"{share:.1%}",
        version=VERSION,
    )


def layer_rows(architecture: Architecture) -> list[LayerRow]:
    """All layers, in their order."""
    return [
        LayerRow(
            *_described(layer),
            "×".join(map(str, architecture.shapes[index])),
            _weights(layer, architecture.source_shape(index)[-1]),
        )
        for index, layer in enumerate(architecture.layers)
    ]


def _described(layer: Layer) -> tuple[str, str, str]:
    """Name, kernel and stride."""
    match layer:
        case Convolution() | Depthwise():
            clamp = ", ReLU6" if layer.is_clamped else ""
            return f"{type(layer).__name__.lower()}{clamp}", _pair(layer.kernel), _pair(layer.stride)
        case Residual(of):
            return "sum with the input" if of < 0 else f"sum with the result of {of}", "", ""
    return ("dense" if isinstance(layer, Dense) else "mean of all pixels"), "", ""


def _weights(layer: Layer, channels: int) -> int:
    match layer:
        case Convolution(kernel, count):
            return kernel[0] * kernel[1] * channels * count + count
        case Depthwise(kernel):
            return (kernel[0] * kernel[1] + 1) * channels
        case Dense(count):
            return (channels + 1) * count
    return 0


def _pair(sides: tuple[int, int]) -> str:
    return "×".join(map(str, sides))


def _error(share: float, cases: int) -> float | None:
    """The standard error of a share of so many cases."""
    return math.sqrt(share * (1 - share) / cases) if cases else None


def _embedded(picture: str | None) -> str | None:
    """As the address of an image, so that no id or style of it meets those of the page."""
    if picture is None:
        return None
    return "data:image/svg+xml;base64," + base64.b64encode(picture.encode()).decode()
