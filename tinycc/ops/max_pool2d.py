"""Maximum pooling."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops import helium
from tinycc.ops.base import KernelCall, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.window import Window


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
        """Helium: every int8 window."""
        return feature == helium.FEATURE and self.inputs[0].dtype == "int8"

    def overlap_distance(self, index: int) -> int | None:
        """A channel is written once its taps are read."""
        if self.variant == helium.FEATURE:
            reads = self.window.first_reads(self.inputs[0], self.outputs[0])
            return helium.channelwise_overlap(reads, self.outputs[0], 1)
        return self.window.channelwise_overlap(self.inputs[0], self.outputs[0])

    def kernel(self) -> KernelCall:
        """One call for each output row."""
        source, output = self.inputs[0], self.outputs[0]
        low, high = INTEGER_RANGE[source.dtype]
        suffix = "_helium" if self.variant == helium.FEATURE else ""
        return KernelCall(
            header=f"pool2d{suffix}.h",
            function=f"tinycc_max_pool2d{suffix}_{source.dtype}",
            struct="tinycc_pool2d",
            shape={**self.window.kernel_shape(source), "mean_bits": 0},
            data={"output_min": low, "output_max": high},
            windows=(self.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def describe(self) -> str:
        """Kernel and stride."""
        return self.window.describe()
