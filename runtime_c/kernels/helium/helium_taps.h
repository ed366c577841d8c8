/* Sums of taps for sixteen channels at a time: each channel of the input times its own weight.
 *
 * Sums of channels are four vectors: the first has channels 0, 4, 8, 12, the second 2, 6, 10, 14, the third
 * 1, 5, 9, 13 and the fourth 3, 7, 11, 15, as widening products leave them.
 *
 * weight_bits: 8, or 4, where the weights of two taps are in a byte, those of the first in its lower half. */
#ifndef TINYCC_HELIUM_TAPS_H
#define TINYCC_HELIUM_TAPS_H

#include "../shared/weights.h"
#include "helium.h"

#define TINYCC_CHANNELS 16
#define TINYCC_CHANNEL_VECTORS 4

/* What the weights of so many taps take. */
TINYCC_INLINE int32_t tinycc_tap_bytes(int32_t taps, int weight_bits)
{
    return (weight_bits == 4 ? (taps + 1) / 2 : taps) * TINYCC_CHANNELS;
}

TINYCC_INLINE void tinycc_channel_biases(tinycc_lanes *sums, const int32_t *constants)
{
    TINYCC_UNROLL
    for (int32_t v = 0; v < TINYCC_CHANNEL_VECTORS; ++v) {
        sums[v] = tinycc_lane_biases(constants + v * TINYCC_LANE_CONSTANTS);
    }
}

#if TINYCC_MVE

/* Written out, because all eight vector registers are in use: products of one tap in q0 and q1, those of
 * another one added, both widened and added to the sums. For want of a ninth register the second input is
 * loaded twice. */
#define TINYCC_FIRST_TAP(load)                                                                               \
    load "vldrb.8 q3, [%[weights]], #16\n\tvmullb.s8 q0, q2, q3\n\tvmullt.s8 q1, q2, q3\n\t"
#define TINYCC_SECOND_TAP(load, again)                                                                       \
    load "vldrb.8 q3, [%[weights]], #16\n\tvmullb.s8 q2, q2, q3\n\tvadd.i16 q0, q0, q2\n\t" again            \
         "vmullt.s8 q2, q2, q3\n\tvadd.i16 q1, q1, q2\n\t"
#define TINYCC_WIDEN_TAPS                                                                                    \
    "vmovlb.s16 q2, q0\n\tvmovlt.s16 q3, q0\n\t"                                                             \
    "vadd.i32 %q[s0], %q[s0], q2\n\tvadd.i32 %q[s1], %q[s1], q3\n\t"                                         \
    "vmovlb.s16 q2, q1\n\tvmovlt.s16 q3, q1\n\t"                                                             \
    "vadd.i32 %q[s2], %q[s2], q2\n\tvadd.i32 %q[s3], %q[s3], q3\n\t"
#define TINYCC_TAP_PAIR(x, y) TINYCC_FIRST_TAP(x) TINYCC_SECOND_TAP(y, y) TINYCC_WIDEN_TAPS
#define TINYCC_SUMS                                                                                          \
    [s0] "+w"(sums[0]), [s1] "+w"(sums[1]), [s2] "+w"(sums[2]), [s3] "+w"(sums[3]), [weights] "+r"(weights)

/* All taps of a window, two at a time; `vctp` and `vpst` are empty or predicate the loads. */
#define TINYCC_ALL_TAPS(vctp, vpst, load)                                                                    \
    __asm__ volatile(                                                                                        \
        "wls lr, %[pairs], 2f\n"                                                                             \
        "1:\n\tldrd %[x], %[y], [%[inputs]], #8\n\tadd %[x], %[channel]\n\tadd %[y], %[channel]\n\t" vctp    \
            TINYCC_TAP_PAIR(vpst load " q2, [%[x]]\n\t", vpst load                                           \
                            " q2, [%[y]]\n\t") "le lr, 1b\n"                                                 \
                                               "2:\n\tcbz %[odd], 3f\n\tldr %[x], [%[inputs]]\n\tadd %[x], " \
                                               "%[channel]\n\t" vctp TINYCC_FIRST_TAP(                       \
                                                   vpst load " q2, [%[x]]\n\t") TINYCC_WIDEN_TAPS "3:"       \
        : TINYCC_SUMS, [inputs] "+r"(inputs), [x] "=&r"(x), [y] "=&r"(y)                                     \
        : [pairs] "r"(taps / 2), [odd] "l"(taps % 2), [channel] "r"(channel), [count] "r"(count)             \
        : "lr", "q0", "q1", "q2", "q3", "memory")

/* With weights of four bits, of which one load has two taps: q3 and q4. There is room for the sums of many
 * products in 16 bits; sums of 32 bits are not in use meanwhile, nor are their registers. */
#define TINYCC_SPLIT_TAPS                                                                                    \
    "vldrb.8 q4, [%[weights]], #16\n\tvshl.i8 q3, q4, #4\n\tvshr.s8 q3, q3, #4\n\tvshr.s8 q4, q4, #4\n\t"
#define TINYCC_NARROW_TAP(load, q)                                                                           \
    load "vmullb.s8 q5, q2, " q "\n\tvadd.i16 %q[even], %q[even], q5\n\t"                                    \
         "vmullt.s8 q2, q2, " q "\n\tvadd.i16 %q[odd], %q[odd], q2\n\t"

/* 16 bits hold the sum of so many products of an int8 and four bits; an even number. */
#define TINYCC_NARROW_TAPS 30

/* Sums of products of the even channels, and of the odd ones. */
typedef struct {
    int16x8_t even;
    int16x8_t odd;
} tinycc_tap_sums;

TINYCC_INLINE void tinycc_widen_taps(tinycc_lanes *sums, tinycc_tap_sums taps)
{
    sums[0] = vaddq_s32(sums[0], vmovlbq_s16(taps.even));
    sums[1] = vaddq_s32(sums[1], vmovltq_s16(taps.even));
    sums[2] = vaddq_s32(sums[2], vmovlbq_s16(taps.odd));
    sums[3] = vaddq_s32(sums[3], vmovltq_s16(taps.odd));
}

#define TINYCC_ALL_NARROW_TAPS(vctp, vpst, load)                                                             \
    __asm__ volatile(                                                                                        \
        vctp "wls lr, %[pairs], 2f\n"                                                                        \
             "1:\n\tldrd %[x], %[y], [%[inputs]], #8\n\tadd %[x], %[channel]\n\tadd %[y], "                  \
             "%[channel]\n\t" TINYCC_SPLIT_TAPS TINYCC_NARROW_TAP(vpst load " q2, [%[x]]\n\t", "q3")         \
                 TINYCC_NARROW_TAP(vpst load " q2, [%[y]]\n\t",                                              \
                                   "q4") "le lr, 1b\n"                                                       \
                                         "2:\tcbz %[rest], 3f\n\tldr %[x], [%[inputs]], #4\n\tadd %[x], "    \
                                         "%[channel]\n\t" TINYCC_SPLIT_TAPS TINYCC_NARROW_TAP(               \
                                             vpst load " q2, [%[x]]\n\t", "q3") "3:"                         \
        : [even] "+w"(some.even), [odd] "+w"(some.odd), [weights] "+r"(weights), [inputs] "+r"(inputs),      \
          [x] "=&r"(x), [y] "=&r"(y)                                                                         \
        : [pairs] "r"(taken / 2), [rest] "l"(taken % 2), [channel] "r"(channel), [count] "r"(count)          \
        : "lr", "q2", "q3", "q4", "q5", "memory")

TINYCC_INLINE void tinycc_add_narrow_taps(tinycc_lanes *sums, const int8_t *const *inputs, int32_t taps,
                                          int32_t channel, int32_t count, const int8_t *weights)
{
    const int8_t *x, *y;
    for (int32_t left = taps; left > 0; left -= TINYCC_NARROW_TAPS) {
        const int32_t taken = left < TINYCC_NARROW_TAPS ? left : TINYCC_NARROW_TAPS;
        tinycc_tap_sums some = {vdupq_n_s16(0), vdupq_n_s16(0)};
        if (count >= TINYCC_CHANNELS) {
            TINYCC_ALL_NARROW_TAPS("", "", "vldrb.8");
        } else {
            TINYCC_ALL_NARROW_TAPS("vctp.8 %[count]\n\t", "vpst\n\t", "vldrbt.8");
        }
        tinycc_widen_taps(sums, some);
    }
}

/* sums = biases + inputs[t][channel ...] * weights[t][...] for `taps` taps and sixteen channels, or the first
 * `count` of them. Products are added two by two in 16 bits, which hold them as long as no weight is -128. */
TINYCC_INLINE void tinycc_sum_taps(tinycc_lanes *sums, const int32_t *constants, const int8_t *const *inputs,
                                   int32_t taps, int32_t channel, int32_t count, const int8_t *weights,
                                   int weight_bits)
{
    tinycc_channel_biases(sums, constants);
    if (weight_bits == 4) {
        tinycc_add_narrow_taps(sums, inputs, taps, channel, count, weights);
        return;
    }
    const int8_t *x, *y;
    if (count >= TINYCC_CHANNELS) {
        TINYCC_ALL_TAPS("", "", "vldrb.8");
    } else {
        TINYCC_ALL_TAPS("vctp.8 %[count]\n\t", "vpst\n\t", "vldrbt.8");
    }
}

/* A column of the three that follow each other; the pointer to the first one moves on. */
#define TINYCC_COLUMN_0(row, column) "add " column ", " row ", %[step]\n\tvldrb.8 q2, [" row "], #16\n\t"
#define TINYCC_COLUMN_1(column) "vldrb.8 q2, [" column "]\n\t"
#define TINYCC_COLUMN_2(column) "add " column ", %[step]\n\tvldrb.8 q2, [" column "]\n\t"

/* Sums of products of the window that tinycc_sum_window is given. */
TINYCC_INLINE tinycc_tap_sums tinycc_narrow_window(const int8_t **rows, int32_t step, const int8_t *weights)
{
    const int8_t *row0 = rows[0], *row1 = rows[1], *row2 = rows[2];
    const int8_t *x;
    tinycc_tap_sums all;
    __asm__ volatile(
        TINYCC_SPLIT_TAPS TINYCC_COLUMN_0(
            "%[row0]",
            "%[x]") "vmullb.s8 %q[even], q2, q3\n\t"
                    "vmullt.s8 %q[odd], q2, q3\n\t" TINYCC_NARROW_TAP(TINYCC_COLUMN_1("%[x]"), "q4")
                        TINYCC_SPLIT_TAPS TINYCC_NARROW_TAP(TINYCC_COLUMN_2("%[x]"), "q3") TINYCC_NARROW_TAP(
                            TINYCC_COLUMN_0("%[row1]", "%[x]"),
                            "q4") TINYCC_SPLIT_TAPS TINYCC_NARROW_TAP(TINYCC_COLUMN_1("%[x]"), "q3")
                            TINYCC_NARROW_TAP(TINYCC_COLUMN_2("%[x]"), "q4")
                                TINYCC_SPLIT_TAPS TINYCC_NARROW_TAP(TINYCC_COLUMN_0("%[row2]", "%[x]"), "q3")
                                    TINYCC_NARROW_TAP(TINYCC_COLUMN_1("%[x]"), "q4")
                                        TINYCC_SPLIT_TAPS TINYCC_NARROW_TAP(TINYCC_COLUMN_2("%[x]"), "q3")
        : [even] "=&w"(all.even), [odd] "=&w"(all.odd), [weights] "+r"(weights), [row0] "+r"(row0),
          [row1] "+r"(row1), [row2] "+r"(row2), [x] "=&r"(x)
        : [step] "r"(step)
        : "q2", "q3", "q4", "q5", "memory");
    rows[0] = row0;
    rows[1] = row1;
    rows[2] = row2;
    return all;
}

/* The same for the 3x3 window of sixteen channels at rows[0], rows[1] and rows[2], columns `step` apart; the
 * rows' pointers move on by sixteen channels. */
TINYCC_INLINE void tinycc_sum_window(tinycc_lanes *sums, const int32_t *constants, const int8_t **rows,
                                     int32_t step, const int8_t *weights, int weight_bits)
{
    if (weight_bits == 4) {
        const tinycc_tap_sums all = tinycc_narrow_window(rows, step, weights);
        tinycc_channel_biases(sums, constants);
        tinycc_widen_taps(sums, all);
        return;
    }
    tinycc_channel_biases(sums, constants);
    const int8_t *row0 = rows[0], *row1 = rows[1], *row2 = rows[2];
    const int8_t *x, *y;
    __asm__ volatile(
        TINYCC_FIRST_TAP(TINYCC_COLUMN_0("%[row0]", "%[x]")) TINYCC_SECOND_TAP(TINYCC_COLUMN_1("%[x]"),
                                                                               TINYCC_COLUMN_1("%[x]"))
            TINYCC_WIDEN_TAPS TINYCC_FIRST_TAP(TINYCC_COLUMN_2("%[x]")) TINYCC_SECOND_TAP(
                "add %[y], %[row1], %[step]\n\tvldrb.8 q2, [%[row1]]\n\t", "vldrb.8 q2, [%[row1]], #16\n\t")
                TINYCC_WIDEN_TAPS TINYCC_FIRST_TAP(TINYCC_COLUMN_1("%[y]"))
                    TINYCC_SECOND_TAP(TINYCC_COLUMN_2("%[y]"), TINYCC_COLUMN_1("%[y]"))
                        TINYCC_WIDEN_TAPS TINYCC_FIRST_TAP(TINYCC_COLUMN_0("%[row2]", "%[x]"))
                            TINYCC_SECOND_TAP(TINYCC_COLUMN_1("%[x]"), TINYCC_COLUMN_1("%[x]"))
                                TINYCC_WIDEN_TAPS TINYCC_FIRST_TAP(TINYCC_COLUMN_2("%[x]")) TINYCC_WIDEN_TAPS
        : TINYCC_SUMS, [row0] "+r"(row0), [row1] "+r"(row1), [row2] "+r"(row2), [x] "=&r"(x), [y] "=&r"(y)
        : [step] "r"(step)
        : "q0", "q1", "q2", "q3", "memory");
    rows[0] = row0;
    rows[1] = row1;
    rows[2] = row2;
}

#define TINYCC_RESCALE(sum, at, multiplier_at, fix)                                                          \
    "vldrw.32 q0, [%[constants], #" at "]\n\tvldrw.32 q1, [%[constants], #" multiplier_at "]\n\t"            \
    "vqrdmulh.s32 " sum ", " sum ", q1\n\t" fix(sum) "vrshl.s32 " sum ", " sum ", q0\n\t"
#define TINYCC_NO_FIX(sum) ""
#define TINYCC_FIX(sum) "vshr.s32 q1, " sum ", #31\n\tvadd.i32 " sum ", " sum ", q1\n\t"
#define TINYCC_FINISH(fix)                                                                                   \
    __asm__(TINYCC_RESCALE("%q[s0]", "0", "16", fix) TINYCC_RESCALE("%q[s1]", "32", "48", fix)               \
                TINYCC_RESCALE("%q[s2]", "64", "80", fix) TINYCC_RESCALE(                                    \
                    "%q[s3]", "96", "112",                                                                   \
                    fix) "vqmovnb.s32 %q[s0], %q[s0]\n\tvqmovnt.s32 %q[s0], %q[s1]\n\t"                      \
                         "vqmovnb.s32 %q[s2], %q[s2]\n\tvqmovnt.s32 %q[s2], %q[s3]\n\t"                      \
                         "vqadd.s16 %q[s0], %q[s0], %[zero]\n\tvqadd.s16 %q[s2], %q[s2], %[zero]\n\t"        \
                         "vqmovnb.s16 %q[s0], %q[s0]\n\tvqmovnt.s16 %q[s0], %q[s2]"                          \
            : [s0] "+w"(sums[0]), [s1] "+w"(sums[1]), [s2] "+w"(sums[2]), [s3] "+w"(sums[3])                 \
            : [constants] "r"(constants), [zero] "r"((int32_t)range->zero_point)                             \
            : "q0", "q1", "memory")

/* Sixteen channels, or the first `count`, from sums that have their biases; rectified: see
 * tinycc_rescale_lanes. */
TINYCC_INLINE void tinycc_finish_channels(int8_t *out, tinycc_lanes *sums, int32_t count,
                                          const int32_t *constants, int rectified,
                                          const tinycc_output_range *range)
{
    if (rectified) {
        TINYCC_FINISH(TINYCC_NO_FIX);
    } else {
        TINYCC_FINISH(TINYCC_FIX);
    }
    int8x16_t all = vreinterpretq_s8_s32(sums[0]);
    all = vmaxq_s8(all, vdupq_n_s8(range->min));
    all = vminq_s8(all, vdupq_n_s8(range->max));
    if (count >= TINYCC_CHANNELS) {
        vstrbq_s8(out, all);
    } else {
        vstrbq_p_s8(out, all, vctp8q((uint32_t)count));
    }
}

#else

/* A channel's weight of a tap. */
TINYCC_INLINE int32_t tinycc_tap_weight(const int8_t *weights, int32_t tap, int32_t channel, int weight_bits)
{
    if (weight_bits == 8) {
        return weights[tap * TINYCC_CHANNELS + channel];
    }
    const int8_t both = weights[tap / 2 * TINYCC_CHANNELS + channel];
    return tap % 2 ? tinycc_high_half(both) : tinycc_low_half(both);
}

TINYCC_INLINE void tinycc_sum_taps(tinycc_lanes *sums, const int32_t *constants, const int8_t *const *inputs,
                                   int32_t taps, int32_t channel, int32_t count, const int8_t *weights,
                                   int weight_bits)
{
    static const int32_t vector[TINYCC_CHANNEL_VECTORS] = {0, 2, 1, 3};
    tinycc_channel_biases(sums, constants);
    for (int32_t tap = 0; tap < taps; ++tap) {
        for (int32_t c = 0; c < TINYCC_CHANNELS && c < count; ++c) {
            sums[vector[c % TINYCC_CHANNEL_VECTORS]].lane[c / TINYCC_CHANNEL_VECTORS] +=
                inputs[tap][channel + c] * tinycc_tap_weight(weights, tap, c, weight_bits);
        }
    }
}

TINYCC_INLINE void tinycc_sum_window(tinycc_lanes *sums, const int32_t *constants, const int8_t **rows,
                                     int32_t step, const int8_t *weights, int weight_bits)
{
    const int8_t *taps[9];
    for (int32_t j = 0; j < 3; ++j) {
        for (int32_t k = 0; k < 3; ++k) {
            taps[3 * j + k] = rows[j] + k * step;
        }
        rows[j] += TINYCC_CHANNELS;
    }
    tinycc_sum_taps(sums, constants, taps, 9, 0, TINYCC_CHANNELS, weights, weight_bits);
}

TINYCC_INLINE void tinycc_finish_channels(int8_t *out, tinycc_lanes *sums, int32_t count,
                                          const int32_t *constants, int rectified,
                                          const tinycc_output_range *range)
{
    static const int32_t vector[TINYCC_CHANNEL_VECTORS] = {0, 2, 1, 3};
    for (int32_t v = 0; v < TINYCC_CHANNEL_VECTORS; ++v) {
        sums[v] = tinycc_rescale_lanes(sums[v], constants + v * TINYCC_LANE_CONSTANTS, rectified);
    }
    for (int32_t c = 0; c < TINYCC_CHANNELS && c < count; ++c) {
        const int32_t value = sums[vector[c % TINYCC_CHANNEL_VECTORS]].lane[c / TINYCC_CHANNEL_VECTORS];
        out[c] = (int8_t)tinycc_clamp(value + range->zero_point, range->min, range->max);
    }
}

#endif

#endif
