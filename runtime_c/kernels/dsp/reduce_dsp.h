/* As reduce.h with the DSP extension, where what is kept or what is reduced lies one element after the other:
 * four channels at a time, or four elements of a sum. Nothing is scaled up.
 *
 * Aliasing: output must not overlap input. Reference: TFLite int8 specification, MEAN and SUM. */
#ifndef TINYCC_REDUCE_DSP_H
#define TINYCC_REDUCE_DSP_H

#include "../shared/reduce_channels.h"
#include "dsp_channels.h"

typedef tinycc_reduce_shape tinycc_reduce_dsp_shape;

/* offset: of a sum. multiplier: see tinycc_dsp_scale. */
typedef struct {
    int32_t offset;
    int32_t multiplier;
    int8_t exponent;
    int8_t output_zero_point;
    int8_t output_min;
    int8_t output_max;
} tinycc_reduce_dsp_data;

TINYCC_INLINE int8_t tinycc_reduce_dsp_result(int32_t sum, int32_t is_clamped,
                                              const tinycc_reduce_dsp_data *data)
{
    const int32_t value =
        tinycc_dsp_scale(sum + data->offset, data->multiplier, data->exponent, data->output_zero_point);
    return tinycc_dsp_clamp(value, data->output_min, data->output_max, is_clamped);
}

/* The results of the first `count` of four channels. */
TINYCC_INLINE void tinycc_reduce_dsp_store(int8_t *output, const tinycc_dsp_totals *totals, int32_t count,
                                           int32_t is_clamped, const tinycc_reduce_dsp_data *data)
{
    TINYCC_UNROLL
    for (int32_t c = 0; c < count; ++c) {
        output[c] = tinycc_reduce_dsp_result(totals->channel[c], is_clamped, data);
    }
}

TINYCC_DEFINE_CHANNEL_REDUCE(dsp, TINYCC_DSP_CHANNELS)

#endif
