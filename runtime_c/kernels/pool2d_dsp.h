/* The int8 pooling of pool2d.h with the DSP extension; windows of at most 256 taps are averaged.
 *
 * rows[j] is the input row under kernel row j, NULL outside; a row is [width][channels]. Aliasing: output
 * pixels in ascending order, of each four channels at a time; they are written once all their taps are read.
 * Reference: TFLite int8 specification, AVERAGE_POOL_2D and MAX_POOL_2D. */
#ifndef TINYCC_POOL2D_DSP_H
#define TINYCC_POOL2D_DSP_H

#include "dsp_channels.h"
#include "pool2d_window.h"

/* The means of sums of `taps` elements, clamped. */
TINYCC_INLINE uint32_t tinycc_pool2d_dsp_means(tinycc_dsp_sums sums, int32_t taps,
                                               const tinycc_pool2d_shape *shape,
                                               const tinycc_pool2d_data *data)
{
    uint32_t word = 0;
    if (shape->mean_bits == 0) {
        word = tinycc_dsp_means(sums, tinycc_dsp_reciprocal(taps));
        if (shape->is_clamped) {
            word = tinycc_dsp_larger(word, tinycc_dsp_all(data->output_min));
            word = tinycc_dsp_smaller(word, tinycc_dsp_all(data->output_max));
        }
        return word;
    }
    for (int32_t k = 0; k < TINYCC_DSP_CHANNELS; ++k) {
        const int32_t mean = tinycc_pool2d_mean(tinycc_dsp_sum(sums, k), taps, shape, data);
        word |= ((uint32_t)tinycc_clamp(mean, data->output_min, data->output_max) & 0xFFU) << 8 * k;
    }
    return word;
}

/* The means of `count` channels, at most four. */
TINYCC_INLINE void tinycc_average_pool2d_dsp_channels(const int8_t *const *rows, int8_t *output,
                                                      int32_t offset, int32_t count, int32_t columns,
                                                      int32_t taps, const tinycc_pool2d_shape *shape,
                                                      const tinycc_pool2d_data *data)
{
    tinycc_dsp_sums sums = {0, 0};
    TINYCC_UNROLL_TWICE
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        if (tinycc_pool2d_has_row(rows, j, shape)) {
            const int8_t *in = rows[j] + offset;
            TINYCC_UNROLL
            for (int32_t k = 0; k < columns; ++k) {
                const uint32_t word = tinycc_dsp_load_channels(in, count);
                const int is_first = shape->is_inside && j == 0 && k == 0;
                sums = is_first ? tinycc_dsp_first_channels(word) : tinycc_dsp_add_channels(sums, word);
                in += shape->dilation_width * shape->input_channels;
            }
        }
    }
    tinycc_dsp_store_channels(output, tinycc_pool2d_dsp_means(sums, taps, shape, data), count);
}

TINYCC_DEFINE_CHANNEL_POOL2D(tinycc_average_pool2d_dsp_int8, tinycc_average_pool2d_dsp_channels,
                             TINYCC_DSP_CHANNELS)

/* The maxima of `count` channels, at most four. */
TINYCC_INLINE void tinycc_max_pool2d_dsp_channels(const int8_t *const *rows, int8_t *output, int32_t offset,
                                                  int32_t count, int32_t columns, int32_t taps,
                                                  const tinycc_pool2d_shape *shape,
                                                  const tinycc_pool2d_data *data)
{
    uint32_t maxima = tinycc_dsp_all(INT8_MIN);
    (void)taps;
    (void)data;
    TINYCC_UNROLL_TWICE
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        if (tinycc_pool2d_has_row(rows, j, shape)) {
            const int8_t *in = rows[j] + offset;
            TINYCC_UNROLL
            for (int32_t k = 0; k < columns; ++k) {
                const uint32_t word = tinycc_dsp_load_channels(in, count);
                const int is_first = shape->is_inside && j == 0 && k == 0;
                maxima = is_first ? word : tinycc_dsp_larger(maxima, word);
                in += shape->dilation_width * shape->input_channels;
            }
        }
    }
    tinycc_dsp_store_channels(output, maxima, count);
}

TINYCC_DEFINE_CHANNEL_POOL2D(tinycc_max_pool2d_dsp_int8, tinycc_max_pool2d_dsp_channels, TINYCC_DSP_CHANNELS)

#endif
