/* Sums and means of eight channels and maxima of sixteen. */
#ifndef TINYCC_HELIUM_CHANNELS_H
#define TINYCC_HELIUM_CHANNELS_H

#include "helium.h"

#define TINYCC_SUMMED_CHANNELS 8
#define TINYCC_COMPARED_CHANNELS 16

/* What sums of `count` elements, at most 256, are multiplied by for their means: a little more than 2**24 /
 * count, so that rounding down half a unit more rounds halves away from zero. */
TINYCC_INLINE int32_t tinycc_channel_reciprocal(int32_t count)
{
    return (1 << 24) / count + 1;
}

#if TINYCC_MVE

typedef int16x8_t tinycc_channel_sums;
typedef int8x16_t tinycc_channel_maxima;

TINYCC_INLINE tinycc_channel_sums tinycc_no_sums(void)
{
    return vdupq_n_s16(0);
}

/* sums + the first `count` of eight elements at `in`; modulo 2**16. */
TINYCC_INLINE tinycc_channel_sums tinycc_sum_channels(tinycc_channel_sums sums, const int8_t *in,
                                                      int32_t count)
{
    return vaddq_s16(sums, count >= TINYCC_SUMMED_CHANNELS ? vldrbq_s16(in)
                                                           : vldrbq_z_s16(in, vctp16q((uint32_t)count)));
}

TINYCC_INLINE void tinycc_store_sums(int16_t *out, tinycc_channel_sums sums)
{
    vstrhq_s16(out, sums);
}

TINYCC_INLINE tinycc_channel_sums tinycc_load_sums(const int16_t *in)
{
    return vldrhq_s16(in);
}

/* The even and the odd sums, added to what is there. */
TINYCC_INLINE void tinycc_add_sums(tinycc_lanes *even, tinycc_lanes *odd, tinycc_channel_sums sums)
{
    *even = vaddq_s32(*even, vmovlbq_s16(sums));
    *odd = vaddq_s32(*odd, vmovltq_s16(sums));
}

/* sum + `count` elements that lie one after the other. */
TINYCC_INLINE int32_t tinycc_sum_elements(int32_t sum, const int8_t *in, int32_t count)
{
    for (; count >= 16; count -= 16) {
        sum = vaddvaq_s8(sum, vldrbq_s8(in));
        in += 16;
    }
    return count > 0 ? vaddvaq_s8(sum, vldrbq_z_s8(in, vctp8q((uint32_t)count))) : sum;
}

/* The first `count` means of sums that are multiplied by a reciprocal, see tinycc_channel_reciprocal. */
TINYCC_INLINE void tinycc_store_means(int8_t *out, tinycc_channel_sums sums, int32_t reciprocal,
                                      int32_t count)
{
    const int32x4_t even = vmlasq_n_s32(vmovlbq_s16(sums), vdupq_n_s32(reciprocal), 1 << 23);
    const int32x4_t odd = vmlasq_n_s32(vmovltq_s16(sums), vdupq_n_s32(reciprocal), 1 << 23);
    int16x8_t means = vreinterpretq_s16_s32(vshrq_n_s32(even, 16));
    means = vshrq_n_s16(vshrntq_n_s32(means, odd, 16), 8);
    if (count >= TINYCC_SUMMED_CHANNELS) {
        vstrbq_s16(out, means);
    } else {
        vstrbq_p_s16(out, means, vctp16q((uint32_t)count));
    }
}

TINYCC_INLINE tinycc_channel_maxima tinycc_least_maxima(void)
{
    return vdupq_n_s8(INT8_MIN);
}

/* The larger of each of the maxima and the first `count` of sixteen elements at `in`. */
TINYCC_INLINE tinycc_channel_maxima tinycc_compare_channels(tinycc_channel_maxima maxima, const int8_t *in,
                                                            int32_t count)
{
    return vmaxq_s8(maxima, count >= TINYCC_COMPARED_CHANNELS ? vldrbq_s8(in)
                                                              : vldrbq_z_s8(in, vctp8q((uint32_t)count)));
}

TINYCC_INLINE void tinycc_store_maxima(int8_t *out, tinycc_channel_maxima maxima, int32_t count)
{
    if (count >= TINYCC_COMPARED_CHANNELS) {
        vstrbq_s8(out, maxima);
    } else {
        vstrbq_p_s8(out, maxima, vctp8q((uint32_t)count));
    }
}

#else

typedef struct {
    int16_t lane[TINYCC_SUMMED_CHANNELS];
} tinycc_channel_sums;

typedef struct {
    int8_t lane[TINYCC_COMPARED_CHANNELS];
} tinycc_channel_maxima;

TINYCC_INLINE tinycc_channel_sums tinycc_no_sums(void)
{
    const tinycc_channel_sums sums = {{0}};
    return sums;
}

TINYCC_INLINE tinycc_channel_sums tinycc_sum_channels(tinycc_channel_sums sums, const int8_t *in,
                                                      int32_t count)
{
    for (int32_t c = 0; c < TINYCC_SUMMED_CHANNELS && c < count; ++c) {
        sums.lane[c] = (int16_t)(sums.lane[c] + in[c]);
    }
    return sums;
}

TINYCC_INLINE void tinycc_store_sums(int16_t *out, tinycc_channel_sums sums)
{
    memcpy(out, sums.lane, sizeof(sums.lane));
}

TINYCC_INLINE tinycc_channel_sums tinycc_load_sums(const int16_t *in)
{
    tinycc_channel_sums sums;
    memcpy(sums.lane, in, sizeof(sums.lane));
    return sums;
}

TINYCC_INLINE void tinycc_add_sums(tinycc_lanes *even, tinycc_lanes *odd, tinycc_channel_sums sums)
{
    for (int32_t c = 0; c < TINYCC_SUMMED_CHANNELS; ++c) {
        (c % 2 == 0 ? even : odd)->lane[c / 2] += sums.lane[c];
    }
}

TINYCC_INLINE int32_t tinycc_sum_elements(int32_t sum, const int8_t *in, int32_t count)
{
    for (int32_t i = 0; i < count; ++i) {
        sum += in[i];
    }
    return sum;
}

TINYCC_INLINE void tinycc_store_means(int8_t *out, tinycc_channel_sums sums, int32_t reciprocal,
                                      int32_t count)
{
    for (int32_t c = 0; c < TINYCC_SUMMED_CHANNELS && c < count; ++c) {
        const int64_t mean = (int64_t)sums.lane[c] * reciprocal + (1 << 23);
        out[c] = (int8_t)(mean >> 24);
    }
}

TINYCC_INLINE tinycc_channel_maxima tinycc_least_maxima(void)
{
    tinycc_channel_maxima maxima;
    memset(maxima.lane, INT8_MIN, sizeof(maxima.lane));
    return maxima;
}

TINYCC_INLINE tinycc_channel_maxima tinycc_compare_channels(tinycc_channel_maxima maxima, const int8_t *in,
                                                            int32_t count)
{
    for (int32_t c = 0; c < TINYCC_COMPARED_CHANNELS && c < count; ++c) {
        maxima.lane[c] = in[c] > maxima.lane[c] ? in[c] : maxima.lane[c];
    }
    return maxima;
}

TINYCC_INLINE void tinycc_store_maxima(int8_t *out, tinycc_channel_maxima maxima, int32_t count)
{
    for (int32_t c = 0; c < TINYCC_COMPARED_CHANNELS && c < count; ++c) {
        out[c] = maxima.lane[c];
    }
}

#endif

/* sums + the first `count` of eight channels of pixels that are `step` elements apart. */
TINYCC_INLINE tinycc_channel_sums tinycc_sum_pixels(tinycc_channel_sums sums, const int8_t *in, int32_t count,
                                                    int32_t pixels, int32_t step)
{
    TINYCC_UNROLL
    for (int32_t p = 0; p < pixels; ++p) {
        sums = tinycc_sum_channels(sums, in, count);
        in += step;
    }
    return sums;
}

#endif
