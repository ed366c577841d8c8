/* The layers of accumulate.h with the DSP extension: averages, means and sums of at most 256 pixels, and
 * dense layers.
 *
 * Scratch memory holds sums, up to a multiple of four: of channels in 16 bits, of dense layers in 32.
 * Aliasing: as in accumulate.h.
 * Reference: TFLite int8 specification, FULLY_CONNECTED, MEAN, SUM and AVERAGE_POOL_2D. */
#ifndef TINYCC_ACCUMULATE_DSP_H
#define TINYCC_ACCUMULATE_DSP_H

#include "../portable/accumulate.h"
#include "dense_dsp.h"
#include "pool2d_dsp.h"
#include "reduce_dsp.h"

typedef tinycc_average_rows_shape tinycc_average_rows_dsp_shape;
typedef tinycc_average_rows_data tinycc_average_rows_dsp_data;

TINYCC_INLINE void tinycc_average_rows_dsp_int8(const int8_t *input, int8_t *output, void *scratch,
                                                int32_t y0, int32_t y1,
                                                const tinycc_average_rows_dsp_shape *shape,
                                                const tinycc_average_rows_dsp_data *data)
{
    const tinycc_pool2d_shape pool = {.mean_bits = shape->mean_bits, .is_clamped = shape->is_clamped};
    const tinycc_dsp_sums *sums = (const tinycc_dsp_sums *)scratch;
    const int32_t channels = shape->channels;
    const int32_t rest = channels % TINYCC_DSP_CHANNELS;
    const int32_t taps = shape->rows * shape->width;
    tinycc_dsp_sums_accumulate(input, (tinycc_dsp_sums *)scratch, (y1 - y0) * shape->width, channels,
                               y0 == 0);
    if (y1 < shape->rows) {
        return;
    }
    int32_t c = 0;
    for (; c < channels - rest; c += TINYCC_DSP_CHANNELS) {
        const uint32_t means = tinycc_pool2d_dsp_means(*sums++, taps, &pool, data);
        tinycc_dsp_store_channels(output + c, means, TINYCC_DSP_CHANNELS);
    }
    if (rest > 0) {
        tinycc_dsp_store_channels(output + c, tinycc_pool2d_dsp_means(*sums, taps, &pool, data), rest);
    }
}

typedef tinycc_reduce_rows_shape tinycc_reduce_rows_dsp_shape;
typedef tinycc_reduce_dsp_data tinycc_reduce_rows_dsp_data;

TINYCC_INLINE void tinycc_reduce_rows_dsp_int8(const int8_t *input, int8_t *output, void *scratch, int32_t y0,
                                               int32_t y1, const tinycc_reduce_rows_dsp_shape *shape,
                                               const tinycc_reduce_rows_dsp_data *data)
{
    const tinycc_dsp_sums *sums = (const tinycc_dsp_sums *)scratch;
    tinycc_dsp_sums_accumulate(input, (tinycc_dsp_sums *)scratch, (y1 - y0) * shape->width, shape->channels,
                               y0 == 0);
    for (int32_t c = 0; c < shape->channels && y1 == shape->rows; ++c) {
        const int32_t sum = tinycc_dsp_sum(sums[c / TINYCC_DSP_CHANNELS], c % TINYCC_DSP_CHANNELS);
        output[c] = tinycc_reduce_dsp_result(sum, shape->is_clamped, data);
    }
}

typedef struct {
    int32_t rows;
    int32_t row_elements;
    int32_t outputs;
    int32_t mode; /* tinycc_dsp_mode */
    int32_t is_wide;
    int32_t is_narrow;
} tinycc_dense_rows_dsp_shape;

typedef tinycc_dense_parts_dsp_data tinycc_dense_rows_dsp_data;

TINYCC_INLINE void tinycc_dense_rows_dsp_int8(const int8_t *input, int8_t *output, void *scratch, int32_t y0,
                                              int32_t y1, const tinycc_dense_rows_dsp_shape *shape,
                                              const tinycc_dense_rows_dsp_data *data)
{
    int32_t *sums = (int32_t *)scratch;
    const int32_t blocks = (shape->outputs + TINYCC_DENSE_DSP_BLOCK - 1) / TINYCC_DENSE_DSP_BLOCK;
    const tinycc_dsp_storage storage = TINYCC_DSP_STORAGE(shape);
    const int is_narrow = storage == TINYCC_DSP_NARROW;
    const int32_t row_weights = is_narrow ? blocks * TINYCC_DENSE_DSP_BLOCK * ((shape->row_elements + 7) / 8)
                                          : blocks * TINYCC_DENSE_DSP_BLOCK *
                                                ((shape->row_elements + 3) / 4) * (shape->is_wide ? 2 : 1);
    const int32_t *weights = data->layer.matrix + y0 * row_weights;
    for (int32_t y = y0; y < y1; ++y) {
        const int32_t *before = y == 0 ? data->bias : sums;
        const int32_t begin =
            is_narrow ? tinycc_dsp_less(0, tinycc_dense_dsp_excess(input, shape->row_elements)) : 0;
        for (int32_t o = 0; o < blocks * TINYCC_DENSE_DSP_BLOCK; o += TINYCC_DENSE_DSP_BLOCK) {
            int32_t part[TINYCC_DENSE_DSP_BLOCK] = {begin, begin, begin, begin};
            weights = tinycc_dense_dsp_inputs(part, input, weights, shape->row_elements, storage);
            TINYCC_UNROLL
            for (int32_t k = 0; k < TINYCC_DENSE_DSP_BLOCK; ++k) {
                sums[o + k] = before[o + k] + (part[k] >> 8);
            }
        }
        input += shape->row_elements;
    }
    for (int32_t o = 0; o < shape->outputs && y1 == shape->rows; ++o) {
        output[o] = tinycc_dsp_output(sums[o], data->multiplier[o], data->exponent[o], &data->layer,
                                      (tinycc_dsp_mode)shape->mode);
    }
}

#endif
