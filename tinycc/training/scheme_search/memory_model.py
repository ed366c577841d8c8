"""What memory schemes need at the least, as a sum over what they train.

The planner plans the step that trains the biases of so many last layers, and says what is live at each of its
operators. Where weights of a layer train as well they are live all the time, and from the layer's turn in the
forward pass to its turn in the backward pass so are the channels of its input that they are learned from.
What is left out, as working memory of updates, only adds to that; that the frozen part may be computed twice,
in strips, to need less, is left out as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tinycc.ops.tensor import ITEM_BYTES
from tinycc.plan import INVOKE, TRAIN
from tinycc.plan.live import live_bytes
from tinycc.plan.model import Plan
from tinycc.states import read_states
from tinycc.training.channels import trained_channels, trained_elements
from tinycc.training.layers import Layer
from tinycc.training.planned_step import PlannedStep
from tinycc.training.scheme_search.contribution import Parts


@dataclass(frozen=True)
class Moment:
    """An operator's turn. bytes: live then. keeping: layers that have run, and have not learned yet."""

    bytes: int
    keeping: frozenset[str]

    def is_no_worse(self, other: "Moment") -> bool:
        """Whether no more can be live than at the other."""
        return self.bytes <= other.bytes and self.keeping <= other.keeping


@dataclass(frozen=True)
class PartBytes:
    """Of a share of a layer's weights: their bytes with velocities, and those that are kept of its input."""

    weights: int
    kept: int


def moments_of(planned: PlannedStep) -> list[Moment]:
    """The moments of a step that trains biases, one of which is the worst for any weights besides."""
    layer_of = {
        f"state{index}": state.name.removesuffix("_bias")
        for index, state in enumerate(read_states(planned.inference["main"]))
        if state.name.endswith("_bias")
    }
    plans = planned.program.entries
    worst = {frozenset[str](): max(live_bytes(plans[INVOKE].steps, plans[INVOKE].buffers))}
    spans = _spans(plans[TRAIN], layer_of)
    for index, count in enumerate(live_bytes(plans[TRAIN].steps, plans[TRAIN].buffers)):
        keeping = frozenset(name for name, (first, last) in spans.items() if first <= index <= last)
        worst[keeping] = max(count, worst.get(keeping, 0))
    moments = [Moment(count, keeping) for keeping, count in worst.items()]
    return [one for one in moments if not any(one.is_no_worse(other) for other in moments if other != one)]


def part_bytes(layer: Layer, share: float, *, has_velocities: bool = False) -> PartBytes:
    """Of a share of a layer's weights; an input that is kept whole needs no bit for each of its elements."""
    source = layer.view.inputs[0]
    kept = len(trained_channels(layer, share)) * (source.elements // source.channels)
    if share == 1.0:
        kept = source.elements - -(-source.elements // 8)
    bytes_each = 1 + (ITEM_BYTES["int32"] if has_velocities else 0)
    return PartBytes(int((trained_elements(layer, share) >= 0).sum()) * bytes_each, kept)


@dataclass(frozen=True, eq=False)
class MemoryModel:
    """moments: by depth. parts: by layer and share."""

    moments: Mapping[int, list[Moment]]
    parts: Mapping[tuple[str, float], PartBytes]

    @property
    def range_bytes(self) -> tuple[int, int]:
        """Of the least that trains something, and of all biases with all weights that are told of."""
        greatest: dict[str, float] = {}
        for layer, share in self.parts:
            greatest[layer] = max(share, greatest.get(layer, 0.0))
        depths = sorted(self.moments)
        return self.least_bytes(Parts(depths[0], {})), self.least_bytes(Parts(depths[-1], greatest))

    def least_bytes(self, parts: Parts) -> int:
        """Of inference and step in one arena."""
        chosen = {layer: self.parts[layer, share] for layer, share in parts.shares.items()}
        weights = sum(item.weights for item in chosen.values())
        return weights + max(
            moment.bytes + sum(item.kept for layer, item in chosen.items() if layer in moment.keeping)
            for moment in self.moments[parts.depth]
        )


def _spans(plan: Plan, layer_of: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """For each layer the steps in which its bias is first read and last written."""
    spans: dict[str, tuple[int, int]] = {}
    for index, step in enumerate(plan.steps):
        for buffer in {name for name in (*step.inputs, *step.outputs) if name in layer_of}:
            assert buffer is not None
            first, _ = spans.get(layer_of[buffer], (index, index))
            spans[layer_of[buffer]] = first, index
    return spans
