/* A channel's weights as pairs of taps, for depthwise_conv2d_dsp.h, which says how they are stored. */
#ifndef TINYCC_DEPTHWISE_TAPS_DSP_H
#define TINYCC_DEPTHWISE_TAPS_DSP_H

#include "dsp.h"

/* What a channel's weights take. */
TINYCC_INLINE int32_t tinycc_depthwise_dsp_bytes(int32_t taps, int is_narrow)
{
    return is_narrow ? taps / 8 * 4 + taps % 8 : taps;
}

/* Pairs of a channel's weights; a single one is paired with 0. */
TINYCC_INLINE void tinycc_depthwise_dsp_taps(uint32_t *taps, const int8_t *weights, int32_t count,
                                             int is_narrow)
{
    int32_t i = 0;
    if (is_narrow) {
        for (; count >= 8; count -= 8) {
            const uint32_t word = tinycc_dsp_load(weights);
            TINYCC_UNROLL
            for (int32_t k = 0; k < 4; ++k) {
                const uint32_t pair = word >> 4 * k & TINYCC_DSP_NARROW_PAIR;
                *taps++ = tinycc_dsp_subtract(pair, TINYCC_DSP_NARROW_ODD_OFFSETS);
            }
            weights += 4;
        }
    }
    TINYCC_UNROLL
    for (; i + 4 <= count; i += 4) {
        const uint32_t word = tinycc_dsp_load(weights + i);
        *taps++ = tinycc_dsp_even(word);
        *taps++ = tinycc_dsp_odd(word);
    }
    if (i + 2 <= count) {
        *taps++ = tinycc_dsp_pack(weights[i], weights[i + 1]);
        i += 2;
    }
    if (i < count) {
        *taps = (uint32_t)weights[i] & 0xFFFFU;
    }
}

#endif
