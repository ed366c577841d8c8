/* The int8 pooling of pool2d.h with the DSP extension; windows of at most 256 taps are averaged.
 *
 * rows[j] is the input row under kernel row j, NULL outside; a row is [width][channels]. Aliasing: output
 * pixels in ascending order, of each four channels at a time; they are written once all their taps are read.
 * Reference: TFLite int8 specification, AVERAGE_POOL_2D and MAX_POOL_2D. */
#ifndef TINYCC_POOL2D_DSP_H
#define TINYCC_POOL2D_DSP_H

#include "../shared/pool2d_window.h"
#include "dsp_channels.h"

/* The means of sums of `taps` elements, clamped. */
TINYCC_INLINE uint32_t tinycc_pool2d_dsp_means(tinycc_dsp_sums sums, int32_t taps,
                                               const tinycc_pool2d_shape *shape,
                                               const tinycc_pool2d_data *data)
{
    uint32_t word = 0;
    if (shape->mean_bits == 0) {
        word = tinycc_dsp_means(sums, tinycc_channel_reciprocal(taps));
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

TINYCC_INLINE void tinycc_average_pool2d_dsp_store(int8_t *output, tinycc_dsp_sums sums, int32_t count,
                                                   int32_t taps, const tinycc_pool2d_shape *shape,
                                                   const tinycc_pool2d_data *data)
{
    tinycc_dsp_store_channels(output, tinycc_pool2d_dsp_means(sums, taps, shape, data), count);
}

TINYCC_INLINE void tinycc_max_pool2d_dsp_store(int8_t *output, tinycc_dsp_maxima maxima, int32_t count,
                                               int32_t taps, const tinycc_pool2d_shape *shape,
                                               const tinycc_pool2d_data *data)
{
    (void)taps;
    (void)shape;
    (void)data;
    tinycc_dsp_store_channels(output, maxima, count);
}

TINYCC_DEFINE_CHANNEL_POOL2D(average_pool2d_dsp, dsp_sums, TINYCC_DSP_CHANNELS)
TINYCC_DEFINE_CHANNEL_POOL2D(max_pool2d_dsp, dsp_maxima, TINYCC_DSP_CHANNELS)

#endif
