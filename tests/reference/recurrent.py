"""SVDF and UNIDIRECTIONAL_SEQUENCE_LSTM: operators with state.

State goes in and comes out; nothing is modified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .activation import logistic_int16_steps, tanh_int16_steps
from .convolution import convolution_requantization, exact_product
from .fixed_point import (
    INT8,
    INT16,
    Integers,
    Quantization,
    Range,
    as_int64,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)


@dataclass(frozen=True)
class SvdfQuantization:
    """Quantization of every tensor of an SVDF; the weights have zero point 0."""

    input: Quantization
    feature_scale: float
    time_scale: float
    state: Quantization
    output: Quantization
    state_range: Range = INT16


def svdf(
    x: npt.ArrayLike,
    feature_weights: npt.ArrayLike,
    time_weights: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    state: npt.ArrayLike,
    rank: int,
    quantization: SvdfQuantization,
) -> tuple[Integers, Integers]:
    """One step. x [1, in], feature_weights [filters, in], time_weights [filters, memory], bias
    [filters / rank], state [1, filters * memory]; returns (output [1, filters / rank], new state).

    The state of each filter moves one step left; its newest element is the product with the feature weights
    times input.scale * feature_scale / state.scale, plus the state's zero point, clamped to the state's type.
    The output is the sum over time and rank, plus bias, times state.scale * time_scale / output.scale. Both
    multipliers are in double and applied with double rounding. TFLM knows no other activation than the clamp
    to int8 here, whatever the file says.
    """
    filters, memory = np.shape(time_weights)
    history = as_int64(state).reshape(filters, memory)
    first = quantize_multiplier(
        quantization.input.scale * quantization.feature_scale / quantization.state.scale
    )
    dot = exact_product(as_int64(x) - quantization.input.zero_point, as_int64(feature_weights).T)[0]
    newest = multiply_by_quantized_multiplier(dot, *first) + quantization.state.zero_point
    history = np.concatenate([history[:, 1:], quantization.state_range.clamp(newest)[:, None]], axis=1)
    over_time = ((history - quantization.state.zero_point) * as_int64(time_weights)).sum(axis=1)
    accumulator = over_time.reshape(-1, rank).sum(axis=1) + (0 if bias is None else as_int64(bias))
    second = quantize_multiplier(
        quantization.state.scale * quantization.time_scale / quantization.output.scale
    )
    scaled = multiply_by_quantized_multiplier(accumulator, *second) + quantization.output.zero_point
    return INT8.clamp(scaled)[None], history.reshape(np.shape(state))


GATES = ("input", "forget", "cell", "output")
# Gates work on int16 with 3 integer bits; their activations give steps of 2^-15.
GATE_SCALE = 2.0**-12
UNIT_SCALE = 2.0**-15


@dataclass(frozen=True)
class LstmGate:
    """Weights of one gate: int8 [cells, inputs] and [cells, cells], int32 bias [cells]."""

    input_weights: Integers
    input_weight_scale: float
    recurrent_weights: Integers
    recurrent_weight_scale: float
    bias: Integers | None


def _gate_value(
    gate: LstmGate, x: Integers, input_: Quantization, hidden: Integers, h: Quantization
) -> Integers:
    """Pre-activation of a gate: each of the two products is scaled to 2^-12 and saturated, then their sum."""
    from_input = exact_product(x - input_.zero_point, gate.input_weights.T)
    if gate.bias is not None:
        from_input = from_input + gate.bias
    from_hidden = exact_product(hidden - h.zero_point, gate.recurrent_weights.T)
    parts = [
        convolution_requantization(scale, weight_scale, Quantization(GATE_SCALE), INT16)(part)
        for part, scale, weight_scale in (
            (from_input, input_.scale, gate.input_weight_scale),
            (from_hidden, h.scale, gate.recurrent_weight_scale),
        )
    ]
    return INT16.clamp(parts[0] + parts[1])


def lstm(
    x: npt.ArrayLike,
    gates: Mapping[str, LstmGate],
    hidden: npt.ArrayLike,
    cell: npt.ArrayLike,
    quantizations: tuple[Quantization, Quantization, Quantization],
    cell_clip: float = 0.0,
) -> tuple[Integers, Integers, Integers]:
    """All time steps of x [batch, time, inputs] (int8); hidden [batch, cells] int8, cell int16 alike.

    `quantizations` are those of x, the hidden state (which is also the output's) and the cell state, whose
    scale is a power of two, 2^-15 to 2^-9. Returns (output [batch, time, cells], hidden, cell).

    Per step: gates i, f, o = sigmoid and g = tanh of `_gate_value`, in 2^-15. The cell becomes
    sat16(sat16(f * c * 2^-15) + sat16(i * g * 2^-30 / cell.scale)), clipped to +-cell_clip if not 0. The
    hidden state is o * tanh(c) * 2^-30 / hidden.scale plus its zero point, as int8.
    """
    input_, h, c = quantizations
    values, hidden, cell = as_int64(x), as_int64(hidden), as_int64(cell)
    forget_scale = quantize_multiplier(UNIT_SCALE * c.scale / c.scale)
    update_scale = quantize_multiplier(UNIT_SCALE * UNIT_SCALE / c.scale)
    output_scale = quantize_multiplier(UNIT_SCALE * UNIT_SCALE / h.scale)
    # Steps of the activation table are 1 / (3 * 4096): three of them a step of a gate.
    log2 = round(np.log2(c.scale)) + 12
    outputs = []
    for step in range(values.shape[1]):
        now = {gate: 3 * _gate_value(gates[gate], values[:, step], input_, hidden, h) for gate in GATES}
        kept = logistic_int16_steps(now["forget"]) * cell
        added = logistic_int16_steps(now["input"]) * tanh_int16_steps(now["cell"])
        cell = INT16.clamp(
            INT16.clamp(multiply_by_quantized_multiplier(kept, *forget_scale))
            + INT16.clamp(multiply_by_quantized_multiplier(added, *update_scale))
        )
        if cell_clip > 0:
            limit = int(min(max(cell_clip / c.scale, -32768), 32767))
            cell = np.clip(cell, -limit, limit)
        steps = cell * (3 << log2) if log2 >= 0 else (cell * 3 + (1 << (-log2 - 1))) >> -log2
        squashed = tanh_int16_steps(steps)
        product = logistic_int16_steps(now["output"]) * squashed
        hidden = INT8.clamp(multiply_by_quantized_multiplier(product, *output_scale) + h.zero_point)
        outputs.append(hidden)
    return np.stack(outputs, axis=1), hidden, cell
