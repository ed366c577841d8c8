"""Depthwise convolution with bias, activation and requantization."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops import helium
from tinycc.ops.base import KernelCall
from tinycc.ops.composite import Composite
from tinycc.ops.linear import Linear, linear_fields
from tinycc.ops.patterns import activated, biased, dequantized, quantized
from tinycc.ops.window import Window

# The largest window of the Helium kernel.
_HELIUM_TAPS = 64


def _is_depthwise(context: PatternCheckContext) -> bool:
    """As many groups as input channels; of a single channel an ordinary convolution is the faster kernel."""
    call = context.annotated_expr["convolution"]
    return bool(call.attrs.groups == tvm_adapter.shape_of(call.args[0])[3] > 1)


@dataclass(frozen=True, eq=False)
class DepthwiseConv2D(Linear):
    """int8 or int16 NHWC convolution of each channel by itself.

    weights: [kernel height, kernel width, output channels]; output channel c reads input channel
        c // depth_multiplier.
    """

    window: Window

    kind: ClassVar[str] = "depthwise_conv2d"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """The pattern of a convolution, with as many groups as input channels."""
        convolution = is_op("relax.nn.conv2d")(dequantized(), dequantized(is_const()))
        pattern = quantized(activated(biased(convolution)))
        return [
            FusionPattern("tinycc.depthwise_conv2d", pattern, {"convolution": convolution}, _is_depthwise)
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "DepthwiseConv2D":
        """Read geometry, weights (HWOI or HWIO) and requantization."""
        call = composite.call("relax.nn.conv2d")
        source, weights = (composite.tensor(operand) for operand in call.args)
        assert weights.value is not None
        fields = linear_fields(composite, source, weights)
        kernel = weights.value.reshape(*weights.value.shape[:2], len(fields["bias"]))
        window = Window.of_call(call, (kernel.shape[0], kernel.shape[1]))
        return cls(**fields, weights=kernel, window=window)

    @property
    def depth_multiplier(self) -> int:
        """Output channels for each input channel."""
        return self.outputs[0].channels // self.inputs[0].channels

    @property
    def macs(self) -> int:
        """Every tap of every output element, padding included."""
        return self.outputs[0].elements * self.weights.shape[0] * self.weights.shape[1]

    def has_variant(self, feature: str) -> bool:
        """Helium: a channel to a channel, windows of some size, of which two products fit 16 bits."""
        return (
            feature == helium.FEATURE
            and self.depth_multiplier == 1
            and self.window.kernel[0] * self.window.kernel[1] <= _HELIUM_TAPS
            and int(self.weights.min()) > -128
            and helium.fits(self, 2)
        )

    @property
    def scratch_bytes(self) -> int:
        """Helium: a pixel of padding."""
        channels = self.inputs[0].channels
        return -(-channels // helium.CHANNELS) * helium.CHANNELS if self.variant == helium.FEATURE else 0

    @property
    def _helium_pixels(self) -> int:
        """How many pixels next to each other are sixteen channels."""
        channels = self.inputs[0].channels
        return (
            helium.CHANNELS // channels
            if self.window.stride[1] == 1 and helium.CHANNELS % channels == 0
            else 1
        )

    def overlap_distance(self, index: int) -> int | None:
        """With a depth multiplier of 1, a channel of a pixel is written once its taps are read."""
        if self.variant == helium.FEATURE:
            reads = self.window.first_reads(self.inputs[0], self.outputs[0])
            return helium.channelwise_overlap(reads, self.outputs[0], self._helium_pixels)
        if self.depth_multiplier == 1:
            return self.window.channelwise_overlap(self.inputs[0], self.outputs[0])
        return self.window.pixelwise_overlap(self.inputs[0], self.outputs[0])

    def kernel(self) -> KernelCall:
        """One call for each output row."""
        if self.variant == helium.FEATURE:
            return self._helium_kernel()
        source, output = self.inputs[0], self.outputs[0]
        return KernelCall(
            header=self.header("depthwise_conv2d"),
            function=f"tinycc_depthwise_conv2d_{source.dtype}",
            struct="tinycc_depthwise_conv2d",
            shape={
                **self.window.kernel_shape(source),
                "depth_multiplier": self.depth_multiplier,
                "weight_zero_point": self.weight_zero_point,
            },
            data={**self.linear_data(channel_axis=2), "input_zero_point": source.zero_point},
            windows=(self.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def _helium_kernel(self) -> KernelCall:
        source, output = self.inputs[0], self.outputs[0]
        shape = self.window.kernel_shape(source)
        shape["channels"] = shape.pop("input_channels")
        return KernelCall(
            header="depthwise_conv2d_helium.h",
            function="tinycc_depthwise_conv2d_helium_int8",
            struct="tinycc_depthwise_conv2d_helium",
            shape={
                **shape,
                "pixels": self._helium_pixels,
                "rectified": int(helium.is_rectified(self)),
            },
            data={**helium.channel_data(self, self._helium_pixels), "input_zero_point": source.zero_point},
            windows=(self.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def describe(self) -> str:
        """Kernel, stride and dilation."""
        return self.window.describe()
