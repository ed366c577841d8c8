"""Operators in the form that the kernels for the DSP extension take; see runtime_c/kernels/dsp.h."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tinycc.ops.base import KernelCall, RowWindow
from tinycc.ops.fixed_point import quantize_multipliers
from tinycc.ops.folded_bias import folded_bias
from tinycc.ops.integer_arithmetic import clamp, requantize
from tinycc.ops.linear import Linear
from tinycc.ops.overlap import overlap_distance

FEATURE = "dsp"
# The variant of FEATURE with wide weights: more flash, fewer instructions.
WIDE = "dsp_wide"
# Of layers that are products with a matrix.
MATRIX_VARIANTS = (FEATURE, WIDE)

# Words that a kernel widens on the stack; see TINYCC_POINTWISE_DSP_WORDS.
_STACK_WORDS = 128

# Outputs that are summed together, see dsp_matrix.h and dense_dsp.h.
_PAIR, _DENSE_BLOCK = 2, 4
# Values that are multiplied by 256 to make room for their exponent.
_VALUE_LIMIT = 2**23
_INT8 = (-128, 127)
# TINYCC_DEPTHWISE_DSP_CONSTANT.
_CONSTANT = 0x80
# Names of tinycc_dsp_mode.
_RECTIFIED, _FULL, _CLAMPED = 0, 1, 2


def stored_multiplier(multiplier: Any) -> Any:
    """A multiplier in [2**30, 2**31), or an array of them, as kernels take it."""
    return 2 * multiplier - 2**32


def mode_of(output_range: tuple[int, int], zero_point: int, least_exponent: int) -> int:
    """How an operator's results become outputs, a tinycc_dsp_mode."""
    if output_range != _INT8:
        return _CLAMPED
    return _RECTIFIED if zero_point == _INT8[0] and least_exponent >= 1 else _FULL


@dataclass(frozen=True, eq=False)
class DspLayer:
    """Constants of an int8 layer as integers, channel by channel.

    Channels whose output is the same for every input are written with weights of 0.

    weights: int64 [output channels, taps], zero point taken off.
    bias, multiplier, exponent: of each channel; a result is divided by 2**(31 + exponent).
    is_constant: which channels' outputs do not depend on the input.
    zero_points: of input and output.
    is_wide: whether the kernels that multiply by a matrix find all its weights as int16.
    """

    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    exponent: np.ndarray
    is_constant: np.ndarray
    zero_points: tuple[int, int]
    output_range: tuple[int, int]
    is_wide: bool = False

    @classmethod
    def of(cls, layer: Linear) -> "DspLayer":
        """A layer as it is."""
        source, output = layer.inputs[0], layer.outputs[0]
        by_channel = np.moveaxis(layer.shifted_weights, layer.channel_axis, 0)
        weights = by_channel.reshape(len(layer.bias), -1)
        bias = folded_bias(layer.bias, by_channel, source.zero_point)
        multiplier, shift = quantize_multipliers(layer.multipliers)
        form = cls(
            weights,
            bias.astype(np.int64),
            multiplier.astype(np.int64),
            -shift.astype(np.int64),
            np.zeros(len(bias), bool),
            (source.zero_point, output.zero_point),
            layer.output_range,
            layer.variant == WIDE,
        )
        form._settle()
        return form

    @classmethod
    def of_sums(cls, weights: np.ndarray, bias: np.ndarray, exponent: np.ndarray | int = 0) -> "DspLayer":
        """Sums that are requantized otherwise.

        weights: int8 [sums, taps]. bias: int32 [sums]. exponent: which sums carry, of each or of all.
        """
        rows = len(bias)
        return cls(
            weights.astype(np.int64),
            bias.astype(np.int64),
            np.full(rows, 2**30, np.int64),
            np.broadcast_to(np.asarray(exponent, np.int64), (rows,)),
            np.zeros(rows, bool),
            (0, 0),
            _INT8,
        )

    def _settle(self) -> None:
        """Write channels of few outputs, whose sums may be large, with sums that are small."""
        lowest, highest = self.lowest, self.highest
        for channel in range(len(self.bias)):
            low, high = int(lowest[channel]), int(highest[channel])
            first, last = self._output(channel, low), self._output(channel, high)
            if first == last:
                self.weights[channel] = 0
                self.bias[channel] = 4 * (first - self.zero_points[1])
                self.multiplier[channel], self.exponent[channel] = 2**30, 1
                self.is_constant[channel] = True
            elif last == first + 1 and max(-low, high) >= _VALUE_LIMIT:
                self._settle_step(channel, low, high)

    def _output(self, channel: int, value: int) -> int:
        """The output of a sum."""
        scaled = requantize(value, int(self.multiplier[channel]), -int(self.exponent[channel]))
        return clamp(scaled + self.zero_points[1], *self.output_range)

    def _settle_step(self, channel: int, low: int, high: int) -> None:
        """Look for another requantization of a channel with two outputs that takes the step at the same sum.

        low, high: the least and the greatest sum. Nothing changes where none is found.
        """
        before = self.bias[channel], self.multiplier[channel], self.exponent[channel]
        first = self._output(channel, low)
        step = low + bisect_left(range(low, high), True, key=lambda sum_: self._output(channel, sum_) > first)
        outputs = {low: first, step - 1: first, step: first + 1, high: first + 1}
        exponent = (high - low).bit_length() - 1
        self.multiplier[channel], self.exponent[channel] = 2**30, exponent
        halfway = (2 * (first + 1 - self.zero_points[1]) - 1) << exponent
        for shift in range(halfway - step - 2, halfway - step + 3):
            if all(self._output(channel, value + shift) == wanted for value, wanted in outputs.items()):
                self.bias[channel] += shift
                return
        self.bias[channel], self.multiplier[channel], self.exponent[channel] = before

    @property
    def lowest(self) -> np.ndarray:
        """The least sum of each channel."""
        return self.bias + np.minimum(self.weights * _INT8[0], self.weights * _INT8[1]).sum(axis=1)

    @property
    def highest(self) -> np.ndarray:
        """The greatest sum of each channel."""
        return self.bias + np.maximum(self.weights * _INT8[0], self.weights * _INT8[1]).sum(axis=1)

    @cached_property
    def fits(self) -> bool:
        """Whether sums, shifts and weights are within what the kernels can do."""
        return bool(
            self.lowest.min() >= -_VALUE_LIMIT
            and self.highest.max() < _VALUE_LIMIT
            and self.multiplier.min() > 0
            and self.exponent.min() >= 0
            and abs(self.weights).max() <= _INT8[1]
        )

    def fits_parts(self, sizes: Sequence[int]) -> bool:
        """Whether sums of so many taps each are within what the kernels can do, the others as in `fits`."""
        ends = np.cumsum(sizes)[:-1]
        greatest = max(int(abs(part).sum(axis=1).max()) for part in np.split(self.weights, ends, axis=1))
        return bool(
            -_INT8[0] * greatest < _VALUE_LIMIT
            and self.multiplier.min() > 0
            and self.exponent.min() >= 0
            and abs(self.weights).max() <= _INT8[1]
        )

    @cached_property
    def parts(self) -> list[int]:
        """Taps in each part, whole words but for the last, of as few parts as `fits_parts`; [] if none do."""
        taps = self.weights.shape[1]
        for count in range(1, -(-taps // 4) + 1):
            size = -(-taps // (4 * count)) * 4
            sizes = [min(size, taps - first) for first in range(0, taps, size)]
            if self.fits_parts(sizes):
                return sizes
        return []

    @property
    def mode(self) -> int:
        """How sums become outputs, a tinycc_dsp_mode."""
        return mode_of(self.output_range, self.zero_points[1], int(self.exponent.min()))

    def _data(self, **arrays: np.ndarray) -> dict[str, int | float | np.ndarray]:
        """The kernels' constants."""
        return {
            **arrays,
            "input_zero_point": self.zero_points[0],
            "output_zero_point": self.zero_points[1],
            "output_min": self.output_range[0],
            "output_max": self.output_range[1],
        }

    @property
    def matrix_shape(self) -> dict[str, int]:
        """What of the kernels' geometry concerns the matrix."""
        return {"mode": self.mode, "is_wide": int(self.is_wide)}

    def _words(self, weights: np.ndarray, block: int) -> np.ndarray:
        """Weights [outputs, taps] as `matrix_data` has them, of whole blocks: [outputs, words]."""
        outputs, taps = weights.shape
        padded = np.pad(weights, ((0, -outputs % block), (0, -taps % 4)))
        taken = padded.reshape(len(padded), -1, 2, 2) @ np.array([[256, 0], [1, 1]])
        stored = np.moveaxis(taken & 0xFFFF, 2, -1) @ np.array([1, 1 << 16])
        return np.asarray(stored.reshape(len(padded), -1) if self.is_wide else stored[..., 0])

    def matrix_data(self, block: int = _PAIR) -> dict[str, int | float | np.ndarray]:
        """Constants of the kernels that multiply by a matrix.

        matrix: [outputs / block, 1 + taps / 4 + 1, block]: sums to begin with, words of four taps,
            multipliers; where it is wide, each word is followed by the second and the fourth tap.
        """
        channels = len(self.weights)
        blocks = -(-channels // block)
        ends = np.zeros((blocks * block, 2), np.int64)
        ends[:channels, 0] = 256 * self.bias - 127 * self.weights[:, 1::2].sum(axis=1) + self.exponent
        ends[:channels, 1] = stored_multiplier(self.multiplier)
        matrix = np.concatenate([ends[:, :1], self._words(self.weights, block), ends[:, 1:]], axis=1)
        return self._data(matrix=_int32(matrix.reshape(blocks, block, -1).swapaxes(1, 2)))

    def parts_data(self, sizes: Sequence[int], *, by_parts: bool) -> dict[str, int | float | np.ndarray]:
        """Constants of the kernels that sum so many taps each, apart.

        by_parts: the first part of all blocks of outputs before the second; else all parts of a block.
        """
        outputs = len(self.bias)
        filled = -(-outputs // _DENSE_BLOCK) * _DENSE_BLOCK
        bias, parts = self.bias.copy(), []
        for weights in np.split(self.weights, np.cumsum(sizes)[:-1], axis=1):
            bias -= (127 * weights[:, 1::2].sum(axis=1)) >> 8
            words = self._words(weights, _DENSE_BLOCK)
            parts.append(words.reshape(-1, _DENSE_BLOCK, words.shape[1]).swapaxes(1, 2))
        matrix = (
            np.concatenate([part.reshape(-1) for part in parts])
            if by_parts
            else np.concatenate(parts, axis=1).reshape(-1)
        )
        return {
            **{f"layer.{name}": value for name, value in self._data(matrix=_int32(matrix)).items()},
            "bias": np.pad(bias, (0, filled - outputs)).astype(np.int32),
            "multiplier": _int32(stored_multiplier(self.multiplier)),
            "exponent": self.exponent.astype(np.int8),
        }

    @property
    def sums_matrix(self) -> np.ndarray:
        """The matrix of `matrix_data` for blocks of four, without multipliers."""
        matrix = self.matrix_data(_DENSE_BLOCK)["matrix"]
        assert isinstance(matrix, np.ndarray)
        return np.ascontiguousarray(matrix[:, :-1])

    @property
    def _relative_bias(self) -> np.ndarray:
        """For inputs that are less their zero point."""
        return self.bias + self.zero_points[0] * self.weights.sum(axis=1)

    @property
    def fits_relative(self) -> bool:
        """Whether inputs may be less their zero point."""
        return bool(abs(self._relative_bias).max() < _VALUE_LIMIT)

    def channel_data(
        self, kernel: tuple[int, int], *, is_relative: bool = False
    ) -> dict[str, int | float | np.ndarray]:
        """Constants of the kernels that go channel by channel.

        kernel: height and width of the window; taps are its elements, row by row.
        is_relative: the kernel takes the zero point off the input.
        weights: int8 [channels, taps], in the order that depthwise_conv2d_dsp.h tells.
        constants: [channels, 2]; instead of a bias the output where that is constant.
        """
        order = _paired(np.arange(kernel[0] * kernel[1]).reshape(kernel))
        bias = self._relative_bias if is_relative else self.bias
        output = _CONSTANT + 256 * (self.bias // 4 + self.zero_points[1])
        begin = np.where(self.is_constant, output, 256 * bias + self.exponent)
        constants = np.stack([begin, stored_multiplier(self.multiplier)], axis=1)
        return self._data(weights=self.weights[:, order].astype(np.int8), constants=_int32(constants))


def _paired(taps: np.ndarray) -> np.ndarray:
    """The elements of a window in the order in which they are stored: two rows at a time.

    Four neighbouring pairs are woven as sign extension of even and odd bytes takes them apart.
    """
    even = taps.shape[0] // 2 * 2
    order = np.concatenate([taps[:even].reshape(-1, 2, taps.shape[1]).transpose(2, 0, 1).ravel(),
                            taps[even:].ravel()])  # fmt: skip
    whole = order.size // 4 * 4
    return np.concatenate([order[:whole].reshape(-1, 2, 2).swapaxes(1, 2).ravel(), order[whole:]])


def _int32(values: np.ndarray) -> np.ndarray:
    """The low 32 bits."""
    return np.ascontiguousarray(values).astype(np.uint32).view(np.int32)


def pointwise_call(layer: Linear, form: DspLayer) -> KernelCall:
    """A dense layer or a 1x1 convolution; see `Linear.pointwise_call`."""
    source, output = layer.inputs[0], layer.outputs[0]
    pixels = source.elements // source.channels
    kernel = "dense_dsp" if pixels == 1 else "pointwise_dsp"
    scratch = "_scratch" if pointwise_scratch_bytes(layer) else ""
    return KernelCall(
        header=f"{kernel}.h",
        function=f"tinycc_{kernel}{scratch}_int8",
        struct=f"tinycc_{kernel}",
        shape={
            "input_channels": source.channels,
            "output_channels": output.channels,
            **form.matrix_shape,
        },
        data=form.matrix_data(_DENSE_BLOCK if pixels == 1 else _PAIR),
        windows=(RowWindow.whole(source),),
        rows=1,
        is_flat=True,
        columns=pixels,
        row_elements=output.elements,
    )


def parts_call(layer: Linear, form: DspLayer) -> KernelCall:
    """A dense layer of one vector whose sums have more than 24 bits."""
    source, output = layer.inputs[0], layer.outputs[0]
    return KernelCall(
        header="dense_dsp.h",
        function="tinycc_dense_parts_dsp_int8",
        struct="tinycc_dense_parts_dsp",
        shape={
            "input_channels": source.elements,
            "output_channels": output.elements,
            "part": form.parts[0],
            **form.matrix_shape,
        },
        data=form.parts_data(form.parts, by_parts=False),
        windows=(RowWindow.whole(source),),
        rows=1,
        is_flat=True,
        columns=1,
        row_elements=output.elements,
    )


def accumulating_call(layer: Linear, form: DspLayer, height: int) -> KernelCall:
    """Sums of one vector, the layer's input, an equal part of it after the other."""
    source, output = layer.inputs[0], layer.outputs[0]
    elements = source.elements // height
    return KernelCall(
        header="accumulate_dsp.h",
        function="tinycc_dense_rows_dsp_int8",
        struct="tinycc_dense_rows_dsp",
        shape={
            "rows": height,
            "row_elements": elements,
            "outputs": output.elements,
            **form.matrix_shape,
        },
        data=form.parts_data([elements] * height, by_parts=True),
        windows=(RowWindow(input_rows=height, row_elements=elements),),
        rows=height,
        columns=1,
        row_elements=output.elements,
        accumulator_bytes=4 * (-(-output.elements // _DENSE_BLOCK) * _DENSE_BLOCK),
    )


def pointwise_scratch_bytes(layer: Linear) -> int:
    """Memory of `pointwise_call` for two widened pixels, where they are too much for the stack."""
    source = layer.inputs[0]
    return window_scratch_bytes(source.channels) if source.elements > source.channels else 0


def window_scratch_bytes(taps: int, *, is_gathered: bool = False) -> int:
    """Memory for two widened windows of so many taps, where they are too much for the stack."""
    words = (5 if is_gathered else 4) * (-(-taps // 4))
    return 4 * words if words > _STACK_WORDS else 0


def pointwise_overlap(layer: Linear) -> int:
    """Overlap distance of `pointwise_call`: pixels are read before they are written, but for a single one."""
    source, output = layer.inputs[0], layer.outputs[0]
    pixels = source.elements // source.channels
    if pixels == 1:
        starts = np.arange(0, output.channels, _DENSE_BLOCK)
        ends = np.minimum(starts + _DENSE_BLOCK, output.channels)
        return overlap_distance(np.zeros_like(starts), ends, starts)
    written = np.arange(pixels) * output.channels
    return overlap_distance(np.arange(pixels) * source.channels, written + output.channels, written)
