/* The int8 pooling of pool2d.h for Helium; windows of at most 256 taps are averaged.
 *
 * rows[j] is the input row under kernel row j, NULL outside; a row is [width][channels]. Aliasing: output
 * pixels in ascending order, of each eight (average) or sixteen (maximum) channels at a time; they are
 * written once all their taps are read. Reference: TFLite int8 specification, AVERAGE_POOL_2D and
 * MAX_POOL_2D. */
#ifndef TINYCC_POOL2D_HELIUM_H
#define TINYCC_POOL2D_HELIUM_H

#include "../shared/pool2d_window.h"
#include "helium_channels.h"

/* The means of sums of `taps` elements, clamped, of `count` channels, at most eight. */
TINYCC_INLINE void tinycc_average_pool2d_helium_store(int8_t *output, tinycc_helium_sums sums, int32_t count,
                                                      int32_t taps, const tinycc_pool2d_shape *shape,
                                                      const tinycc_pool2d_data *data)
{
    if (shape->mean_bits == 0 && !shape->is_clamped) {
        tinycc_store_means(output, sums, tinycc_channel_reciprocal(taps), count);
        return;
    }
    int16_t each[TINYCC_SUMMED_CHANNELS];
    tinycc_helium_sums_save(each, sums);
    for (int32_t c = 0; c < count; ++c) {
        const int32_t mean = tinycc_pool2d_mean(each[c], taps, shape, data);
        output[c] = (int8_t)tinycc_clamp(mean, data->output_min, data->output_max);
    }
}

TINYCC_INLINE void tinycc_max_pool2d_helium_store(int8_t *output, tinycc_helium_maxima maxima, int32_t count,
                                                  int32_t taps, const tinycc_pool2d_shape *shape,
                                                  const tinycc_pool2d_data *data)
{
    (void)taps;
    (void)shape;
    (void)data;
    tinycc_helium_maxima_store(output, maxima, count);
}

TINYCC_DEFINE_CHANNEL_POOL2D(average_pool2d_helium, helium_sums, TINYCC_SUMMED_CHANNELS)
TINYCC_DEFINE_CHANNEL_POOL2D(max_pool2d_helium, helium_maxima, TINYCC_COMPARED_CHANNELS)

#endif
