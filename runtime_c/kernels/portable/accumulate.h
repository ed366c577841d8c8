/* Layers that reduce their whole input, taken in row by row: sums stay in int32 accumulators, and the last
 * row writes the output.
 *
 *   dense:  out[o] = clamp(zero_point + requantize(bias[o] + sum_i in[i] * (w[o][i] - weight_zero_point)))
 *   reduce: out[c] = clamp(zero_point + requantize(sum_p (in[p][c] - input_zero_point)))
 *   pool:   out[c] = clamp(rescale(mean_p in[p][c]))
 *
 * The input is `rows` rows of row_elements elements; a call takes in rows [y0, y1), which lie one after the
 * other. Aliasing: the output may overlap what was taken in before, not the last row.
 * Reference: TFLite int8 specification, FULLY_CONNECTED, MEAN, SUM and AVERAGE_POOL_2D. */
#ifndef TINYCC_ACCUMULATE_H
#define TINYCC_ACCUMULATE_H

#include "../shared/common.h"
#include "pointwise.h"
#include "pool2d.h"
#include "reduce.h"

typedef struct {
    int32_t rows;
    int32_t row_elements;
    int32_t outputs;
    int32_t weight_zero_point;
    int32_t zero_points_differ; /* weights have a zero point for each channel in place of weight_zero_point */
} tinycc_dense_rows_shape;

typedef tinycc_pointwise_data tinycc_dense_rows_data;

#define TINYCC_DEFINE_DENSE_ROWS(name, bits)                                                                 \
    TINYCC_INLINE void tinycc_dense_rows_##name(                                                             \
        const int8_t *input, int8_t *output, void *scratch, int32_t y0, int32_t y1,                          \
        const tinycc_dense_rows_shape *shape, const tinycc_dense_rows_data *data)                            \
    {                                                                                                        \
        int32_t *sums = (int32_t *)scratch;                                                                  \
        const int32_t elements = (y1 - y0) * shape->row_elements;                                            \
        const int32_t stride = tinycc_weight_bytes_##bits(shape->rows * shape->row_elements);                \
        const int32_t first = y0 * shape->row_elements;                                                      \
        const int32_t place = tinycc_weight_place_##bits(first);                                             \
        for (int32_t o = 0; o < shape->outputs; ++o) {                                                       \
            const int8_t *weights = data->weights + o * stride + tinycc_weight_byte_##bits(first);           \
            const int32_t zero_point =                                                                       \
                shape->zero_points_differ ? data->weight_zero_points[o] : shape->weight_zero_point;          \
            int32_t sum = y0 == 0 ? data->bias[o] : sums[o];                                                 \
            tinycc_dots_##bits(&sum, 1, input, weights, place, stride, elements, zero_point);                \
            sums[o] = sum;                                                                                   \
        }                                                                                                    \
        if (y1 < shape->rows) {                                                                              \
            return;                                                                                          \
        }                                                                                                    \
        for (int32_t o = 0; o < shape->outputs; ++o) {                                                       \
            const int32_t sum =                                                                              \
                tinycc_requantize(sums[o], data->multiplier[o], data->shift[o]) + data->output_zero_point;   \
            output[o] = (int8_t)tinycc_clamp(sum, data->output_min, data->output_max);                       \
        }                                                                                                    \
    }

TINYCC_DEFINE_DENSE_ROWS(int8, 8)
TINYCC_DEFINE_DENSE_ROWS(narrow_int8, 4)

#undef TINYCC_DEFINE_DENSE_ROWS

/* sums[c] += the sum of channel c over `pixels` pixels; from 0 where `first`. */
TINYCC_INLINE void tinycc_accumulate_pixels(const int8_t *input, int32_t *sums, int32_t pixels,
                                            int32_t channels, int first)
{
    for (int32_t c = 0; c < channels; ++c) {
        int32_t sum = first ? 0 : sums[c];
        for (int32_t p = 0; p < pixels; ++p) {
            sum += input[p * channels + c];
        }
        sums[c] = sum;
    }
}

typedef struct {
    int32_t rows;
    int32_t width;
    int32_t channels;
    int32_t is_clamped; /* see tinycc_reduce_shape */
} tinycc_reduce_rows_shape;

typedef tinycc_reduce_data tinycc_reduce_rows_data;

TINYCC_INLINE void tinycc_reduce_rows_int8(const int8_t *input, int8_t *output, void *scratch, int32_t y0,
                                           int32_t y1, const tinycc_reduce_rows_shape *shape,
                                           const tinycc_reduce_rows_data *data)
{
    int32_t *sums = (int32_t *)scratch;
    tinycc_accumulate_pixels(input, sums, (y1 - y0) * shape->width, shape->channels, y0 == 0);
    if (y1 < shape->rows) {
        return;
    }
    for (int32_t c = 0; c < shape->channels; ++c) {
        const int32_t sum = sums[c] - shape->rows * shape->width * data->input_zero_point;
        const int32_t value = tinycc_requantize(sum, data->multiplier, data->shift) + data->output_zero_point;
        output[c] = (int8_t)tinycc_clamp(value, data->output_min, data->output_max);
    }
}

typedef struct {
    int32_t rows;
    int32_t width;
    int32_t channels;
    int32_t mean_bits;
    int32_t is_clamped; /* see tinycc_pool2d_shape */
} tinycc_average_rows_shape;

typedef tinycc_pool2d_data tinycc_average_rows_data;

/* The output, from sums over the whole input. */
TINYCC_INLINE void tinycc_average_rows_results(const int32_t *sums, int8_t *output,
                                               const tinycc_average_rows_shape *shape,
                                               const tinycc_average_rows_data *data)
{
    const tinycc_pool2d_shape pool = {.mean_bits = shape->mean_bits};
    for (int32_t c = 0; c < shape->channels; ++c) {
        const int32_t mean = tinycc_pool2d_mean(sums[c], shape->rows * shape->width, &pool, data);
        output[c] = (int8_t)tinycc_clamp(mean, data->output_min, data->output_max);
    }
}

TINYCC_INLINE void tinycc_average_rows_int8(const int8_t *input, int8_t *output, void *scratch, int32_t y0,
                                            int32_t y1, const tinycc_average_rows_shape *shape,
                                            const tinycc_average_rows_data *data)
{
    int32_t *sums = (int32_t *)scratch;
    tinycc_accumulate_pixels(input, sums, (y1 - y0) * shape->width, shape->channels, y0 == 0);
    if (y1 == shape->rows) {
        tinycc_average_rows_results(sums, output, shape, data);
    }
}

#endif
