"""Two-dimensional convolution with bias, activation and requantization."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import activation_range, quantize_multipliers
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.patterns import activated, biased, dequantized, quantized
from tinycc.ops.requantization import bias_of, folded_bias, requantization_factors
from tinycc.ops.tensor import ITEM_BYTES
from tinycc.ops.window import Window


@dataclass(frozen=True, eq=False)
class Conv2D(Operator):
    """int8 or int16 NHWC convolution; weights int8 [output channels, kernel height, kernel width, inputs].

    bias: int32 [output channels], of scale input scale x weight scale.
    multipliers: real requantization factor of each output channel.
    output_range: clamp of the result.
    """

    window: Window
    groups: int
    weights: np.ndarray
    weight_zero_point: int
    bias: np.ndarray
    multipliers: np.ndarray
    output_range: tuple[int, int]

    kind: ClassVar[str] = "conv2d"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(bias + conv2d(dequantize(x), dequantize(weights))))."""
        convolution = is_op("relax.nn.conv2d")(dequantized(), dequantized(is_const()))
        return [FusionPattern("tinycc.conv2d", quantized(activated(biased(convolution))))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Conv2D":
        """Read geometry, weights and requantization."""
        call = composite.call("relax.nn.conv2d")
        source, weights, output = (
            composite.tensor(call.args[0]),
            composite.tensor(call.args[1]),
            composite.result(),
        )
        assert weights.value is not None
        kernel = weights.value.transpose(3, 0, 1, 2)
        return cls(
            inputs=(source,),
            outputs=(output,),
            window=Window.of_call(call, (kernel.shape[1], kernel.shape[2])),
            groups=int(call.attrs.groups),
            weights=kernel,
            weight_zero_point=weights.zero_point,
            bias=bias_of(composite, kernel.shape[0]),
            multipliers=requantization_factors(source, weights, output, kernel.shape[0]),
            output_range=activation_range(
                *composite.activation_bounds(), output.real_scale, output.zero_point, output.dtype
            ),
        )

    @property
    def macs(self) -> int:
        """Every tap of every output element, padding included."""
        return self.outputs[0].elements * int(np.prod(self.weights.shape[1:]))

    @property
    def is_pointwise(self) -> bool:
        """Whether each output pixel depends on the input pixel of the same index alone."""
        return self.window == Window((1, 1), (1, 1), (0, 0), self.window.dilation)

    def overlap_distance(self, index: int) -> int | None:
        """Output channels of a pixel are written while its window is still being read."""
        output = self.outputs[0]
        pixel_bytes = output.channels * ITEM_BYTES[output.dtype]
        ends = (np.arange(output.height * output.width) + 1) * pixel_bytes
        return overlap_distance(
            self.window.first_reads(self.inputs[0], output), ends, ends - ITEM_BYTES[output.dtype]
        )

    def kernel(self) -> KernelCall:
        """One call for each output row; a pointwise convolution is a single row of all pixels."""
        source, output = self.inputs[0], self.outputs[0]
        multiplier, shift = quantize_multipliers(self.multipliers)
        folded = folded_bias(self.bias, self.weights, source.zero_point, self.weight_zero_point)
        data: dict[str, int | float | np.ndarray] = {
            "weights": self.weights,
            "bias": folded,
            "multiplier": multiplier,
            "shift": shift,
            "output_zero_point": output.zero_point,
            "output_min": self.output_range[0],
            "output_max": self.output_range[1],
        }
        if self.is_pointwise and self.groups == 1:
            pixels = source.height * source.width
            return KernelCall(
                header="pointwise.h",
                function=f"tinycc_pointwise_{source.dtype}",
                struct="tinycc_pointwise",
                shape={
                    "input_channels": source.channels,
                    "output_channels": output.channels,
                    "weight_zero_point": self.weight_zero_point,
                },
                data=data,
                windows=(RowWindow.whole(source),),
                rows=1,
                columns=pixels,
                row_elements=output.elements,
            )
        return KernelCall(
            header="conv2d.h",
            function=f"tinycc_conv2d_{source.dtype}",
            struct="tinycc_conv2d",
            shape={
                "input_width": source.width,
                "input_channels": source.channels,
                "output_channels": output.channels,
                "kernel_height": self.window.kernel[0],
                "kernel_width": self.window.kernel[1],
                "stride_width": self.window.stride[1],
                "dilation_width": self.window.dilation[1],
                "pad_left": self.window.padding[1],
                "groups": self.groups,
                "weight_zero_point": self.weight_zero_point,
            },
            data={**data, "input_zero_point": source.zero_point},
            windows=(self.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def describe(self) -> str:
        """Kernel, stride, dilation and groups."""
        return self.window.describe() + (f" groups {self.groups}" if self.groups > 1 else "")
