"""Maximum pooling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops import dsp, helium, pooling
from tinycc.ops.base import KernelCall, Operator
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.window import Window

# Channels that are compared at once.
_TOGETHER = {dsp.FEATURE: 4, helium.FEATURE: 16}


@dataclass(frozen=True, eq=False)
class MaxPool2D(Operator):
    """Maximum over the part of a window that lies in the NHWC input, on the integers themselves."""

    window: Window

    kind: ClassVar[str] = "max_pool2d"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """max_pool2d(x) of integers."""
        return [
            FusionPattern("tinycc.max_pool2d", is_op("relax.nn.max_pool2d")(wildcard().has_dtype(dtype)))
            for dtype in ("int8", "int16")
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "MaxPool2D":
        """Read the window."""
        call = composite.call("relax.nn.max_pool2d")
        height, width = (int(size) for size in call.attrs.pool_size)
        window = Window.of_call(call, (height, width))
        return cls((composite.tensor(call.args[0]),), (composite.result(),), window)

    def has_variant(self, feature: str) -> bool:
        """Helium and the DSP extension: every int8 window."""
        return feature in pooling.FEATURES and self.inputs[0].dtype == "int8"

    @property
    def is_channelwise(self) -> bool:
        """Always."""
        return True

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """The largest of some."""
        return inputs[0]

    def overlap_distance(self, index: int) -> int | None:
        """Channels are written once their taps are read."""
        together = _TOGETHER.get(self.variant, 1)
        return self.window.channelwise_overlap(self.inputs[0], self.outputs[0], together)

    def kernel(self) -> KernelCall:
        """One call for each output row."""
        source, output = self.inputs[0], self.outputs[0]
        low, high = INTEGER_RANGE[source.dtype]
        data = {"output_min": low, "output_max": high}
        return pooling.pool_call(self.kind, self.variant, self.window, (source, output), data)

    def describe(self) -> str:
        """Kernel and stride."""
        return self.window.describe()
