"""Depthwise convolution with bias, activation and requantization."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.base import KernelCall
from tinycc.ops.composite import Composite
from tinycc.ops.linear import Linear, linear_fields
from tinycc.ops.patterns import activated, biased, dequantized, quantized
from tinycc.ops.window import Window


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

    def overlap_distance(self, index: int) -> int | None:
        """With a depth multiplier of 1, a channel of a pixel is written once its taps are read."""
        if self.depth_multiplier == 1:
            return self.window.channelwise_overlap(self.inputs[0], self.outputs[0])
        return self.window.pixelwise_overlap(self.inputs[0], self.outputs[0])

    def kernel(self) -> KernelCall:
        """One call for each output row."""
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

    def describe(self) -> str:
        """Kernel, stride and dilation."""
        return self.window.describe()
