/* Long short-term memory of float32, one direction.
 *
 * For each step x and unit u, with gates i, f, g, o in this order:
 *
 *   gate = bias + W in[x] + R h; i, f, o = sigmoid(gate), g = tanh(gate)
 *   c[u] = clamp(f c[u] + i g); out[x][u] = o tanh(c[u])
 *
 * h is the hidden state, then out[x - 1]; afterwards the last out[x] is the hidden state. The four gates of a
 * unit are a block of float_sums.h. Aliasing: steps in ascending order; out[x] is written unit by unit while
 * in[x] and h are read. Reference: TFLite float32, UNIDIRECTIONAL_SEQUENCE_LSTM. */
#ifndef TINYCC_LSTM_FLOAT_H
#define TINYCC_LSTM_FLOAT_H

#include "../shared/float_functions.h"
#include "../shared/float_sums.h"

typedef struct {
    int32_t inputs;
    int32_t units;
} tinycc_lstm_float_shape;

typedef struct {
    const float *input_weights;     /* [units][inputs][gates] */
    const float *recurrent_weights; /* [units][units][gates] */
    const float *bias;              /* [units][gates] */
    float cell_min;
    float cell_max;
} tinycc_lstm_float_data;

TINYCC_INLINE void tinycc_lstm_float32(const float *row, float *out_row, float *hidden, float *cell,
                                       int32_t x0, int32_t x1, const tinycc_lstm_float_shape *shape,
                                       const tinycc_lstm_float_data *data)
{
    const int32_t gates = TINYCC_FLOAT_OUTPUTS, units = shape->units;
    const float *before = hidden;
    for (int32_t x = x0; x < x1; ++x) {
        const float *input = row + x * shape->inputs;
        float *output = out_row + x * units;
        for (int32_t u = 0; u < units; ++u) {
            float sums[1][TINYCC_FLOAT_OUTPUTS];
            tinycc_float_sums_begin(sums, 1, gates, data->bias + u * gates);
            tinycc_float_sums(sums, 1, gates, input, 0, data->input_weights + u * shape->inputs * gates,
                              gates, shape->inputs);
            tinycc_float_sums(sums, 1, gates, before, 0, data->recurrent_weights + u * units * gates, gates,
                              units);
            const float entering = tinycc_sigmoid(sums[0][0]) * tinycc_tanh(sums[0][2]);
            cell[u] = tinycc_clamp_float32(tinycc_sigmoid(sums[0][1]) * cell[u] + entering, data->cell_min,
                                           data->cell_max);
            output[u] = tinycc_sigmoid(sums[0][3]) * tinycc_tanh(cell[u]);
        }
        before = output;
    }
    memcpy(hidden, before, (size_t)units * sizeof(*hidden));
}

#endif
