"""Fully connected layer with bias, activation and requantization."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops import dsp, helium
from tinycc.ops.base import KernelCall, RowWindow
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.linear import Linear, linear_fields
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.patterns import activated, biased, dequantized, quantized
from tinycc.ops.tensor import ITEM_BYTES


@dataclass(frozen=True, eq=False)
class Dense(Linear):
    """Matrix product of int8 or int16 vectors [..., inputs] with weights [outputs, inputs]."""

    kind: ClassVar[str] = "dense"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(bias + matmul(dequantize(x), dequantize(weights))))."""
        product = is_op("relax.matmul")(dequantized(), dequantized(is_const()))
        return [FusionPattern("tinycc.dense", quantized(activated(biased(product))))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Dense":
        """Read weights ([inputs, outputs]) and requantization."""
        call = composite.call("relax.matmul")
        source, (weights, zero_points) = composite.tensor(call.args[0]), composite.weights(call.args[1])
        assert weights.value is not None
        return cls(**linear_fields(composite, source, weights, zero_points), weights=weights.value.T)

    @property
    def vectors(self) -> int:
        """How many vectors are multiplied."""
        return self.inputs[0].elements // self.inputs[0].channels

    @property
    def macs(self) -> int:
        """Inputs x outputs for each vector."""
        return self.outputs[0].elements * self.inputs[0].channels

    @property
    def mixing_weights(self) -> np.ndarray:
        """A single tap."""
        return self.shifted_weights[:, np.newaxis, :]

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """Of the sums."""
        return self.summed_ranges(self.mixing_weights, inputs[0])

    def sums(self, source: np.ndarray) -> np.ndarray:
        """Matrix product."""
        return source @ self.shifted_weights.T

    def has_variant(self, feature: str) -> bool:
        """Helium and the DSP extension."""
        if feature == helium.FEATURE:
            return helium.fits(self)
        if feature not in dsp.MATRIX_VARIANTS or self.inputs[0].dtype != "int8":
            return False
        return self._dsp.fits or (self.vectors == 1 and bool(self._dsp.parts))

    @cached_property
    def _dsp(self) -> dsp.DspLayer:
        return dsp.DspLayer.of(self)

    @property
    def scratch_bytes(self) -> int:
        """DSP extension: for widened vectors."""
        return dsp.pointwise_scratch_bytes(self) if self.feature == dsp.FEATURE else 0

    def overlap_distance(self, index: int) -> int | None:
        """The outputs of a vector are written while the vector is still being read."""
        if self.feature == dsp.FEATURE:
            return dsp.pointwise_overlap(self)
        source, output = self.inputs[0], self.outputs[0]
        item = ITEM_BYTES[output.dtype]
        starts = np.arange(self.vectors) * source.channels * ITEM_BYTES[source.dtype]
        if self.feature == helium.FEATURE:
            return helium.pairwise_overlap(starts, output)
        ends = (np.arange(self.vectors) + 1) * output.channels * item
        return overlap_distance(starts, ends, ends - item)

    def accumulating_kernel(self, height: int) -> KernelCall | None:
        """Sums of one vector, an equal part of it after the other."""
        source, output = self.inputs[0], self.outputs[0]
        if source.dtype != "int8" or self.vectors != 1 or source.elements % height:
            return None
        if self.feature == helium.FEATURE:
            return helium.accumulating_call(self, height)
        if self.feature == dsp.FEATURE and self._dsp.fits_parts([source.elements // height] * height):
            return dsp.accumulating_call(self, self._dsp, height)
        return KernelCall(
            header="accumulate.h",
            function="tinycc_dense_rows_int8",
            struct="tinycc_dense_rows",
            shape={
                "rows": height,
                "row_elements": source.elements // height,
                "outputs": output.elements,
                **self.zero_point_shape,
            },
            data=self.linear_data(),
            windows=(RowWindow(input_rows=height, row_elements=source.elements // height),),
            rows=height,
            columns=1,
            row_elements=output.elements,
            accumulator_bytes=4 * output.elements,
        )

    def kernel(self) -> KernelCall:
        """A pointwise convolution of as many pixels as there are vectors."""
        if self.feature == helium.FEATURE:
            return helium.pointwise_call(self)
        if self.feature == dsp.FEATURE:
            call = dsp.pointwise_call if self._dsp.fits else dsp.parts_call
            return call(self, self._dsp)
        return self.pointwise_call()
