/* The int8 pooling of pool2d.h for Helium; windows of at most 256 taps are averaged.
 *
 * rows[j] is the input row under kernel row j, NULL outside; a row is [width][channels]. Aliasing: output
 * pixels in ascending order, of each eight (average) or sixteen (maximum) channels at a time; they are
 * written once all their taps are read. Reference: TFLite int8 specification, AVERAGE_POOL_2D and
 * MAX_POOL_2D. */
#ifndef TINYCC_POOL2D_HELIUM_H
#define TINYCC_POOL2D_HELIUM_H

#include "helium_channels.h"
#include "pool2d_window.h"

/* The means of sums of `taps` elements, clamped, of `count` channels, at most eight. */
TINYCC_INLINE void tinycc_average_pool2d_results(int8_t *output, tinycc_channel_sums sums, int32_t count,
                                                 int32_t taps, const tinycc_pool2d_shape *shape,
                                                 const tinycc_pool2d_data *data)
{
    if (shape->mean_bits == 0 && !shape->is_clamped) {
        tinycc_store_means(output, sums, tinycc_channel_reciprocal(taps), count);
        return;
    }
    int16_t each[TINYCC_SUMMED_CHANNELS];
    tinycc_store_sums(each, sums);
    for (int32_t c = 0; c < count; ++c) {
        const int32_t mean = tinycc_pool2d_mean(each[c], taps, shape, data);
        output[c] = (int8_t)tinycc_clamp(mean, data->output_min, data->output_max);
    }
}

/* The means of `count` channels, at most eight. */
TINYCC_INLINE void tinycc_average_pool2d_channels(const int8_t *const *rows, int8_t *output, int32_t offset,
                                                  int32_t count, int32_t columns, int32_t taps,
                                                  const tinycc_pool2d_shape *shape,
                                                  const tinycc_pool2d_data *data)
{
    tinycc_channel_sums sums = tinycc_no_sums();
    TINYCC_UNROLL_TWICE
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        if (tinycc_pool2d_has_row(rows, j, shape)) {
            const int8_t *in = rows[j] + offset;
            TINYCC_UNROLL
            for (int32_t k = 0; k < columns; ++k) {
                sums = tinycc_sum_channels(sums, in, count);
                in += shape->dilation_width * shape->input_channels;
            }
        }
    }
    tinycc_average_pool2d_results(output, sums, count, taps, shape, data);
}

TINYCC_DEFINE_CHANNEL_POOL2D(tinycc_average_pool2d_helium_int8, tinycc_average_pool2d_channels,
                             TINYCC_SUMMED_CHANNELS)

/* The maxima of `count` channels, at most sixteen. */
TINYCC_INLINE void tinycc_max_pool2d_channels(const int8_t *const *rows, int8_t *output, int32_t offset,
                                              int32_t count, int32_t columns, int32_t taps,
                                              const tinycc_pool2d_shape *shape,
                                              const tinycc_pool2d_data *data)
{
    tinycc_channel_maxima maxima = tinycc_least_maxima();
    (void)taps;
    (void)data;
    TINYCC_UNROLL_TWICE
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        if (tinycc_pool2d_has_row(rows, j, shape)) {
            const int8_t *in = rows[j] + offset;
            TINYCC_UNROLL
            for (int32_t k = 0; k < columns; ++k) {
                maxima = tinycc_compare_channels(maxima, in, count);
                in += shape->dilation_width * shape->input_channels;
            }
        }
    }
    tinycc_store_maxima(output, maxima, count);
}

TINYCC_DEFINE_CHANNEL_POOL2D(tinycc_max_pool2d_helium_int8, tinycc_max_pool2d_channels,
                             TINYCC_COMPARED_CHANNELS)

#endif
