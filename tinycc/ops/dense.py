"""Fully connected layer with bias, activation and requantization."""

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
from tinycc.ops.tensor import ITEM_BYTES, Tensor


def _factors(source: Tensor, weights: Tensor, output: Tensor, channels: int) -> np.ndarray:
    """Like a convolution's, but with one weight scale TFLite multiplies the two scales in float32."""
    if np.size(weights.scale) > 1:
        return requantization_factors(source, weights, output, channels)
    products = np.float32(source.real_scale) * np.asarray(weights.scale, np.float32).reshape(-1)
    return np.broadcast_to(products.astype(np.float64) / np.float64(output.real_scale), (channels,))


@dataclass(frozen=True, eq=False)
class Dense(Operator):
    """Matrix product of int8 or int16 vectors [..., inputs] with int8 weights [outputs, inputs].

    bias: int32 [outputs], of scale input scale x weight scale.
    multipliers: real requantization factor of each output.
    output_range: clamp of the result.
    """

    weights: np.ndarray
    weight_zero_point: int
    bias: np.ndarray
    multipliers: np.ndarray
    output_range: tuple[int, int]

    kind: ClassVar[str] = "dense"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(bias + matmul(dequantize(x), dequantize(weights))))."""
        product = is_op("relax.matmul")(dequantized(), dequantized(is_const()))
        return [FusionPattern("tinycc.dense", quantized(activated(biased(product))))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Dense":
        """Read weights and requantization; the weights come as [inputs, outputs]."""
        call = composite.call("relax.matmul")
        source, weights, output = (
            composite.tensor(call.args[0]),
            composite.tensor(call.args[1]),
            composite.result(),
        )
        assert weights.value is not None
        return cls(
            inputs=(source,),
            outputs=(output,),
            weights=weights.value.T,
            weight_zero_point=weights.zero_point,
            bias=bias_of(composite, output.channels),
            multipliers=_factors(source, weights, output, output.channels),
            output_range=activation_range(
                *composite.activation_bounds(), output.real_scale, output.zero_point, output.dtype
            ),
        )

    @property
    def macs(self) -> int:
        """Inputs x outputs for each vector."""
        return self.outputs[0].elements * self.inputs[0].channels

    def overlap_distance(self, index: int) -> int | None:
        """The outputs of a vector are written while the vector is still being read."""
        source, output = self.inputs[0], self.outputs[0]
        vectors = np.arange(source.elements // source.channels)
        item = ITEM_BYTES[output.dtype]
        ends = (vectors + 1) * output.channels * item
        return overlap_distance(vectors * source.channels * ITEM_BYTES[source.dtype], ends, ends - item)

    def kernel(self) -> KernelCall:
        """A pointwise convolution of as many pixels as there are vectors."""
        source, output = self.inputs[0], self.outputs[0]
        multiplier, shift = quantize_multipliers(self.multipliers)
        return KernelCall(
            header="pointwise.h",
            function=f"tinycc_pointwise_{source.dtype}",
            struct="tinycc_pointwise",
            shape={
                "input_channels": source.channels,
                "output_channels": output.channels,
                "weight_zero_point": self.weight_zero_point,
            },
            data={
                "weights": self.weights,
                "bias": folded_bias(self.bias, self.weights, source.zero_point, self.weight_zero_point),
                "multiplier": multiplier,
                "shift": shift,
                "output_zero_point": output.zero_point,
                "output_min": self.output_range[0],
                "output_max": self.output_range[1],
            },
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=source.elements // source.channels,
            row_elements=output.elements,
        )
