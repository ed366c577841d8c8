/* Layers of float32 that reduce their whole input, taken in row by row: sums stay in accumulators, and the
 * last row writes the output.
 *
 *   dense:  out[o] = clamp(bias[o] + sum_i in[i] * w[o][i])
 *   reduce: out[c] = clamp(sum_p in[p][c] / divisor)
 *
 * The input is `rows` rows of row_elements elements; a call takes in rows [y0, y1), which lie one after the
 * other. Aliasing: the output may overlap what was taken in before, not the last row.
 * Reference: TFLite float32, FULLY_CONNECTED, MEAN, SUM and AVERAGE_POOL_2D. */
#ifndef TINYCC_ACCUMULATE_FLOAT_H
#define TINYCC_ACCUMULATE_FLOAT_H

#include "pointwise_float.h"
#include "reduce_float.h"

typedef struct {
    int32_t rows;
    int32_t row_elements;
    int32_t outputs;
} tinycc_dense_rows_float_shape;

typedef tinycc_pointwise_float_data tinycc_dense_rows_float_data;

/* Outputs [o, o + outputs) of a block. */
TINYCC_INLINE void tinycc_dense_rows_float_block(const float *input, float *sums, int32_t o, int32_t outputs,
                                                 int32_t y0, int32_t y1,
                                                 const tinycc_dense_rows_float_shape *shape,
                                                 const tinycc_dense_rows_float_data *data)
{
    const float *weights =
        data->weights + o * shape->rows * shape->row_elements + y0 * shape->row_elements * outputs;
    float block[1][TINYCC_FLOAT_OUTPUTS];
    tinycc_float_sums_begin(block, 1, outputs, y0 == 0 ? data->bias + o : sums + o);
    tinycc_float_sums(block, 1, outputs, input, 0, weights, outputs, (y1 - y0) * shape->row_elements);
    memcpy(sums + o, block[0], (size_t)outputs * sizeof(*sums));
}

TINYCC_INLINE void tinycc_dense_rows_float32(const float *input, float *output, void *scratch, int32_t y0,
                                             int32_t y1, const tinycc_dense_rows_float_shape *shape,
                                             const tinycc_dense_rows_float_data *data)
{
    float *sums = (float *)scratch;
    const int32_t rest = shape->outputs % TINYCC_FLOAT_OUTPUTS;
    int32_t o = 0;
    for (; o < shape->outputs - rest; o += TINYCC_FLOAT_OUTPUTS) {
        tinycc_dense_rows_float_block(input, sums, o, TINYCC_FLOAT_OUTPUTS, y0, y1, shape, data);
    }
    if (rest > 0) {
        tinycc_dense_rows_float_block(input, sums, o, rest, y0, y1, shape, data);
    }
    if (y1 < shape->rows) {
        return;
    }
    for (o = 0; o < shape->outputs; ++o) {
        output[o] = tinycc_clamp_float32(sums[o], data->output_min, data->output_max);
    }
}

typedef struct {
    int32_t rows;
    int32_t width;
    int32_t channels;
} tinycc_reduce_rows_float_shape;

typedef tinycc_reduce_float_data tinycc_reduce_rows_float_data;

TINYCC_INLINE void tinycc_reduce_rows_float32(const float *input, float *output, void *scratch, int32_t y0,
                                              int32_t y1, const tinycc_reduce_rows_float_shape *shape,
                                              const tinycc_reduce_rows_float_data *data)
{
    float *sums = (float *)scratch;
    for (int32_t c = 0; c < shape->channels; ++c) {
        float sum = y0 == 0 ? 0.0f : sums[c];
        for (int32_t p = 0; p < (y1 - y0) * shape->width; ++p) {
            sum += input[p * shape->channels + c];
        }
        sums[c] = sum;
    }
    if (y1 < shape->rows) {
        return;
    }
    for (int32_t c = 0; c < shape->channels; ++c) {
        output[c] = tinycc_clamp_float32(sums[c] / data->divisor, data->output_min, data->output_max);
    }
}

#endif
