"""What a fully connected layer is, how it is found and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.linear import Linear, read_arithmetic
from tinycc.ops.patterns import activated, biased, dequantized, quantized, real_layers, real_weights


def _has_matrix(context: PatternCheckContext) -> bool:
    """Weights have two dimensions."""
    return len(tvm_adapter.shape_of(context.annotated_expr["product"].args[1])) == 2


@dataclass(frozen=True, eq=False)
class Dense(Linear):
    """Matrix product of vectors [..., inputs] with weights [outputs, inputs]."""

    kind: ClassVar[str] = "dense"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(bias + matmul(dequantize(x), dequantize(weights))))."""
        product = is_op("relax.matmul")(dequantized(), dequantized(is_const()))
        pattern = quantized(activated(biased(product)))
        return [FusionPattern("tinycc.dense", pattern, {"product": product}, _has_matrix)]

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """activation(bias + matmul(x, weights))."""
        return real_layers("tinycc.dense", is_op("relax.matmul")(wildcard(), real_weights()), _has_matrix)

    @classmethod
    def from_composite(cls, composite: Composite) -> "Dense":
        """Read weights ([inputs, outputs]) and arithmetic."""
        call = composite.call("relax.matmul")
        source = composite.tensor(call.args[0])
        arithmetic = read_arithmetic(composite, source, call.args[1], np.transpose)
        return cls((source,), (composite.result(),), arithmetic)

    @property
    def weights_shape(self) -> tuple[int, ...]:
        """Outputs first."""
        return self.outputs[0].channels, self.inputs[0].channels

    @property
    def vectors(self) -> int:
        """How many vectors are multiplied."""
        return self.inputs[0].elements // self.inputs[0].channels

    @property
    def is_pointwise(self) -> bool:
        """Always."""
        return True

    @property
    def macs(self) -> int:
        """Inputs x outputs for each vector."""
        return self.outputs[0].elements * self.inputs[0].channels

    @property
    def mixing_weights(self) -> np.ndarray | None:
        """A single tap of integers."""
        return None if self.is_real else self.requantized.shifted_weights[:, np.newaxis, :]

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """Of the sums."""
        weights = self.mixing_weights
        return super().channel_ranges(inputs) if weights is None else self.summed_ranges(weights, inputs[0])

    def sums(self, source: np.ndarray) -> np.ndarray:
        """Matrix product."""
        return source @ self.requantized.shifted_weights.T

    def accumulates(self, height: int) -> bool:
        """Whether the input is one int8 vector that `height` equal parts make up."""
        source = self.inputs[0]
        return source.dtype == "int8" and self.vectors == 1 and source.elements % height == 0
