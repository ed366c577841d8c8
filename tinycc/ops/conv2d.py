"""Two-dimensional convolution with bias, activation and requantization."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops import dsp, helium
from tinycc.ops.base import KernelCall
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.linear import Linear, linear_fields
from tinycc.ops.patterns import activated, biased, dequantized, quantized
from tinycc.ops.window import Window

# Bytes of windows that the Helium kernel lays out on the stack.
_HELIUM_STACK = 256


@dataclass(frozen=True, eq=False)
class Conv2D(Linear):
    """int8 or int16 NHWC convolution.

    weights: [output channels, kernel height, kernel width, input channels / groups].
    """

    window: Window
    groups: int

    kind: ClassVar[str] = "conv2d"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(bias + conv2d(dequantize(x), dequantize(weights))))."""
        convolution = is_op("relax.nn.conv2d")(dequantized(), dequantized(is_const()))
        return [FusionPattern("tinycc.conv2d", quantized(activated(biased(convolution))))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Conv2D":
        """Read geometry, weights (HWIO; HWOI of a depthwise convolution of one channel), requantization."""
        call = composite.call("relax.nn.conv2d")
        source, (weights, zero_points) = composite.tensor(call.args[0]), composite.weights(call.args[1])
        assert weights.value is not None
        kernel = np.moveaxis(weights.value, str(call.attrs.kernel_layout).index("O"), 0)
        return cls(
            **linear_fields(composite, source, weights, zero_points),
            weights=kernel,
            window=Window.of_call(call, (kernel.shape[1], kernel.shape[2])),
            groups=int(call.attrs.groups),
        )

    @property
    def macs(self) -> int:
        """Every tap of every output element, padding included."""
        return self.outputs[0].elements * int(np.prod(self.weights.shape[1:]))

    @property
    def mixing_weights(self) -> np.ndarray | None:
        """Without groups."""
        channels = self.inputs[0].channels
        return self.shifted_weights.reshape(len(self.bias), -1, channels) if self.groups == 1 else None

    @property
    def reads_padding(self) -> bool:
        """Where a window reaches out of the input."""
        return self.window.is_padded(self.inputs[0], self.outputs[0])

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """Of the sums, without groups."""
        weights = self.mixing_weights
        return super().channel_ranges(inputs) if weights is None else self.summed_ranges(weights, inputs[0])

    def sums(self, source: np.ndarray) -> np.ndarray:
        """Group by group."""
        output, kernel = self.outputs[0], self.shifted_weights
        windows = self.window.laid_out(source, output).reshape(
            -1, kernel[0, ..., 0].size, self.groups, kernel.shape[3]
        )
        weights = kernel.reshape(self.groups, -1, kernel[0, ..., 0].size, kernel.shape[3])
        return np.einsum("ptgc,gotc->pgo", windows, weights)

    @property
    def is_pointwise(self) -> bool:
        """Whether each output pixel depends on the input pixel of the same index alone, and on all of it."""
        same_pixels = self.inputs[0].shape[:-1] == self.outputs[0].shape[:-1]
        return same_pixels and self.window.kernel == (1, 1) and self.groups == 1

    def has_variant(self, feature: str) -> bool:
        """Helium and the DSP extension: without groups."""
        if self.groups > 1:
            return False
        if feature == helium.FEATURE:
            return helium.fits(self)
        return feature in dsp.MATRIX_VARIANTS and self.inputs[0].dtype == "int8" and self._dsp.fits

    @cached_property
    def _dsp(self) -> dsp.DspLayer:
        return dsp.DspLayer.of(self)

    @property
    def _helium_windows_bytes(self) -> int:
        """Of the memory for the windows that the Helium kernel lays out."""
        return 2 * helium.window_inputs(self)

    @property
    def scratch_bytes(self) -> int:
        """For windows that are laid out or widened, where they are not small enough for the stack."""
        if self.feature == dsp.FEATURE and self.is_pointwise:
            return dsp.pointwise_scratch_bytes(self)
        if self.feature == dsp.FEATURE:
            # Windows are gathered where taps are not whole words.
            taps = int(np.prod(self.weights.shape[1:]))
            return dsp.window_scratch_bytes(taps, is_gathered=self.inputs[0].channels % 4 != 0)
        lays_out = self.feature == helium.FEATURE and not self.is_pointwise
        return self._helium_windows_bytes if lays_out and self._helium_windows_bytes > _HELIUM_STACK else 0

    def overlap_distance(self, index: int) -> int | None:
        """Output channels of a pixel are written while its window is still being read, or thereafter."""
        if self.feature == helium.FEATURE:
            reads = self.window.first_reads(self.inputs[0], self.outputs[0])
            overlap = helium.pairwise_overlap if self.is_pointwise else helium.windowed_overlap
            return overlap(reads, self.outputs[0])
        if self.feature == dsp.FEATURE and self.is_pointwise:
            return dsp.pointwise_overlap(self)
        if self.feature == dsp.FEATURE:
            return self.window.windowwise_overlap(self.inputs[0], self.outputs[0])
        return self.window.pixelwise_overlap(self.inputs[0], self.outputs[0])

    def kernel(self) -> KernelCall:
        """One call for each output row; a pointwise convolution is a single row of all pixels."""
        source, output = self.inputs[0], self.outputs[0]
        if self.feature == helium.FEATURE:
            return helium.pointwise_call(self) if self.is_pointwise else self._helium_kernel()
        if self.is_pointwise:
            return (
                dsp.pointwise_call(self, self._dsp) if self.feature == dsp.FEATURE else self.pointwise_call()
            )
        kernel: dict[str, Any]
        shape = {**self.window.kernel_shape(source), "output_channels": output.channels}
        if self.feature == dsp.FEATURE:
            kernel = {
                "header": "conv2d_dsp.h",
                "function": f"tinycc_conv2d_dsp{'_scratch' if self.scratch_bytes else ''}_int8",
                "struct": "tinycc_conv2d_dsp",
                "shape": {**shape, **self._dsp.matrix_shape},
                "data": self._dsp.matrix_data(),
            }
        else:
            kernel = {
                "header": self.header("conv2d"),
                "function": f"tinycc_conv2d_{source.dtype}",
                "struct": "tinycc_conv2d",
                "shape": {**shape, "groups": self.groups, **self.zero_point_shape},
                "data": {**self.linear_data(), "input_zero_point": source.zero_point},
            }
        return KernelCall(
            **kernel,
            windows=(self.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def _helium_kernel(self) -> KernelCall:
        """The function's name tells whether windows are laid out in scratch memory."""
        source, output = self.inputs[0], self.outputs[0]
        inputs = helium.window_inputs(self)
        shape, data = helium.matrix_shape(self, inputs), helium.matrix_data(self, inputs)
        return KernelCall(
            header="conv2d_helium.h",
            function=f"tinycc_conv2d_helium{'_scratch' if self.scratch_bytes else ''}_int8",
            struct="tinycc_conv2d_helium",
            shape={
                **self.window.kernel_shape(source),
                **{f"matrix.{name}": size for name, size in shape.items()},
            },
            data={
                **{f"matrix.{name}": value for name, value in data.items()},
                "input_zero_point": source.zero_point,
            },
            windows=(self.window.rows_of(source),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def describe(self) -> str:
        """Kernel, stride, dilation and groups."""
        return self.window.describe() + (f" groups {self.groups}" if self.groups > 1 else "")
