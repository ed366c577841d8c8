/* The long short-term memory of unidirectional_lstm.h for Helium: a unit's four gates in the lanes of a
 * vector.
 */
#ifndef TINYCC_UNIDIRECTIONAL_LSTM_HELIUM_H
#define TINYCC_UNIDIRECTIONAL_LSTM_HELIUM_H

#include "../portable/unidirectional_lstm.h"
#include "helium_dots.h"

typedef tinycc_unidirectional_lstm_shape tinycc_unidirectional_lstm_helium_shape;

/* weights: of each unit's gates, packed as tinycc_dots reads them. scale: the shifts of the gates, less than
 * 0, then their multipliers. */
typedef struct {
    const int8_t *input_weights;
    const int8_t *recurrent_weights;
    const int32_t *input_bias;     /* [units][gates] */
    const int32_t *recurrent_bias; /* [units][gates] */
    const int32_t *input_scale;
    const int32_t *recurrent_scale;
    tinycc_lstm_cell cell;
} tinycc_unidirectional_lstm_helium_data;

/* The products of one unit with the input or the hidden state, in steps of 1 / 4096. */
TINYCC_INLINE tinycc_lanes tinycc_lstm_helium_products(const int8_t *input, const int8_t *weights,
                                                       int32_t inputs, const int32_t *bias,
                                                       const int32_t *scale, int32_t unit)
{
    weights += unit * TINYCC_LSTM_GATES * tinycc_dot_weights(inputs);
    const tinycc_lanes sums = tinycc_dots(input, &weights, inputs, 8);
    const tinycc_lanes biases = tinycc_restore_lanes(bias + unit * TINYCC_LSTM_GATES, 0);
    return tinycc_rescale_lanes(tinycc_add_lanes(sums, biases), scale, 0);
}

TINYCC_INLINE void
tinycc_unidirectional_lstm_helium_gates(int32_t *gates, const int8_t *input, const int8_t *hidden,
                                        int32_t unit, const tinycc_unidirectional_lstm_helium_shape *shape,
                                        const tinycc_unidirectional_lstm_helium_data *data)
{
    int32_t from_input[TINYCC_LSTM_GATES], from_hidden[TINYCC_LSTM_GATES];
    tinycc_save_lanes(from_input, tinycc_lstm_helium_products(input, data->input_weights, shape->inputs,
                                                              data->input_bias, data->input_scale, unit));
    tinycc_save_lanes(from_hidden,
                      tinycc_lstm_helium_products(hidden, data->recurrent_weights, shape->units,
                                                  data->recurrent_bias, data->recurrent_scale, unit));
    TINYCC_UNROLL
    for (int32_t gate = 0; gate < TINYCC_LSTM_GATES; ++gate) {
        gates[gate] = tinycc_lstm_gate(from_input[gate], from_hidden[gate]);
    }
}

TINYCC_DEFINE_LSTM(unidirectional_lstm_helium)

#endif
