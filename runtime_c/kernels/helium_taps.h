/* Sums of taps for sixteen channels at a time: each channel of the input times its own weight.
 *
 * Sums of channels are four vectors: the first has channels 0, 4, 8, 12, the second 2, 6, 10, 14, the third
 * 1, 5, 9, 13 and the fourth 3, 7, 11, 15, as widening products leave them. */
#ifndef TINYCC_HELIUM_TAPS_H
#define TINYCC_HELIUM_TAPS_H

#include "helium.h"

#define TINYCC_CHANNELS 16
#define TINYCC_CHANNEL_VECTORS 4

#if TINYCC_MVE

/* Products of one tap in q0 and q1, those of another one added, both widened and added to the sums. Written
 * out, because all eight vector registers are in use: for want of one the second input is loaded twice.
 * `load` is a load, or one that is predicated. */
#define TINYCC_FIRST_TAP(load)                                                                               \
    load " q2, [%[x]]\n\tvldrb.8 q3, [%[weights]], #16\n\t"                                                  \
         "vmullb.s8 q0, q2, q3\n\tvmullt.s8 q1, q2, q3\n\t"
#define TINYCC_SECOND_TAP(load)                                                                              \
    load " q2, [%[y]]\n\tvldrb.8 q3, [%[weights]], #16\n\t"                                                  \
         "vmullb.s8 q2, q2, q3\n\tvadd.i16 q0, q0, q2\n\t" load                                              \
         " q2, [%[y]]\n\tvmullt.s8 q2, q2, q3\n\tvadd.i16 q1, q1, q2\n\t"
#define TINYCC_WIDEN_TAPS                                                                                    \
    "vmovlb.s16 q2, q0\n\tvmovlt.s16 q3, q0\n\t"                                                             \
    "vadd.i32 %q[s0], %q[s0], q2\n\tvadd.i32 %q[s1], %q[s1], q3\n\t"                                         \
    "vmovlb.s16 q2, q1\n\tvmovlt.s16 q3, q1\n\t"                                                             \
    "vadd.i32 %q[s2], %q[s2], q2\n\tvadd.i32 %q[s3], %q[s3], q3\n\t"
#define TINYCC_ALL_LANES "vldrb.8"
#define TINYCC_SOME_LANES "vpst\n\tvldrbt.8"
#define TINYCC_TAPS(text)                                                                                    \
    __asm__ volatile(text TINYCC_WIDEN_TAPS                                                                  \
                     : [s0] "+w"(sums[0]), [s1] "+w"(sums[1]), [s2] "+w"(sums[2]), [s3] "+w"(sums[3]),       \
                       [weights] "+r"(next)                                                                  \
                     : [x] "r"(x), [y] "r"(y), [count] "r"(count)                                            \
                     : "q0", "q1", "q2", "q3", "memory")

/* sums += inputs[t][channel ...] * weights[t][...] for `taps` taps and sixteen channels, or the first `count`
 * of them. Products are added two by two in 16 bits, which hold them as long as no weight is -128. */
TINYCC_INLINE void tinycc_add_taps(tinycc_lanes *sums, const int8_t *const *inputs, int32_t taps,
                                   int32_t channel, int32_t count, const int8_t *weights)
{
    const int8_t *next = weights;
    if (count >= TINYCC_CHANNELS) {
        for (int32_t left = taps / 2; left > 0; --left) {
            const int8_t *const x = inputs[0] + channel;
            const int8_t *const y = inputs[1] + channel;
            inputs += 2;
            TINYCC_TAPS(TINYCC_FIRST_TAP(TINYCC_ALL_LANES) TINYCC_SECOND_TAP(TINYCC_ALL_LANES));
        }
        if (taps % 2 != 0) {
            const int8_t *const x = inputs[0] + channel;
            const int8_t *const y = x;
            TINYCC_TAPS(TINYCC_FIRST_TAP(TINYCC_ALL_LANES));
        }
        return;
    }
    for (int32_t left = taps / 2; left > 0; --left) {
        const int8_t *const x = inputs[0] + channel;
        const int8_t *const y = inputs[1] + channel;
        inputs += 2;
        TINYCC_TAPS("vctp.8 %[count]\n\t" TINYCC_FIRST_TAP(TINYCC_SOME_LANES)
                        TINYCC_SECOND_TAP(TINYCC_SOME_LANES));
    }
    if (taps % 2 != 0) {
        const int8_t *const x = inputs[0] + channel;
        const int8_t *const y = x;
        TINYCC_TAPS("vctp.8 %[count]\n\t" TINYCC_FIRST_TAP(TINYCC_SOME_LANES));
    }
}

/* The same for the 3x3 window of sixteen channels at rows[0], rows[1] and rows[2], columns `step` apart. */
TINYCC_INLINE void tinycc_add_window(tinycc_lanes *sums, const int8_t *const *rows, int32_t step,
                                     const int8_t *weights)
{
    const int8_t *next = weights;
    const int32_t count = TINYCC_CHANNELS;
    const int8_t *x = rows[0];
    const int8_t *y = x + step;
    TINYCC_TAPS(TINYCC_FIRST_TAP(TINYCC_ALL_LANES) TINYCC_SECOND_TAP(TINYCC_ALL_LANES));
    x = y + step;
    y = rows[1];
    TINYCC_TAPS(TINYCC_FIRST_TAP(TINYCC_ALL_LANES) TINYCC_SECOND_TAP(TINYCC_ALL_LANES));
    x = y + step;
    y = x + step;
    TINYCC_TAPS(TINYCC_FIRST_TAP(TINYCC_ALL_LANES) TINYCC_SECOND_TAP(TINYCC_ALL_LANES));
    x = rows[2];
    y = x + step;
    TINYCC_TAPS(TINYCC_FIRST_TAP(TINYCC_ALL_LANES) TINYCC_SECOND_TAP(TINYCC_ALL_LANES));
    x = y + step;
    TINYCC_TAPS(TINYCC_FIRST_TAP(TINYCC_ALL_LANES));
}

TINYCC_INLINE void tinycc_store_channels(int8_t *out, const tinycc_lanes *values, int32_t count,
                                         const tinycc_output_range *range)
{
    int16x8_t even, odd;
    __asm__("vqmovnb.s32 %q0, %q1\n\tvqmovnt.s32 %q0, %q2" : "=&w"(even) : "w"(values[0]), "w"(values[1]));
    __asm__("vqmovnb.s32 %q0, %q1\n\tvqmovnt.s32 %q0, %q2" : "=&w"(odd) : "w"(values[2]), "w"(values[3]));
    even = vqaddq_n_s16(even, (int16_t)range->zero_point);
    odd = vqaddq_n_s16(odd, (int16_t)range->zero_point);
    int8x16_t all;
    __asm__("vqmovnb.s16 %q0, %q1\n\tvqmovnt.s16 %q0, %q2" : "=&w"(all) : "w"(even), "w"(odd));
    all = vmaxq_s8(all, vdupq_n_s8((int8_t)range->min));
    all = vminq_s8(all, vdupq_n_s8((int8_t)range->max));
    if (count >= TINYCC_CHANNELS) {
        vstrbq_s8(out, all);
    } else {
        vstrbq_p_s8(out, all, vctp8q((uint32_t)count));
    }
}

#else

TINYCC_INLINE void tinycc_add_taps(tinycc_lanes *sums, const int8_t *const *inputs, int32_t taps,
                                   int32_t channel, int32_t count, const int8_t *weights)
{
    static const int32_t vector[TINYCC_CHANNEL_VECTORS] = {0, 2, 1, 3};
    for (int32_t tap = 0; tap < taps; ++tap) {
        for (int32_t c = 0; c < TINYCC_CHANNELS && c < count; ++c) {
            sums[vector[c % TINYCC_CHANNEL_VECTORS]].lane[c / TINYCC_CHANNEL_VECTORS] +=
                inputs[tap][channel + c] * weights[tap * TINYCC_CHANNELS + c];
        }
    }
}

TINYCC_INLINE void tinycc_add_window(tinycc_lanes *sums, const int8_t *const *rows, int32_t step,
                                     const int8_t *weights)
{
    for (int32_t j = 0; j < 3; ++j) {
        const int8_t *const taps[3] = {rows[j], rows[j] + step, rows[j] + 2 * step};
        tinycc_add_taps(sums, taps, 3, 0, TINYCC_CHANNELS, weights + j * 3 * TINYCC_CHANNELS);
    }
}

TINYCC_INLINE void tinycc_store_channels(int8_t *out, const tinycc_lanes *values, int32_t count,
                                         const tinycc_output_range *range)
{
    static const int32_t vector[TINYCC_CHANNEL_VECTORS] = {0, 2, 1, 3};
    for (int32_t c = 0; c < TINYCC_CHANNELS && c < count; ++c) {
        const int32_t value =
            values[vector[c % TINYCC_CHANNEL_VECTORS]].lane[c / TINYCC_CHANNEL_VECTORS] + range->zero_point;
        out[c] = (int8_t)tinycc_clamp(value, range->min, range->max);
    }
}

#endif

#endif
