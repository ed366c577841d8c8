/* The long short-term memory of unidirectional_lstm.h with the DSP extension.
 *
 * Both matrices are those of dense_dsp.h without multipliers; a unit's four gates are a block. */
#ifndef TINYCC_UNIDIRECTIONAL_LSTM_DSP_H
#define TINYCC_UNIDIRECTIONAL_LSTM_DSP_H

#include "../portable/unidirectional_lstm.h"
#include "dense_dsp.h"

typedef tinycc_unidirectional_lstm_shape tinycc_unidirectional_lstm_dsp_shape;

/* Multipliers as tinycc_dsp_rescale takes them. */
typedef struct {
    const int32_t *input_matrix;
    const int32_t *recurrent_matrix;
    const int32_t *input_multiplier; /* [gates] */
    const int32_t *recurrent_multiplier;
    tinycc_lstm_cell cell;
} tinycc_unidirectional_lstm_dsp_data;

/* The sums of a unit's gates, with their exponents. */
TINYCC_INLINE void tinycc_lstm_dsp_sums(int32_t *sums, const int8_t *input, const int32_t *matrix,
                                        int32_t inputs, int32_t unit)
{
    matrix += unit * TINYCC_LSTM_GATES * (1 + (inputs + 3) / 4);
    memcpy(sums, matrix, TINYCC_LSTM_GATES * sizeof *sums);
    tinycc_dense_dsp_inputs(sums, input, matrix + TINYCC_LSTM_GATES, inputs, TINYCC_DSP_BYTES);
}

TINYCC_INLINE void tinycc_unidirectional_lstm_dsp_gates(int32_t *gates, const int8_t *input,
                                                        const int8_t *hidden, int32_t unit,
                                                        const tinycc_unidirectional_lstm_dsp_shape *shape,
                                                        const tinycc_unidirectional_lstm_dsp_data *data)
{
    int32_t from_input[TINYCC_LSTM_GATES], from_hidden[TINYCC_LSTM_GATES];
    tinycc_lstm_dsp_sums(from_input, input, data->input_matrix, shape->inputs, unit);
    tinycc_lstm_dsp_sums(from_hidden, hidden, data->recurrent_matrix, shape->units, unit);
    TINYCC_UNROLL
    for (int32_t gate = 0; gate < TINYCC_LSTM_GATES; ++gate) {
        gates[gate] = tinycc_lstm_gate(
            tinycc_dsp_rescale(from_input[gate] >> 8, data->input_multiplier[gate], from_input[gate], 0, 0),
            tinycc_dsp_rescale(from_hidden[gate] >> 8, data->recurrent_multiplier[gate], from_hidden[gate], 0,
                               0));
    }
}

TINYCC_DEFINE_LSTM(unidirectional_lstm_dsp)

#endif
