/* Sums, means and maxima of four channels at a time, for the DSP extension.
 *
 * Sums are two pairs of int16, so that 256 elements can be added. A mean is sum * reciprocal, half a unit
 * more, rounded down. */
#ifndef TINYCC_DSP_CHANNELS_H
#define TINYCC_DSP_CHANNELS_H

#include "../shared/channel_sums.h"
#include "dsp.h"

#define TINYCC_DSP_CHANNELS 4

/* Of channels 0 and 2, and of channels 1 and 3. */
typedef struct {
    uint32_t even;
    uint32_t odd;
} tinycc_dsp_sums;

/* The first `count` of four elements, and zeros. */
TINYCC_INLINE uint32_t tinycc_dsp_load_channels(const int8_t *in, int32_t count)
{
    uint32_t word = 0;
    memcpy(&word, in, count < TINYCC_DSP_CHANNELS ? (size_t)count : sizeof word);
    return word;
}

TINYCC_INLINE void tinycc_dsp_store_channels(int8_t *out, uint32_t word, int32_t count)
{
    memcpy(out, &word, count < TINYCC_DSP_CHANNELS ? (size_t)count : sizeof word);
}

typedef uint32_t tinycc_dsp_sums_elements;

TINYCC_INLINE uint32_t tinycc_dsp_sums_load(const int8_t *in, int32_t count)
{
    return tinycc_dsp_load_channels(in, count);
}

TINYCC_INLINE tinycc_dsp_sums tinycc_dsp_sums_none(void)
{
    const tinycc_dsp_sums sums = {0, 0};
    return sums;
}

/* Sums of one element each. */
TINYCC_INLINE tinycc_dsp_sums tinycc_dsp_sums_first(uint32_t word)
{
    const tinycc_dsp_sums sums = {tinycc_dsp_even(word), tinycc_dsp_odd(word)};
    return sums;
}

/* sums + the four elements of a word, modulo 2**16; the first ones as they are. */
TINYCC_INLINE tinycc_dsp_sums tinycc_dsp_sums_add(tinycc_dsp_sums sums, uint32_t word, int is_first)
{
    if (is_first) {
        return tinycc_dsp_sums_first(word);
    }
#if TINYCC_HAS_DSP
    __asm__("sxtab16 %0, %0, %1" : "+r"(sums.even) : "r"(word));
    __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(sums.odd) : "r"(word));
#else
    const tinycc_dsp_sums more = tinycc_dsp_sums_first(word);
    sums.even =
        tinycc_dsp_pack((int32_t)(sums.even + more.even), (int32_t)((sums.even >> 16) + (more.even >> 16)));
    sums.odd =
        tinycc_dsp_pack((int32_t)(sums.odd + more.odd), (int32_t)((sums.odd >> 16) + (more.odd >> 16)));
#endif
    return sums;
}

TINYCC_INLINE tinycc_dsp_sums tinycc_dsp_sums_restore(const void *place)
{
    return *(const tinycc_dsp_sums *)place;
}

TINYCC_INLINE void tinycc_dsp_sums_save(void *place, tinycc_dsp_sums sums)
{
    *(tinycc_dsp_sums *)place = sums;
}

TINYCC_DEFINE_CHANNEL_SUMS(dsp, TINYCC_DSP_CHANNELS)

/* The sum of channel 0 to 3. */
TINYCC_INLINE int32_t tinycc_dsp_sum(tinycc_dsp_sums sums, int32_t channel)
{
    const uint32_t pair = channel & 1 ? sums.odd : sums.even;
    return (int16_t)(channel & 2 ? pair >> 16 : pair & 0xFFFFU);
}

/* The same in 32 bits. */
typedef struct {
    int32_t channel[TINYCC_DSP_CHANNELS];
} tinycc_dsp_totals;

TINYCC_INLINE tinycc_dsp_totals tinycc_dsp_totals_none(void)
{
    const tinycc_dsp_totals totals = {{0, 0, 0, 0}};
    return totals;
}

TINYCC_INLINE void tinycc_dsp_totals_add(tinycc_dsp_totals *totals, tinycc_dsp_sums sums)
{
    TINYCC_UNROLL
    for (int32_t c = 0; c < TINYCC_DSP_CHANNELS; ++c) {
        totals->channel[c] += tinycc_dsp_sum(sums, c);
    }
}

/* The sum of elements that lie one after the other. */
TINYCC_INLINE int32_t tinycc_dsp_sum_elements(const int8_t *in, int32_t count)
{
    uint32_t sum = 0;
    int32_t i = 0;
    TINYCC_UNROLL
    for (; i + 4 <= count; i += 4) {
        sum = tinycc_dsp_add_bytes(sum, tinycc_dsp_load(in + i) ^ UINT32_C(0x80808080));
    }
    int32_t rest = (int32_t)sum - 128 * i;
    for (; i < count; ++i) {
        rest += in[i];
    }
    return rest;
}

/* 256 * sum / count + 128, where sum is one half of `pair`. */
TINYCC_INLINE int32_t tinycc_dsp_divide(uint32_t pair, int32_t half, int32_t reciprocal)
{
    const int32_t rounding = 128;
#if TINYCC_HAS_DSP
    int32_t result;
    if (half == 0) {
        __asm__("smlawb %0, %1, %2, %3" : "=r"(result) : "r"(reciprocal), "r"(pair), "r"(rounding));
    } else {
        __asm__("smlawt %0, %1, %2, %3" : "=r"(result) : "r"(reciprocal), "r"(pair), "r"(rounding));
    }
    return result;
#else
    const int32_t sum = (int16_t)(half == 0 ? pair & 0xFFFFU : pair >> 16);
    return (int32_t)(((int64_t)reciprocal * sum) >> 16) + rounding;
#endif
}

/* The means, rounded to nearest, halves away from zero. */
TINYCC_INLINE uint32_t tinycc_dsp_means(tinycc_dsp_sums sums, int32_t reciprocal)
{
    const uint32_t even = tinycc_dsp_pack(tinycc_dsp_divide(sums.even, 0, reciprocal),
                                          tinycc_dsp_divide(sums.even, 1, reciprocal));
    const uint32_t odd = tinycc_dsp_pack(tinycc_dsp_divide(sums.odd, 0, reciprocal),
                                         tinycc_dsp_divide(sums.odd, 1, reciprocal));
#if TINYCC_HAS_DSP
    uint32_t word;
    __asm__("uxtb16 %0, %1, ror #8" : "=r"(word) : "r"(even));
    return word | (odd & UINT32_C(0xFF00FF00));
#else
    return (even >> 8 & UINT32_C(0x00FF00FF)) | (odd & UINT32_C(0xFF00FF00));
#endif
}

/* A word of four equal elements. */
TINYCC_INLINE uint32_t tinycc_dsp_all(int32_t value)
{
    return ((uint32_t)value & 0xFFU) * UINT32_C(0x01010101);
}

/* The larger ones of four elements. */
TINYCC_INLINE uint32_t tinycc_dsp_larger(uint32_t a, uint32_t b)
{
#if TINYCC_HAS_DSP
    uint32_t word;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(word) : "r"(a), "r"(b));
    return word;
#else
    uint32_t word = 0;
    for (int32_t shift = 0; shift < 32; shift += 8) {
        const uint32_t first = a >> shift & 0xFFU;
        const uint32_t second = b >> shift & 0xFFU;
        word |= ((int8_t)first > (int8_t)second ? first : second) << shift;
    }
    return word;
#endif
}

/* The smaller ones. */
TINYCC_INLINE uint32_t tinycc_dsp_smaller(uint32_t a, uint32_t b)
{
    return ~tinycc_dsp_larger(~a, ~b);
}

/* The largest elements of four channels. */
typedef uint32_t tinycc_dsp_maxima;
typedef uint32_t tinycc_dsp_maxima_elements;

TINYCC_INLINE uint32_t tinycc_dsp_maxima_load(const int8_t *in, int32_t count)
{
    return tinycc_dsp_load_channels(in, count);
}

TINYCC_INLINE tinycc_dsp_maxima tinycc_dsp_maxima_none(void)
{
    return tinycc_dsp_all(INT8_MIN);
}

TINYCC_INLINE tinycc_dsp_maxima tinycc_dsp_maxima_add(tinycc_dsp_maxima maxima, uint32_t word, int is_first)
{
    return is_first ? word : tinycc_dsp_larger(maxima, word);
}

#endif
