"""Average pooling."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import KernelCall, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import activation_range, quantize_multiplier
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.window import Window

# Fractional bits that a mean keeps until it is rescaled.
_MEAN_BITS = 8


@dataclass(frozen=True, eq=False)
class AveragePool2D(Operator):
    """Mean over the part of a window that lies in the NHWC input.

    TFLite has input and output of one scale, and rounds the mean of the integers; where the scales differ,
    the mean keeps fractional bits until it is rescaled.

    output_range: clamp of the result.
    """

    window: Window
    output_range: tuple[int, int]

    kind: ClassVar[str] = "average_pool2d"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(avg_pool2d(dequantize(x))))."""
        mean = is_op("relax.nn.avg_pool2d")(dequantized())
        return [FusionPattern("tinycc.average_pool2d", quantized(activated(mean)))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "AveragePool2D":
        """Read the window."""
        call = composite.call("relax.nn.avg_pool2d")
        source, output = composite.tensor(call.args[0]), composite.result()
        height, width = (int(size) for size in call.attrs.pool_size)
        bounds = activation_range(
            *composite.activation_bounds(), output.real_scale, output.zero_point, output.dtype
        )
        return cls((source,), (output,), Window.of_call(call, (height, width)), bounds)

    def overlap_distance(self, index: int) -> int | None:
        """A channel is written once its taps are read."""
        return self.window.channelwise_overlap(self.inputs[0], self.outputs[0])

    def kernel(self) -> KernelCall:
        """One call for each output row."""
        source, output = self.inputs[0], self.outputs[0]
        rescaled = (source.scale, source.zero_point) != (output.scale, output.zero_point)
        if rescaled and source.dtype != "int8":
            raise ValueError("only int8 averages can be rescaled")
        bits = _MEAN_BITS if rescaled else 0
        multiplier, shift = quantize_multiplier(source.real_scale / output.real_scale / 2**bits)
        return KernelCall(
            header="pool2d.h",
            function=f"tinycc_average_pool2d_{source.dtype}",
            struct="tinycc_pool2d",
            shape={**self.window.kernel_shape(source), "mean_bits": bits},
            data={
                "output_min": self.output_range[0],
                "output_max": self.output_range[1],
                "input_zero_point": source.zero_point,
                "output_zero_point": output.zero_point,
                "multiplier": multiplier,
                "shift": shift,
            },
            windows=(self.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def describe(self) -> str:
        """Kernel and stride."""
        return self.window.describe()
