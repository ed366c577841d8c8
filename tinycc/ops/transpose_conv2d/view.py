"""What a transposed convolution is: its geometry, how it is found and read."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc.ops.composite import Composite
from tinycc.ops.linear import Linear, read_arithmetic
from tinycc.ops.patterns import activated, biased, dequantized, quantized, real_layers, real_weights
from tinycc.ops.window import Window


def _is_plain(context: PatternCheckContext) -> bool:
    attrs = context.annotated_expr["product"].attrs
    return bool(attrs.data_layout == "NHWC" and attrs.kernel_layout == "IOHW")


@dataclass(frozen=True, eq=False)
class TransposeConv2D(Linear):
    """NHWC transposed convolution.

    Weights are [output channels, kernel height, kernel width, input channels / groups].

    kernel_size, stride, dilation: (vertical, horizontal).
    padding: rows above and columns to the left of the full result that are left out.
    """

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    kind: ClassVar[str] = "transpose_conv2d"
    is_spatial: ClassVar[bool] = True

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(bias + conv2d_transpose(dequantize(x), dequantize(weights))))."""
        convolution = is_op("relax.nn.conv2d_transpose")(dequantized(), dequantized(is_const()))
        pattern = quantized(activated(biased(convolution)))
        return [FusionPattern("tinycc.transpose_conv2d", pattern, {"product": convolution}, _is_plain)]

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """The same of real numbers."""
        convolution = is_op("relax.nn.conv2d_transpose")(wildcard(), real_weights())
        return real_layers("tinycc.transpose_conv2d", convolution, _is_plain)

    @classmethod
    def from_composite(cls, composite: Composite) -> "TransposeConv2D":
        """Read geometry, weights (IOHW) and arithmetic."""
        call = composite.call("relax.nn.conv2d_transpose")
        source = composite.tensor(call.args[0])
        groups = int(call.attrs.groups)

        def by_outputs(weights: np.ndarray) -> np.ndarray:
            inputs, outputs, height, width = weights.shape
            grouped = weights.reshape(groups, inputs // groups, outputs, height, width)
            return grouped.transpose(0, 2, 3, 4, 1).reshape(groups * outputs, height, width, -1)

        arithmetic = read_arithmetic(composite, source, call.args[1], by_outputs)
        _, height, width, _ = arithmetic.weights.shape
        strides, padding, dilation = (
            [int(size) for size in sizes]
            for sizes in (call.attrs.strides, call.attrs.padding, call.attrs.dilation)
        )
        return cls(
            (source,),
            (composite.result(),),
            arithmetic,
            kernel_size=(height, width),
            stride=(strides[0], strides[1]),
            padding=(padding[0], padding[1]),
            dilation=(dilation[0], dilation[1]),
            groups=groups,
        )

    @property
    def weights_shape(self) -> tuple[int, ...]:
        """Output channels first."""
        return (self.outputs[0].channels, *self.kernel_size, self.inputs[0].channels // self.groups)

    @property
    def kernel_shape(self) -> dict[str, int]:
        """What all kernels have to know of the geometry."""
        source, output = self.inputs[0], self.outputs[0]
        return {
            "input_width": source.width,
            "input_channels": source.channels,
            "output_width": output.width,
            "output_channels": output.channels,
            "kernel_height": self.kernel_size[0],
            "kernel_width": self.kernel_size[1],
            "stride_height": self.stride[0],
            "stride_width": self.stride[1],
            "dilation_height": self.dilation[0],
            "dilation_width": self.dilation[1],
            "groups": self.groups,
            "pad_top": self.padding[0],
            "pad_left": self.padding[1],
        }

    @property
    def macs(self) -> int:
        """Every tap of every input element."""
        return self.inputs[0].elements * math.prod(self.weights_shape[:3]) // self.groups

    def describe(self) -> str:
        """Kernel, stride, dilation and groups."""
        text = Window(self.kernel_size, self.stride, self.padding, self.dilation).describe()
        return text + (f" groups {self.groups}" if self.groups > 1 else "")
