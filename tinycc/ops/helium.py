"""Constants of layers with weights, in the order in which the Helium kernels read them.

See runtime_c/kernels/helium/helium.h, helium_dots.h and helium_matrix.h for what is asked for.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.kernel_call import Packed, Value
from tinycc.ops.linear import Linear
from tinycc.ops.narrow import NARROW_BITS, two_in_a_byte
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.tensor import Tensor
from tinycc.runtime_c.constants import constant

FEATURE = "helium"
LANES = constant("TINYCC_LANES")
CHANNELS = constant("TINYCC_CHANNELS")
# Elements that the shorter step of a dot product takes in.
STEP = constant("TINYCC_DOT_STEP")
# What fits beside a shift in a word.
_BIAS_LIMIT = 2**23

Data = dict[str, Value]


class Clamped(Protocol):
    """An operator whose result is clamped."""

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """One."""

    @property
    def output_range(self) -> tuple[int, int]:
        """The clamp."""


def is_rectified(layer: Clamped) -> bool:
    """Whether negative results are clamped away."""
    return layer.output_range[0] >= layer.outputs[0].zero_point


def fits(layer: Linear) -> bool:
    """Whether constants are as kernels need them: no zero point of weights, small biases, right shifts."""
    is_int8 = layer.inputs[0].dtype == "int8" and layer.outputs[0].dtype == "int8"
    return is_int8 and layer.arithmetic.meets(lambda: _constants_fit(layer))


def _constants_fit(layer: Linear) -> bool:
    if layer.requantized.weight_zero_points.any():
        return False
    fields = simplified(layer)
    greatest = 0 if is_rectified(layer) else -1
    return bool((np.abs(fields["bias"]) < _BIAS_LIMIT).all() and (fields["shift"] <= greatest).all())


def simplified(layer: Linear) -> dict[str, np.ndarray]:
    """Weights [output channels, ...], bias, multiplier and shift of a layer.

    Channels with a large bias, as pruning leaves them, that give one and the same value for every input are
    put down as that value: no weights, and a bias that is halved twice.
    """
    arithmetic = layer.requantized
    multiplier, shift = arithmetic.fixed_point("int8")
    fields = {"bias": layer.folded_bias, "multiplier": multiplier, "shift": shift}
    fields["weights"] = np.moveaxis(arithmetic.weights, arithmetic.channel_axis, 0).copy()
    fields["shift"][fields["multiplier"] == 0] = -1
    large = (np.abs(fields["bias"].astype(np.int64)) >= _BIAS_LIMIT) & (fields["shift"] <= 0)
    if large.any():
        least, most = _extreme_results(layer, fields)
        constant = large & (least == most)
        fields["weights"][constant] = 0
        fields["bias"][constant] = 4 * (least[constant] - layer.outputs[0].zero_point)
        fields["multiplier"][constant] = 2**30
        fields["shift"][constant] = -1
    return fields


def _extreme_results(layer: Linear, fields: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The least and the largest output of each channel, for any input; where no shift is to the left."""
    weights = fields["weights"].astype(np.int64).reshape(len(fields["bias"]), -1)
    right = np.maximum(-fields["shift"].astype(np.int64), 0)
    half = np.where(right > 0, 1 << np.maximum(right - 1, 0), 0)
    results = []
    for below, above in ((127, -128), (-128, 127)):
        sums = fields["bias"] + np.where(weights > 0, above * weights, below * weights).sum(axis=1)
        high = (sums * fields["multiplier"].astype(np.int64) + 2**30) >> 31
        rounded = np.sign(high) * ((np.abs(high) + half) >> right)
        results.append(np.clip(rounded + layer.outputs[0].zero_point, *layer.output_range))
    return results


def matrix_groups(outputs: int) -> list[np.ndarray]:
    """The outputs that tinycc_matrix computes together, four by four; the last ones may be beyond the end."""
    whole = outputs // (2 * LANES) * 2 * LANES
    pairs = np.arange(whole).reshape(-1, LANES, 2).transpose(0, 2, 1).reshape(-1, LANES)
    rest = np.arange(whole, filled(outputs)).reshape(-1, LANES)
    return [*pairs, *rest]


def fours(outputs: int) -> list[np.ndarray]:
    """Four outputs after the other; the last ones may be beyond the end."""
    return list(np.arange(filled(outputs)).reshape(-1, LANES))


def filled(outputs: int) -> int:
    """The next multiple of four."""
    return outputs + -outputs % LANES


def pack_rows(rows: np.ndarray, groups: Sequence[np.ndarray], weight_bits: int = 8) -> np.ndarray:
    """Weights [outputs, inputs] as tinycc_dots reads them: four rows after the other, in one array."""
    outputs, inputs = rows.shape
    padded = np.pad(rows, ((0, -outputs % LANES), (0, -inputs % STEP)))
    steps = [2 * STEP] * (inputs // (2 * STEP)) + [STEP] * (-(-(inputs % (2 * STEP)) // STEP))
    parts = np.split(padded, np.cumsum(steps)[:-1], axis=1)
    return np.concatenate(
        [in_bytes(part[group], weight_bits).reshape(-1) for group in groups for part in parts]
    )


def in_bytes(rows: np.ndarray, weight_bits: int) -> np.ndarray:
    """Rows of weights, int8; of four bits, two rows after the other share their bytes, [rows / 2, elements].

    The first of two is in the lower halves, the second, or zeros after the last row, in the upper ones.
    """
    if weight_bits != NARROW_BITS:
        return rows
    pairs = np.pad(rows, ((0, len(rows) % 2), (0, 0))).reshape(-1, 2, rows.shape[1])
    return two_in_a_byte(pairs.transpose(0, 2, 1).reshape(len(pairs), -1))


def pack_constants(fields: dict[str, np.ndarray], groups: Sequence[np.ndarray]) -> np.ndarray:
    """Requantization, int32, of the channels in each group of four."""
    words = fields["bias"].astype(np.int64) * 256 + (fields["shift"].astype(np.int64) & 0xFF)
    table = np.stack([words, fields["multiplier"].astype(np.int64)]).astype(np.int32)
    table = np.pad(table, ((0, 0), (0, max(int(group.max()) for group in groups) + 1 - len(words))))
    return np.concatenate([table[:, group].reshape(-1) for group in groups])


def in_one_stream(constants: np.ndarray, weights: np.ndarray, groups: int) -> np.ndarray:
    """Of each group its constants, then its weights as little-endian words: int32 [groups, words]."""
    words = np.ascontiguousarray(weights).reshape(groups, -1).view("<i4").astype(np.int32)
    return np.concatenate([constants.reshape(groups, -1), words], axis=1)


def range_fields(layer: Clamped) -> Data:
    """The kernel's tinycc_output_range."""
    return {
        "range.zero_point": layer.outputs[0].zero_point,
        "range.min": layer.output_range[0],
        "range.max": layer.output_range[1],
    }


def matrix_data(layer: Linear, inputs: int, weight_bits: int) -> Data:
    """The kernel's tinycc_matrix_data, a layer's weights being [outputs, ...].

    inputs: of the kernel, which takes zeros after those of the layer.
    """
    shape = (filled(layer.outputs[0].channels) // LANES, 2 * LANES + _row_bytes(inputs, weight_bits))
    matrix = Packed(shape, "int32", lambda: _matrix(layer, inputs, weight_bits))
    return {"matrix": matrix, **range_fields(layer)}


def _matrix(layer: Linear, inputs: int, weight_bits: int) -> np.ndarray:
    fields = simplified(layer)
    weights = fields["weights"].reshape(len(fields["bias"]), -1)
    weights = np.pad(weights, ((0, 0), (0, inputs - weights.shape[1])))
    groups = matrix_groups(len(weights))
    return in_one_stream(pack_constants(fields, groups), pack_rows(weights, groups, weight_bits), len(groups))


def _whole_steps(inputs: int) -> int:
    """Inputs with those that `pack_rows` adds."""
    return -(-inputs // STEP) * STEP


def _row_bytes(inputs: int, weight_bits: int) -> int:
    """What `pack_rows` makes of a row on average; four rows of a group are as many words."""
    return _whole_steps(inputs) * weight_bits // 8


def matrix_shape(layer: Linear, inputs: int, weight_bits: int) -> dict[str, int]:
    """The kernel's tinycc_matrix_shape."""
    return {
        "inputs": inputs,
        "outputs": layer.outputs[0].channels,
        "rectified": int(is_rectified(layer)),
        "saturated": int(layer.output_range == INTEGER_RANGE["int8"]),
        "weight_bits": weight_bits,
    }


def window_inputs(layer: Linear) -> int:
    """Elements of a window that is laid out, its weights being [outputs, ...]."""
    return _whole_steps(layer.taps)


def channel_groups(channels: int) -> list[np.ndarray]:
    """The channels of the four vectors of each sixteen; some of the last may be beyond the end."""
    whole = np.arange(-(-channels // CHANNELS) * CHANNELS).reshape(-1, 4, 4)
    return list(whole[:, :, [0, 2, 1, 3]].transpose(0, 2, 1).reshape(-1, LANES))


def channel_data(layer: Linear, pixels: int, weight_bits: int) -> Data:
    """Weights, constants and range of a layer whose weights are [height, width, channels].

    pixels: that are computed together.
    """
    groups = -(-layer.outputs[0].channels * pixels // CHANNELS)
    # Words: bias and multiplier of each channel, and a byte for each tap, or for two.
    tap_bytes = -(-layer.taps * weight_bits // 8)
    words = Packed(
        (groups, 2 * CHANNELS + CHANNELS // 4 * tap_bytes),
        "int32",
        lambda: _channel_groups(layer, pixels, weight_bits),
    )
    return {"groups": words, **range_fields(layer)}


def _channel_groups(layer: Linear, pixels: int, weight_bits: int) -> np.ndarray:
    fields = {name: np.concatenate([value] * pixels) for name, value in simplified(layer).items()}
    channels = len(fields["bias"])
    taps = np.pad(fields["weights"].reshape(channels, -1), ((0, -channels % CHANNELS), (0, 0)))
    groups = taps.reshape(-1, CHANNELS, taps.shape[1]).transpose(0, 2, 1)
    weights = np.stack([in_bytes(group, weight_bits) for group in groups])
    constants = pack_constants(fields, channel_groups(channels))
    return in_one_stream(constants, weights, len(weights))


def channelwise_overlap(reads: np.ndarray, output: Tensor, pixels: int) -> int:
    """Overlap distance of a kernel that computes sixteen channels of a pixel at a time.

    reads: for each output pixel the first byte of its window. pixels: that may be computed together.
    """
    first = np.arange(0, output.channels, CHANNELS)
    index = np.arange(len(reads))[:, None]
    last = np.minimum(index + pixels, len(reads)) * output.channels
    ends = last if pixels > 1 else index * output.channels + np.minimum(first + CHANNELS, output.channels)
    starts = (index * output.channels + first).reshape(-1)
    return overlap_distance((reads[:, None] + first).reshape(-1), np.array(ends).reshape(-1), starts)


def parts_data(layer: Linear, count: int, weight_bits: int) -> Data:
    """Constants of a kernel that takes in `count` equal parts of one vector after the other."""
    outputs = filled(layer.outputs[0].elements)
    groups = fours(layer.outputs[0].elements)

    def weights() -> np.ndarray:
        parts = np.split(simplified(layer)["weights"], count, axis=1)
        return np.concatenate([pack_rows(part, groups, weight_bits) for part in parts])

    size = count * outputs * _row_bytes(layer.taps // count, weight_bits)
    return {
        "weights": Packed((size,), "int8", weights),
        "constants": Packed((2 * outputs,), "int32", lambda: pack_constants(simplified(layer), groups)),
        **range_fields(layer),
    }


def windowed_overlap(reads: np.ndarray, output: Tensor) -> int:
    """Overlap distance of a kernel that reads the windows of two pixels before it writes them.

    reads: for each output pixel the first byte of its window.
    """
    starts = np.arange(len(reads)) * output.channels
    return overlap_distance(reads, starts + output.channels, starts)


def pairwise_overlap(reads: np.ndarray, output: Tensor) -> int:
    """Overlap distance of a kernel that computes two pixels at a time, wherever a row of pixels starts.

    reads: for each output pixel the first byte that it reads.
    """
    channels = output.channels
    pixels = np.arange(len(reads))
    ends = np.minimum(pixels + 2, len(reads)) * channels
    last = 2 * LANES if channels % (2 * LANES) == 0 else (channels - 1) % LANES + 1
    return overlap_distance(reads, ends, ends - last)
