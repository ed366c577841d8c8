"""What average pooling is, how it is found and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.patterns import activated, dequantized, is_channels_last, quantized
from tinycc.ops.window import Window

# Fractional bits that a mean keeps until it is rescaled.
_MEAN_BITS = 8


@dataclass(frozen=True, eq=False)
class AveragePool2D(ChannelDependence):
    """Mean over the part of a window that lies in the NHWC input.

    TFLite has input and output of one scale, and rounds the mean of the integers; where the scales differ,
    the mean keeps fractional bits until it is rescaled.

    bounds: clamp of the result, of integers where it is quantized.
    """

    window: Window
    bounds: tuple[float, float]

    kind: ClassVar[str] = "average_pool2d"
    is_spatial: ClassVar[bool] = True

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(avg_pool2d(dequantize(x))))."""
        mean = is_op("relax.nn.avg_pool2d")(dequantized())
        return [FusionPattern("tinycc.average_pool2d", quantized(activated(mean)))]

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """activation(avg_pool2d(x))."""
        mean = is_op("relax.nn.avg_pool2d")(wildcard().has_dtype("float32"))
        return [FusionPattern("tinycc.average_pool2d", activated(mean), {"pool": mean}, is_channels_last)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "AveragePool2D":
        """Read the window; ValueError where padding counts as elements."""
        call = composite.call("relax.nn.avg_pool2d")
        source, output = composite.tensor(call.args[0]), composite.result()
        if call.attrs.count_include_pad and any(int(size) for size in call.attrs.padding):
            raise ValueError("an average that counts its padding is not supported")
        height, width = (int(size) for size in call.attrs.pool_size)
        window = Window.of_call(call, (height, width))
        return cls((source,), (output,), window, composite.output_range())

    @property
    def is_channelwise(self) -> bool:
        """Always."""
        return True

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """A mean lies between the numbers; where it is rescaled, anywhere."""
        if self.mean_bits or self.outputs[0].dtype == "float32":
            return super().channel_ranges(inputs)
        return inputs[0].clamped(*self.output_range)

    @property
    def output_range(self) -> tuple[int, int]:
        """Clamp of the result, where that is of integers."""
        return int(self.bounds[0]), int(self.bounds[1])

    @property
    def mean_bits(self) -> int:
        """Fractional bits that the mean keeps; 0 where it is not rescaled."""
        source, output = self.inputs[0], self.outputs[0]
        rescaled = (source.scale, source.zero_point) != (output.scale, output.zero_point)
        if rescaled and source.dtype != "int8":
            raise ValueError("only int8 averages can be rescaled")
        return _MEAN_BITS if rescaled else 0

    def requantization(self) -> dict[str, int]:
        """The constants of kernels."""
        source, output = self.inputs[0], self.outputs[0]
        factor = source.real_scale / output.real_scale / 2**self.mean_bits
        multiplier, shift = quantize_multiplier(factor)
        return {
            "output_min": self.output_range[0],
            "output_max": self.output_range[1],
            "input_zero_point": source.zero_point,
            "output_zero_point": output.zero_point,
            "multiplier": multiplier,
            "shift": shift,
        }

    @property
    def covers_input(self) -> bool:
        """Whether the window is the whole input."""
        source, output = self.inputs[0], self.outputs[0]
        return (
            output.elements == output.channels
            and self.window.padding == (0, 0)
            and self.window.dilation == (1, 1)
            and self.window.kernel == (source.height, source.width)
        )

    def describe(self) -> str:
        """Kernel and stride."""
        return self.window.describe()
