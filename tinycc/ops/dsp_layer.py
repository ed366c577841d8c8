"""Layers with weights as the integers that DSP kernels take; see runtime_c/kernels/dsp/dsp.h."""

import weakref
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from tinycc.ops.dsp import INT8_RANGE, stored_multiplier
from tinycc.ops.fixed_point import quantize_multipliers
from tinycc.ops.integer_arithmetic import clamp, requantize
from tinycc.ops.linear import Linear
from tinycc.runtime_c.constants import constant

# How kernels find weights, see dsp.h: four in a word; the second and the fourth once more as int16; eight.
Storage: TypeAlias = Literal["bytes", "wide", "narrow"]
# What is added to weights of four bits.
_NARROW_OFFSET = constant("TINYCC_DSP_NARROW_OFFSET")
# Values that are multiplied by 256 to make room for their exponent.
_VALUE_LIMIT = 2**23
# TINYCC_DEPTHWISE_DSP_CONSTANT.
_CONSTANT = constant("TINYCC_DEPTHWISE_DSP_CONSTANT")


@dataclass(frozen=True, eq=False)
class DspLayer:
    """Constants of an int8 layer as integers, channel by channel.

    Channels whose output is the same for every input are written with weights of 0.

    weights: int64 [output channels, taps], zero point taken off.
    bias, multiplier, exponent: of each channel; a result is divided by 2**(31 + exponent).
    is_constant: which channels' outputs do not depend on the input.
    zero_points: of input and output.
    """

    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    exponent: np.ndarray
    is_constant: np.ndarray
    zero_points: tuple[int, int]
    output_range: tuple[int, int]

    @classmethod
    def of(cls, layer: Linear) -> "DspLayer":
        """A layer as it is; made once for each view."""
        if layer not in _FORMS:
            bias = layer.folded_bias
            multiplier, shift = quantize_multipliers(layer.requantized.multipliers)
            _FORMS[layer] = cls(
                layer.requantized.by_channel.reshape(len(bias), -1),
                bias.astype(np.int64),
                multiplier.astype(np.int64),
                -shift.astype(np.int64),
                np.zeros(len(bias), bool),
                (layer.inputs[0].zero_point, layer.outputs[0].zero_point),
                layer.output_range,
            )
            _FORMS[layer]._settle()
        return _FORMS[layer]

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
            INT8_RANGE,
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
        return self.bias + np.minimum(self.weights * INT8_RANGE[0], self.weights * INT8_RANGE[1]).sum(axis=1)

    @property
    def highest(self) -> np.ndarray:
        """The greatest sum of each channel."""
        return self.bias + np.maximum(self.weights * INT8_RANGE[0], self.weights * INT8_RANGE[1]).sum(axis=1)

    @cached_property
    def fits(self) -> bool:
        """Whether sums, shifts and weights are within what the kernels can do."""
        return bool(
            self.lowest.min() >= -_VALUE_LIMIT
            and self.highest.max() < _VALUE_LIMIT
            and self.multiplier.min() > 0
            and self.exponent.min() >= 0
            and abs(self.weights).max() <= INT8_RANGE[1]
        )

    @cached_property
    def fits_large(self) -> bool:
        """The same, whatever the bias, in mode TINYCC_DSP_LARGE."""
        return self.fits_parts([self.weights.shape[1]])

    def fits_parts(self, sizes: Sequence[int]) -> bool:
        """Whether sums of so many taps each are within what the kernels can do, the others as in `fits`."""
        ends = np.cumsum(sizes)[:-1]
        greatest = max(int(abs(part).sum(axis=1).max()) for part in np.split(self.weights, ends, axis=1))
        return bool(
            -INT8_RANGE[0] * greatest < _VALUE_LIMIT
            and self.multiplier.min() > 0
            and self.exponent.min() >= 0
            and abs(self.weights).max() <= INT8_RANGE[1]
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

    @staticmethod
    def _words(weights: np.ndarray, block: int, storage: Storage) -> np.ndarray:
        """Weights [outputs, taps] as `matrix` has them, of whole blocks: [outputs, words]."""
        outputs, taps = weights.shape
        if storage == "narrow":
            return _eight_in_a_word(np.pad(weights, ((0, -outputs % block), (0, -taps % 8))))
        padded = np.pad(weights, ((0, -outputs % block), (0, -taps % 4)))
        taken = padded.reshape(len(padded), -1, 2, 2) @ np.array([[256, 0], [1, 1]])
        stored = np.moveaxis(taken & 0xFFFF, 2, -1) @ np.array([1, 1 << 16])
        return np.asarray(stored.reshape(len(padded), -1) if storage == "wide" else stored[..., 0])

    def matrix(self, block: int, storage: Storage = "bytes", *, is_large: bool = False) -> np.ndarray:
        """Constants of the kernels that multiply by a matrix, `block` outputs at a time.

        int32 [outputs / block, 1 + words + 1, block]: sums to begin with, words of four taps, multipliers;
        where it is wide, each word is followed by the second and the fourth tap; narrow words have eight.
        is_large: the bias is no part of the sums to begin with, but a word before the multipliers.
        """
        channels = len(self.weights)
        blocks = -(-channels // block)
        ends = np.zeros((blocks * block, 3), np.int64)
        ends[:channels, 0] = self.exponent - 127 * self.weights[:, 1::2].sum(axis=1)
        if is_large:
            ends[:channels, 1] = self.bias
        else:
            ends[:channels, 0] += 256 * self.bias
        ends[:channels, 2] = stored_multiplier(self.multiplier)
        words = self._words(self.weights, block, storage)
        matrix = np.concatenate([ends[:, :1], words, ends[:, 1 if is_large else 2 :]], axis=1)
        return _int32(matrix.reshape(blocks, block, -1).swapaxes(1, 2))

    def parts_matrix(
        self, sizes: Sequence[int], block: int, storage: Storage, *, by_parts: bool
    ) -> np.ndarray:
        """The weights of the kernels that sum so many taps each, apart: int32, flat.

        by_parts: the first part of all blocks of outputs before the second; else all parts of a block.
        """
        parts = []
        for weights in np.split(self.weights, np.cumsum(sizes)[:-1], axis=1):
            words = self._words(weights, block, storage)
            parts.append(words.reshape(-1, block, words.shape[1]).swapaxes(1, 2))
        if by_parts:
            return _int32(np.concatenate([part.reshape(-1) for part in parts]))
        return _int32(np.concatenate(parts, axis=1).reshape(-1))

    def parts_bias(self, sizes: Sequence[int], block: int) -> np.ndarray:
        """The bias of the same kernels, int32 of whole blocks."""
        bias = self.bias.copy()
        for weights in np.split(self.weights, np.cumsum(sizes)[:-1], axis=1):
            bias -= (127 * weights[:, 1::2].sum(axis=1)) >> 8
        return np.pad(bias, (0, -len(bias) % block)).astype(np.int32)

    @property
    def stored_multipliers(self) -> np.ndarray:
        """As kernels take them, int32 [output channels]."""
        return _int32(stored_multiplier(self.multiplier))

    @property
    def stored_exponents(self) -> np.ndarray:
        """As kernels take them, int8 [output channels]."""
        return self.exponent.astype(np.int8)

    @property
    def _relative_bias(self) -> np.ndarray:
        """For inputs that are less their zero point."""
        return self.bias + self.zero_points[0] * self.weights.sum(axis=1)

    @property
    def fits_relative(self) -> bool:
        """Whether inputs may be less their zero point."""
        return bool(abs(self._relative_bias).max() < _VALUE_LIMIT)

    def channel_weights(self, kernel: tuple[int, int], storage: Storage = "bytes") -> np.ndarray:
        """Weights of the kernels that go channel by channel: int8 [channels, taps], of four bits fewer bytes.

        kernel: height and width of the window; taps are its elements, in the order that
            depthwise_conv2d_dsp.h tells.
        """
        order = _paired(np.arange(kernel[0] * kernel[1]).reshape(kernel))
        weights = self.weights[:, order].astype(np.int8)
        return _eights_in_words(weights) if storage == "narrow" else weights

    def channel_constants(self, *, is_relative: bool, is_large: bool = False) -> np.ndarray:
        """The other constants of the same kernels: int32 [channels, 2], or 3 where the bias is large.

        Instead of a bias the output where that is constant.
        is_relative: the kernel takes the zero point off the input. is_large: the bias has a word of its own.
        """
        bias = self._relative_bias if is_relative else self.bias
        output = _CONSTANT + 256 * (self.bias // 4 + self.zero_points[1])
        begin = np.where(self.is_constant, output, self.exponent + (0 if is_large else 256 * bias))
        words = [begin, stored_multiplier(self.multiplier), *([bias] if is_large else [])]
        return _int32(np.stack(words, axis=1))


def words_of(taps: int, storage: Storage) -> int:
    """Words of one output's weights."""
    if storage == "narrow":
        return -(-taps // 8)
    return -(-taps // 4) * (2 if storage == "wide" else 1)


def _eight_in_a_word(weights: np.ndarray) -> np.ndarray:
    """Weights of four bits [outputs, taps], their offset added: [outputs, taps / 8].

    Four taps lie in the lower halves of a word's bytes, the next four in the upper ones, both in the order
    that words of four have.
    """
    halves = (weights + _NARROW_OFFSET).reshape(len(weights), -1, 2, 4)[..., [1, 0, 3, 2]]
    stored = (halves[:, :, 0] | halves[:, :, 1] << 4) @ (1 << 8 * np.arange(4))
    return np.asarray(stored)


def channel_bytes(taps: int) -> int:
    """What weights of four bits of a channel take in kernels that go channel by channel."""
    return taps // 8 * 4 + taps % 8


def _eights_in_words(weights: np.ndarray) -> np.ndarray:
    """Weights of four bits [channels, taps] in the order of `_paired`, their offset added, eight in a word.

    A pair is in the same halves of two bytes that a byte lies between. What is left over has a byte each.
    """
    whole = weights.shape[1] // 8 * 8
    offset = weights[:, :whole].astype(np.int64) + _NARROW_OFFSET
    pairs = offset.reshape(len(weights), -1, 8)[..., [0, 1, 4, 5, 2, 3, 6, 7]]
    words = (pairs @ (1 << 4 * np.arange(8))).astype("<u4")
    return np.concatenate([np.ascontiguousarray(words).view(np.int8), weights[:, whole:]], axis=1)


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


_FORMS: "weakref.WeakKeyDictionary[Linear, DspLayer]" = weakref.WeakKeyDictionary()
