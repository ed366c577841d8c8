/* Sums of neighbouring channels over pixels, as many channels at a time as an extension of the core adds at
 * once, in 16 bits. */
#ifndef TINYCC_CHANNEL_SUMS_H
#define TINYCC_CHANNEL_SUMS_H

#include "common.h"

/* Elements whose sum fits 16 bits. */
#define TINYCC_CHANNEL_SUMS_TAPS 256

/* What sums of `count` elements are multiplied by for their means: a little more than 2**24 / count, so that
 * half a unit more, rounded down, rounds halves away from zero. */
TINYCC_INLINE int32_t tinycc_channel_reciprocal(int32_t count)
{
    return (1 << 24) / count + 1;
}

/* What follows from an extension's own tinycc_<extension>_sums, of `width` channels, and
 *   tinycc_<extension>_sums_none(): of no element;
 *   tinycc_<extension>_sums_load(in, count): the first `count` of `width` elements, and zeros;
 *   tinycc_<extension>_sums_add(sums, elements, is_first): where `is_first`, sums are of no element;
 *   tinycc_<extension>_sums_save(place, sums), tinycc_<extension>_sums_restore(place): in memory. */
#define TINYCC_DEFINE_CHANNEL_SUMS(extension, width)                                                         \
    /* sums + the first `count` channels of pixels that are `step` elements apart. */                        \
    TINYCC_INLINE tinycc_##extension##_sums tinycc_##extension##_sums_with_pixels(                           \
        tinycc_##extension##_sums sums, const int8_t *in, int32_t count, int32_t pixels, int32_t step)       \
    {                                                                                                        \
        TINYCC_UNROLL                                                                                        \
        for (int32_t p = 0; p < pixels; ++p) {                                                               \
            sums = tinycc_##extension##_sums_add(sums, tinycc_##extension##_sums_load(in, count), 0);        \
            in += step;                                                                                      \
        }                                                                                                    \
        return sums;                                                                                         \
    }                                                                                                        \
                                                                                                             \
    /* sums[0], sums[1], ... += the sums over pixels of `width` channels each; from 0 where `is_first`. */   \
    TINYCC_INLINE void tinycc_##extension##_sums_accumulate(const int8_t *input,                             \
                                                            tinycc_##extension##_sums *sums, int32_t pixels, \
                                                            int32_t channels, int is_first)                  \
    {                                                                                                        \
        const int32_t rest = channels % (width);                                                             \
        int32_t c = 0;                                                                                       \
        for (; c < channels - rest; c += (width)) {                                                          \
            const tinycc_##extension##_sums before =                                                         \
                is_first ? tinycc_##extension##_sums_none() : tinycc_##extension##_sums_restore(sums);       \
            tinycc_##extension##_sums_save(                                                                  \
                sums, tinycc_##extension##_sums_with_pixels(before, input + c, width, pixels, channels));    \
            ++sums;                                                                                          \
        }                                                                                                    \
        if (rest > 0) {                                                                                      \
            const tinycc_##extension##_sums before =                                                         \
                is_first ? tinycc_##extension##_sums_none() : tinycc_##extension##_sums_restore(sums);       \
            tinycc_##extension##_sums_save(                                                                  \
                sums, tinycc_##extension##_sums_with_pixels(before, input + c, rest, pixels, channels));     \
        }                                                                                                    \
    }

#endif
