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

#include "../dsp/dsp.h"

enum { TINYCC_LSTM_INPUT, TINYCC_LSTM_FORGET, TINYCC_LSTM_CELL, TINYCC_LSTM_OUTPUT, TINYCC_LSTM_GATES };

/* What is done once the gates are summed. Factors that are powers of two are told by their exponents. */
typedef struct {
    const int16_t *sigmoid_table; /* [256], 2**16 (sigmoid(i / 24) - 1/2) */
    int32_t hidden_multiplier;
    int16_t cell_min;
    int16_t cell_max;
    int16_t table_multiplier; /* from the cell state to steps of 1 / (3 * 4096) */
    int8_t table_shift;
    int8_t update_exponent; /* of i g, from halves to the cell state */
    int8_t hidden_shift;
    int8_t hidden_zero_point;
} tinycc_lstm_cell;

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
    tinycc_lstm_cell cell;
} tinycc_unidirectional_lstm_data;

TINYCC_INLINE int32_t tinycc_lstm_product(const int8_t *input, const int8_t *weights, int32_t count,
                                          int32_t bias)
{
    int32_t sum = bias;
    TINYCC_UNROLL
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

/* The pre-activation of a gate in steps of 1 / (3 * 4096), of its two products in steps of 1 / 4096. */
TINYCC_INLINE int32_t tinycc_lstm_gate(int32_t from_input, int32_t from_hidden)
{
    const int32_t sum = tinycc_dsp_saturate16(from_input) + tinycc_dsp_saturate16(from_hidden);
    return 3 * tinycc_dsp_saturate16(sum);
}

/* A product of two int16 times 2**-(1 + exponent), rounded twice as by tinycc_requantize; saturated. */
TINYCC_INLINE int32_t tinycc_lstm_divide(int32_t product, int32_t exponent)
{
    const int32_t half = (product + 1) >> 1;
    const int32_t rounding = (half >> 31) + ((int32_t)1 << exponent >> 1);
    return tinycc_dsp_saturate16((half + rounding) >> exponent);
}

/* The next hidden state of one unit of its gates' pre-activations; its cell state is updated. */
TINYCC_INLINE int8_t tinycc_lstm_unit(const int32_t *gates, int16_t *cell, const tinycc_lstm_cell *data)
{
    const int16_t *table = data->sigmoid_table;
    const int32_t input = tinycc_lstm_sigmoid(gates[TINYCC_LSTM_INPUT], table);
    const int32_t forget = tinycc_lstm_sigmoid(gates[TINYCC_LSTM_FORGET], table);
    const int32_t update = tinycc_lstm_tanh(gates[TINYCC_LSTM_CELL], table);
    const int32_t output = tinycc_lstm_sigmoid(gates[TINYCC_LSTM_OUTPUT], table);
    const int32_t sum =
        tinycc_lstm_divide(forget * *cell, 14) + tinycc_lstm_divide(input * update, data->update_exponent);
    const int32_t next = tinycc_clamp(sum, data->cell_min, data->cell_max);
    *cell = (int16_t)next;
    const int32_t rounding = ((int32_t)1 << data->table_shift) >> 1;
    const int32_t steps = (next * data->table_multiplier + rounding) >> data->table_shift;
    const int32_t product = output * tinycc_lstm_tanh(steps, table);
    const int32_t result = tinycc_requantize(product, data->hidden_multiplier, data->hidden_shift);
    return (int8_t)tinycc_dsp_saturate(result + data->hidden_zero_point);
}

/* The kernel `name`. tinycc_<name>_gates(gates, input, hidden, unit, shape, data) computes the
 * pre-activations of a unit's gates. */
#define TINYCC_DEFINE_LSTM(name)                                                                             \
    TINYCC_INLINE void tinycc_##name##_int8(                                                                 \
        const int8_t *row, int8_t *out_row, int8_t *hidden_state, int16_t *cell_state, int32_t x0,           \
        int32_t x1, const tinycc_##name##_shape *shape, const tinycc_##name##_data *data)                    \
    {                                                                                                        \
        const int8_t *hidden = hidden_state;                                                                 \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            int8_t *output = out_row + x * shape->units;                                                     \
            for (int32_t unit = 0; unit < shape->units; ++unit) {                                            \
                int32_t gates[TINYCC_LSTM_GATES];                                                            \
                tinycc_##name##_gates(gates, row + x * shape->inputs, hidden, unit, shape, data);            \
                output[unit] = tinycc_lstm_unit(gates, cell_state + unit, &data->cell);                      \
            }                                                                                                \
            hidden = output;                                                                                 \
        }                                                                                                    \
        if (x1 > x0) {                                                                                       \
            memcpy(hidden_state, hidden, (size_t)shape->units);                                              \
        }                                                                                                    \
    }

TINYCC_INLINE void tinycc_unidirectional_lstm_gates(int32_t *gates, const int8_t *input, const int8_t *hidden,
                                                    int32_t unit,
                                                    const tinycc_unidirectional_lstm_shape *shape,
                                                    const tinycc_unidirectional_lstm_data *data)
{
    for (int32_t gate = 0; gate < TINYCC_LSTM_GATES; ++gate) {
        const int32_t row = gate * shape->units + unit;
        const int32_t from_input = tinycc_lstm_product(input, data->input_weights + row * shape->inputs,
                                                       shape->inputs, data->input_bias[row]);
        const int32_t from_hidden = tinycc_lstm_product(hidden, data->recurrent_weights + row * shape->units,
                                                        shape->units, data->recurrent_bias[row]);
        gates[gate] = tinycc_lstm_gate(
            tinycc_requantize(from_input, data->input_multiplier[gate], data->input_shift[gate]),
            tinycc_requantize(from_hidden, data->recurrent_multiplier[gate], data->recurrent_shift[gate]));
    }
}

TINYCC_DEFINE_LSTM(unidirectional_lstm)

#endif
