"""What maximum pooling is, how it is found and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.patterns import is_channels_last
from tinycc.ops.window import Window


@dataclass(frozen=True, eq=False)
class MaxPool2D(ChannelDependence):
    """Maximum over the part of a window that lies in the NHWC input, on the integers themselves."""

    window: Window

    kind: ClassVar[str] = "max_pool2d"
    is_spatial: ClassVar[bool] = True

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """max_pool2d(x) of integers."""
        return [
            FusionPattern("tinycc.max_pool2d", is_op("relax.nn.max_pool2d")(wildcard().has_dtype(dtype)))
            for dtype in ("int8", "int16")
        ]

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """max_pool2d(x)."""
        pool = is_op("relax.nn.max_pool2d")(wildcard().has_dtype("float32"))
        return [FusionPattern("tinycc.max_pool2d", pool, {"pool": pool}, is_channels_last)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "MaxPool2D":
        """Read the window."""
        call = composite.call("relax.nn.max_pool2d")
        height, width = (int(size) for size in call.attrs.pool_size)
        window = Window.of_call(call, (height, width))
        return cls((composite.tensor(call.args[0]),), (composite.result(),), window)

    @property
    def is_channelwise(self) -> bool:
        """Always."""
        return True

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """The largest of some."""
        return inputs[0]

    def describe(self) -> str:
        """Kernel and stride."""
        return self.window.describe()
