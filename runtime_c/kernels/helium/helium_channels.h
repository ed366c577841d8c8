/* Sums and means of eight channels and maxima of sixteen. */
#ifndef TINYCC_HELIUM_CHANNELS_H
#define TINYCC_HELIUM_CHANNELS_H

#include "../shared/channel_sums.h"
#include "helium.h"

#define TINYCC_SUMMED_CHANNELS 8
#define TINYCC_COMPARED_CHANNELS 16

/* Sums in 32 bits: of channels 0, 2, 4 and 6, and of channels 1, 3, 5 and 7. */
typedef struct {
    tinycc_lanes even;
    tinycc_lanes odd;
} tinycc_helium_totals;

TINYCC_INLINE tinycc_helium_totals tinycc_helium_totals_none(void)
{
    const tinycc_helium_totals totals = {tinycc_equal_lanes(0), tinycc_equal_lanes(0)};
    return totals;
}

#if TINYCC_MVE

typedef int16x8_t tinycc_helium_sums;
typedef int8x16_t tinycc_helium_maxima;

TINYCC_INLINE tinycc_helium_sums tinycc_helium_sums_none(void)
{
    return vdupq_n_s16(0);
}

/* The first `count` of eight elements, and zeros. */
TINYCC_INLINE tinycc_helium_sums tinycc_helium_sums_load(const int8_t *in, int32_t count)
{
    return count >= TINYCC_SUMMED_CHANNELS ? vldrbq_s16(in) : vldrbq_z_s16(in, vctp16q((uint32_t)count));
}

/* Modulo 2**16. Sums of no element are zeros, so that the first ones are nothing special. */
TINYCC_INLINE tinycc_helium_sums tinycc_helium_sums_add(tinycc_helium_sums sums, tinycc_helium_sums elements,
                                                        int is_first)
{
    (void)is_first;
    return vaddq_s16(sums, elements);
}

TINYCC_INLINE void tinycc_helium_sums_save(void *place, tinycc_helium_sums sums)
{
    vstrhq_s16((int16_t *)place, sums);
}

TINYCC_INLINE tinycc_helium_sums tinycc_helium_sums_restore(const void *place)
{
    return vldrhq_s16((const int16_t *)place);
}

TINYCC_INLINE void tinycc_helium_totals_add(tinycc_helium_totals *totals, tinycc_helium_sums sums)
{
    totals->even = vaddq_s32(totals->even, vmovlbq_s16(sums));
    totals->odd = vaddq_s32(totals->odd, vmovltq_s16(sums));
}

/* The sum of elements that lie one after the other. */
TINYCC_INLINE int32_t tinycc_helium_sum_elements(const int8_t *in, int32_t count)
{
    int32_t sum = 0;
    for (; count >= 16; count -= 16) {
        sum = vaddvaq_s8(sum, vldrbq_s8(in));
        in += 16;
    }
    return count > 0 ? vaddvaq_s8(sum, vldrbq_z_s8(in, vctp8q((uint32_t)count))) : sum;
}

/* The first `count` means of sums that are multiplied by a reciprocal, see tinycc_channel_reciprocal. */
TINYCC_INLINE void tinycc_store_means(int8_t *out, tinycc_helium_sums sums, int32_t reciprocal, int32_t count)
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

TINYCC_INLINE tinycc_helium_maxima tinycc_helium_maxima_none(void)
{
    return vdupq_n_s8(INT8_MIN);
}

/* The first `count` of sixteen elements; the others are not stored. */
TINYCC_INLINE tinycc_helium_maxima tinycc_helium_maxima_load(const int8_t *in, int32_t count)
{
    return count >= TINYCC_COMPARED_CHANNELS ? vldrbq_s8(in) : vldrbq_z_s8(in, vctp8q((uint32_t)count));
}

TINYCC_INLINE tinycc_helium_maxima tinycc_helium_maxima_add(tinycc_helium_maxima maxima,
                                                            tinycc_helium_maxima elements, int is_first)
{
    (void)is_first;
    return vmaxq_s8(maxima, elements);
}

TINYCC_INLINE void tinycc_helium_maxima_store(int8_t *out, tinycc_helium_maxima maxima, int32_t count)
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
} tinycc_helium_sums;

typedef struct {
    int8_t lane[TINYCC_COMPARED_CHANNELS];
} tinycc_helium_maxima;

TINYCC_INLINE tinycc_helium_sums tinycc_helium_sums_none(void)
{
    const tinycc_helium_sums sums = {{0}};
    return sums;
}

TINYCC_INLINE tinycc_helium_sums tinycc_helium_sums_load(const int8_t *in, int32_t count)
{
    tinycc_helium_sums elements = tinycc_helium_sums_none();
    for (int32_t c = 0; c < TINYCC_SUMMED_CHANNELS && c < count; ++c) {
        elements.lane[c] = in[c];
    }
    return elements;
}

TINYCC_INLINE tinycc_helium_sums tinycc_helium_sums_add(tinycc_helium_sums sums, tinycc_helium_sums elements,
                                                        int is_first)
{
    (void)is_first;
    for (int32_t c = 0; c < TINYCC_SUMMED_CHANNELS; ++c) {
        sums.lane[c] = (int16_t)(sums.lane[c] + elements.lane[c]);
    }
    return sums;
}

TINYCC_INLINE void tinycc_helium_sums_save(void *place, tinycc_helium_sums sums)
{
    memcpy(place, sums.lane, sizeof(sums.lane));
}

TINYCC_INLINE tinycc_helium_sums tinycc_helium_sums_restore(const void *place)
{
    tinycc_helium_sums sums;
    memcpy(sums.lane, place, sizeof(sums.lane));
    return sums;
}

TINYCC_INLINE void tinycc_helium_totals_add(tinycc_helium_totals *totals, tinycc_helium_sums sums)
{
    for (int32_t c = 0; c < TINYCC_SUMMED_CHANNELS; ++c) {
        (c % 2 == 0 ? &totals->even : &totals->odd)->lane[c / 2] += sums.lane[c];
    }
}

TINYCC_INLINE int32_t tinycc_helium_sum_elements(const int8_t *in, int32_t count)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < count; ++i) {
        sum += in[i];
    }
    return sum;
}

TINYCC_INLINE void tinycc_store_means(int8_t *out, tinycc_helium_sums sums, int32_t reciprocal, int32_t count)
{
    for (int32_t c = 0; c < TINYCC_SUMMED_CHANNELS && c < count; ++c) {
        const int64_t mean = (int64_t)sums.lane[c] * reciprocal + (1 << 23);
        out[c] = (int8_t)(mean >> 24);
    }
}

TINYCC_INLINE tinycc_helium_maxima tinycc_helium_maxima_none(void)
{
    tinycc_helium_maxima maxima;
    memset(maxima.lane, INT8_MIN, sizeof(maxima.lane));
    return maxima;
}

TINYCC_INLINE tinycc_helium_maxima tinycc_helium_maxima_load(const int8_t *in, int32_t count)
{
    tinycc_helium_maxima elements = tinycc_helium_maxima_none();
    for (int32_t c = 0; c < TINYCC_COMPARED_CHANNELS && c < count; ++c) {
        elements.lane[c] = in[c];
    }
    return elements;
}

TINYCC_INLINE tinycc_helium_maxima tinycc_helium_maxima_add(tinycc_helium_maxima maxima,
                                                            tinycc_helium_maxima elements, int is_first)
{
    (void)is_first;
    for (int32_t c = 0; c < TINYCC_COMPARED_CHANNELS; ++c) {
        maxima.lane[c] = elements.lane[c] > maxima.lane[c] ? elements.lane[c] : maxima.lane[c];
    }
    return maxima;
}

TINYCC_INLINE void tinycc_helium_maxima_store(int8_t *out, tinycc_helium_maxima maxima, int32_t count)
{
    for (int32_t c = 0; c < TINYCC_COMPARED_CHANNELS && c < count; ++c) {
        out[c] = maxima.lane[c];
    }
}

#endif

typedef tinycc_helium_sums tinycc_helium_sums_elements;
typedef tinycc_helium_maxima tinycc_helium_maxima_elements;

TINYCC_DEFINE_CHANNEL_SUMS(helium, TINYCC_SUMMED_CHANNELS)

#endif
