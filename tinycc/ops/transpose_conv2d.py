"""Transposed convolution with bias, activation and requantization."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc.ops.base import KernelCall, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.linear import Linear, linear_fields
from tinycc.ops.patterns import activated, biased, dequantized, quantized


def _is_plain(context: PatternCheckContext) -> bool:
    attrs = context.annotated_expr["convolution"].attrs
    undilated = all(int(size) == 1 for size in attrs.dilation)
    return (
        undilated and int(attrs.groups) == 1 and attrs.data_layout == "NHWC" and attrs.kernel_layout == "IOHW"
    )


@dataclass(frozen=True, eq=False)
class TransposeConv2D(Linear):
    """int8 or int16 NHWC transposed convolution.

    weights: [output channels, kernel height, kernel width, input channels].
    stride: (vertical, horizontal).
    padding: rows above and columns to the left of the full result that are left out.
    """

    stride: tuple[int, int]
    padding: tuple[int, int]

    kind: ClassVar[str] = "transpose_conv2d"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(bias + conv2d_transpose(dequantize(x), dequantize(weights))))."""
        convolution = is_op("relax.nn.conv2d_transpose")(dequantized(), dequantized(is_const()))
        pattern = quantized(activated(biased(convolution)))
        return [FusionPattern("tinycc.transpose_conv2d", pattern, {"convolution": convolution}, _is_plain)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "TransposeConv2D":
        """Read geometry, weights (IOHW) and requantization."""
        call = composite.call("relax.nn.conv2d_transpose")
        source, (weights, zero_points) = composite.tensor(call.args[0]), composite.weights(call.args[1])
        assert weights.value is not None
        strides, padding = (
            [int(size) for size in sizes] for sizes in (call.attrs.strides, call.attrs.padding)
        )
        return cls(
            **linear_fields(composite, source, weights, zero_points),
            weights=weights.value.transpose(1, 2, 3, 0),
            stride=(strides[0], strides[1]),
            padding=(padding[0], padding[1]),
        )

    @property
    def macs(self) -> int:
        """Every tap of every input element."""
        return self.inputs[0].elements * int(np.prod(self.weights.shape[:3]))

    def kernel(self) -> KernelCall:
        """The whole tensor at once."""
        source, output = self.inputs[0], self.outputs[0]
        return KernelCall(
            header="transpose_conv2d.h",
            function=f"tinycc_transpose_conv2d_{source.dtype}",
            struct="tinycc_transpose_conv2d",
            shape={
                "input_height": source.height,
                "input_width": source.width,
                "input_channels": source.channels,
                "output_width": output.width,
                "output_channels": output.channels,
                "kernel_height": self.weights.shape[1],
                "kernel_width": self.weights.shape[2],
                "stride_height": self.stride[0],
                "stride_width": self.stride[1],
                "pad_top": self.padding[0],
                "pad_left": self.padding[1],
                **self.zero_point_shape,
            },
            data={**self._data(), "input_zero_point": source.zero_point},
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=output.height,
            row_elements=output.elements,
        )

    def _data(self) -> dict[str, int | float | np.ndarray]:
        """Each output sees some of the taps only, so the input's zero point stays out of the bias."""
        return {**self.linear_data(), "bias": self.bias.astype(np.int32)}

    def describe(self) -> str:
        """Kernel and stride."""
        height, width = self.weights.shape[1:3]
        return f"{height}x{width} stride {self.stride[0]}x{self.stride[1]}"
