/* Long short-term memory, one direction: int8 input and hidden state, int16 cell state.
 *
 * For each step x and unit u, with gates i, f, g, o in this order:
 *
 *   gate = sat16(sat16(requantize(bias + W in[x])) + sat16(requantize(recurrent_bias + R h)))   in steps of
 * 2**-12 i, f, o = sigmoid(gate), g = tanh(gate)                                                     in steps
 * of 2**-15 c[u] = clamp(sat16(requantize(f c[u])) + sat16(requantize(i g))) out[x][u] = clamp(zero_point +
 * requantize(o tanh(c[u])))
 *
 * Both biases have the zero points folded in. h is the hidden state, then out[x - 1]; afterwards the last
 * out[x] is the hidden state. Functions come from one table with linear interpolation. Aliasing: steps in
 * ascending order; out[x] is written unit by unit while in[x] and h are read. Reference: TFLite,
 * UNIDIRECTIONAL_SEQUENCE_LSTM of int8 with int16 cells. */
#ifndef TINYCC_UNIDIRECTIONAL_LSTM_H
#define TINYCC_UNIDIRECTIONAL_LSTM_H

#include "common.h"

enum { TINYCC_LSTM_INPUT, TINYCC_LSTM_FORGET, TINYCC_LSTM_CELL, TINYCC_LSTM_OUTPUT, TINYCC_LSTM_GATES };

typedef struct {
    int32_t inputs;
    int32_t units;
} tinycc_unidirectional_lstm_shape;

typedef struct {
    const int8_t *input_weights;     /* [gates][units][inputs] */
    const int8_t *recurrent_weights; /* [gates][units][units] */
    const int32_t *input_bias;       /* [gates][units] */
    const int32_t *recurrent_bias;   /* [gates][units] */
    const int32_t *input_multiplier; /* [gates] */
    const int8_t *input_shift;
    const int32_t *recurrent_multiplier;
    const int8_t *recurrent_shift;
    const int16_t *sigmoid_table; /* [256], 2**16 (sigmoid(i / 24) - 1/2) */
    int32_t forget_multiplier;
    int32_t forget_shift;
    int32_t update_multiplier;
    int32_t update_shift;
    int32_t cell_min;
    int32_t cell_max;
    int32_t table_multiplier; /* from the cell state to steps of 1 / (3 * 4096) */
    int32_t table_shift;
    int32_t hidden_multiplier;
    int32_t hidden_shift;
    int32_t hidden_zero_point;
} tinycc_unidirectional_lstm_data;

TINYCC_INLINE int32_t tinycc_lstm_saturate(int32_t value)
{
    return tinycc_clamp(value, -32768, 32767);
}

TINYCC_INLINE int32_t tinycc_lstm_product(const int8_t *input, const int8_t *weights, int32_t count,
                                          int32_t bias)
{
    int32_t sum = bias;
    for (int32_t i = 0; i < count; ++i) {
        sum += input[i] * weights[i];
    }
    return sum;
}

/* 2**(bits + 16) sigmoid(magnitude / (24 * 2**bits)), magnitude / 2**bits in [0, 255). */
TINYCC_INLINE int32_t tinycc_lstm_interpolate(int32_t magnitude, int32_t bits, const int16_t *table)
{
    const int16_t *entry = table + (magnitude >> bits);
    const int32_t fraction = magnitude & (((int32_t)1 << bits) - 1);
    return (entry[0] + 32768) * ((int32_t)1 << bits) + fraction * (entry[1] - entry[0]);
}

/* Sigmoid of steps of 1 / (3 * 4096), in steps of 2**-15. */
TINYCC_INLINE int32_t tinycc_lstm_sigmoid(int32_t steps, const int16_t *table)
{
    const int32_t magnitude = steps < 0 ? -steps : steps;
    const int32_t saturated = 32767 * 1024;
    const int32_t value = magnitude >= 255 * 512 ? saturated : tinycc_lstm_interpolate(magnitude, 9, table);
    return (steps < 0 ? ((int32_t)1 << 25) - value + 511 : value + 512) >> 10;
}

/* Hyperbolic tangent of the same, as 2 sigmoid(2 x) - 1. */
TINYCC_INLINE int32_t tinycc_lstm_tanh(int32_t steps, const int16_t *table)
{
    const int32_t magnitude = steps < 0 ? -steps : steps;
    const int32_t half = (int32_t)1 << 23;
    const int32_t saturated = 65535 * 256;
    const int32_t value = magnitude >= 255 * 256 ? saturated : tinycc_lstm_interpolate(magnitude, 8, table);
    return (steps < 0 ? half - value + 127 : value - half + 128) >> 8;
}

/* The pre-activation of a gate of one unit, in steps of 1 / (3 * 4096). */
TINYCC_INLINE int32_t tinycc_lstm_gate(const int8_t *input, const int8_t *hidden, int32_t gate, int32_t unit,
                                       const tinycc_unidirectional_lstm_shape *shape,
                                       const tinycc_unidirectional_lstm_data *data)
{
    const int32_t row = gate * shape->units + unit;
    const int32_t from_input = tinycc_lstm_product(input, data->input_weights + row * shape->inputs,
                                                   shape->inputs, data->input_bias[row]);
    const int32_t from_hidden = tinycc_lstm_product(hidden, data->recurrent_weights + row * shape->units,
                                                    shape->units, data->recurrent_bias[row]);
    const int32_t scaled_input =
        tinycc_requantize(from_input, data->input_multiplier[gate], data->input_shift[gate]);
    const int32_t scaled_hidden =
        tinycc_requantize(from_hidden, data->recurrent_multiplier[gate], data->recurrent_shift[gate]);
    return 3 * tinycc_lstm_saturate(tinycc_lstm_saturate(scaled_input) + tinycc_lstm_saturate(scaled_hidden));
}

/* The next hidden state of one unit; its cell state is updated. */
TINYCC_INLINE int8_t tinycc_lstm_unit(const int8_t *input, const int8_t *hidden, int16_t *cell, int32_t unit,
                                      const tinycc_unidirectional_lstm_shape *shape,
                                      const tinycc_unidirectional_lstm_data *data)
{
    int32_t gates[TINYCC_LSTM_GATES];
    for (int32_t gate = 0; gate < TINYCC_LSTM_GATES; ++gate) {
        const int32_t steps = tinycc_lstm_gate(input, hidden, gate, unit, shape, data);
        gates[gate] = gate == TINYCC_LSTM_CELL ? tinycc_lstm_tanh(steps, data->sigmoid_table)
                                               : tinycc_lstm_sigmoid(steps, data->sigmoid_table);
    }
    const int32_t kept = tinycc_requantize(gates[TINYCC_LSTM_FORGET] * cell[unit], data->forget_multiplier,
                                           data->forget_shift);
    const int32_t added = tinycc_requantize(gates[TINYCC_LSTM_INPUT] * gates[TINYCC_LSTM_CELL],
                                            data->update_multiplier, data->update_shift);
    const int32_t sum = tinycc_lstm_saturate(kept) + tinycc_lstm_saturate(added);
    const int32_t next = tinycc_clamp(sum, data->cell_min, data->cell_max);
    cell[unit] = (int16_t)next;
    const int32_t rounding = ((int32_t)1 << data->table_shift) >> 1;
    const int32_t steps = (next * data->table_multiplier + rounding) >> data->table_shift;
    const int32_t product = gates[TINYCC_LSTM_OUTPUT] * tinycc_lstm_tanh(steps, data->sigmoid_table);
    const int32_t result = tinycc_requantize(product, data->hidden_multiplier, data->hidden_shift);
    return (int8_t)tinycc_clamp(result + data->hidden_zero_point, -128, 127);
}

TINYCC_INLINE void tinycc_unidirectional_lstm_int8(const int8_t *row, int8_t *out_row, int8_t *hidden_state,
                                                   int16_t *cell_state, int32_t x0, int32_t x1,
                                                   const tinycc_unidirectional_lstm_shape *shape,
                                                   const tinycc_unidirectional_lstm_data *data)
{
    const int8_t *hidden = hidden_state;
    for (int32_t x = x0; x < x1; ++x) {
        int8_t *output = out_row + x * shape->units;
        for (int32_t unit = 0; unit < shape->units; ++unit) {
            output[unit] = tinycc_lstm_unit(row + x * shape->inputs, hidden, cell_state, unit, shape, data);
        }
        hidden = output;
    }
    if (x1 > x0) {
        memcpy(hidden_state, hidden, (size_t)shape->units);
    }
}

#endif
