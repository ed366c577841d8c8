/* Products of a matrix of weights with pairs of pixels, for an even number of outputs that are clamped to
 * int8; the matrix is that of dsp_matrix.h. */
#ifndef TINYCC_DSP_PAIRS_H
#define TINYCC_DSP_PAIRS_H

#include "dsp_matrix.h"

/* Pairs of pixels, for even numbers of outputs.
 *
 * input: of the first pixel, `inputs` elements each, in whole words; NULL where `x` is widened already.
 * x: room for a widened pair.
 * output: of the first pixel. */
typedef struct {
    const int8_t *input;
    int32_t inputs;
    uint32_t *x;
    int32_t words;
    int8_t *output;
    int32_t outputs;
    int32_t pairs;
    const int32_t *matrix;
    int32_t output_zero_point;
} tinycc_dsp_pairs;

/* Of narrow weights: a pair, and the excess of both pixels. */
typedef struct {
    tinycc_dsp_pairs pairs;
    int32_t excess[2];
} tinycc_dsp_narrow_pairs;

#if TINYCC_HAS_DSP

/* Every register is in use. Sums: r3 and r4 of the first pixel, r5 and r6 of the second. r0 inputs, r1
 * the matrix. On the stack: output, its zero point, distance of the pixels less 1, end of the
 * first pixel's output, inputs, their end, where the first turn begins, the argument. A turn is four words of
 * taps, or eight of a wide matrix; the first may be less. */
#define TINYCC_DSP_PAIRS_STEP                                                                                \
    "ldrd r7, r12, [r1], #8\n\t"                                                                             \
    "ldmia.w r0!, {r8, r9, r10, r11}\n\t" TINYCC_DSP_PAIRS_PRODUCTS
#define TINYCC_DSP_PAIRS_PRODUCTS                                                                            \
    "smlad r3, r8, r7, r3\n\t"                                                                               \
    "smlad r4, r8, r12, r4\n\t"                                                                              \
    "smlad r5, r10, r7, r5\n\t"                                                                              \
    "smlad r6, r10, r12, r6\n\t"                                                                             \
    "sxtb16 r7, r7\n\t"                                                                                      \
    "sxtb16 r12, r12\n\t"                                                                                    \
    "smlad r3, r9, r7, r3\n\t"                                                                               \
    "smlad r4, r9, r12, r4\n\t"                                                                              \
    "smlad r5, r11, r7, r5\n\t"                                                                              \
    "smlad r6, r11, r12, r6\n\t"
#define TINYCC_DSP_PAIRS_FIRST TINYCC_DSP_PAIRS_FIRST_TURN("3", "48")
#define TINYCC_DSP_PAIRS_TURN                                                                                \
    TINYCC_DSP_PAIRS_STEP TINYCC_DSP_PAIRS_STEP TINYCC_DSP_PAIRS_STEP TINYCC_DSP_PAIRS_STEP "cmp r0, lr\n\t"

/* All that a step loads has a register of its own, so that the end of the inputs has none. */
#define TINYCC_DSP_PAIRS_WIDE_STEP                                                                           \
    "ldmia.w r1!, {r2, r7, r8, r9}\n\t"                                                                      \
    "ldmia.w r0!, {r10, r11, r12, lr}\n\t"                                                                   \
    "smlad r3, r10, r2, r3\n\t"                                                                              \
    "smlad r4, r10, r7, r4\n\t"                                                                              \
    "smlad r5, r12, r2, r5\n\t"                                                                              \
    "smlad r6, r12, r7, r6\n\t"                                                                              \
    "smlad r3, r11, r8, r3\n\t"                                                                              \
    "smlad r4, r11, r9, r4\n\t"                                                                              \
    "smlad r5, lr, r8, r5\n\t"                                                                               \
    "smlad r6, lr, r9, r6\n\t"
#define TINYCC_DSP_PAIRS_WIDE_FIRST TINYCC_DSP_PAIRS_FIRST_TURN("7", "40")
#define TINYCC_DSP_PAIRS_WIDE_TURN                                                                           \
    TINYCC_DSP_PAIRS_WIDE_STEP TINYCC_DSP_PAIRS_WIDE_STEP TINYCC_DSP_PAIRS_WIDE_STEP                         \
        TINYCC_DSP_PAIRS_WIDE_STEP TINYCC_DSP_PAIRS_WIDE_STEP TINYCC_DSP_PAIRS_WIDE_STEP                     \
            TINYCC_DSP_PAIRS_WIDE_STEP TINYCC_DSP_PAIRS_WIDE_STEP "ldr r2, [sp, #20]\n\t"                    \
                                                                  "cmp r0, r2\n\t"

/* Eight taps: the lower halves of the bytes of r7 and r12, then the upper ones. r2 holds the lower halves of
 * one, then the mask of the upper ones. */
#define TINYCC_DSP_PAIRS_NARROW_STEP                                                                         \
    "ldrd r7, r12, [r1], #8\n\t"                                                                             \
    "ldmia.w r0!, {r8, r9, r10, r11}\n\t"                                                                    \
    "and.w r2, r7, #0x0F0F0F0F\n\t"                                                                          \
    "smlad r3, r8, r2, r3\n\t"                                                                               \
    "smlad r5, r10, r2, r5\n\t"                                                                              \
    "sxtb16 r2, r2\n\t"                                                                                      \
    "smlad r3, r9, r2, r3\n\t"                                                                               \
    "smlad r5, r11, r2, r5\n\t"                                                                              \
    "and.w r2, r12, #0x0F0F0F0F\n\t"                                                                         \
    "smlad r4, r8, r2, r4\n\t"                                                                               \
    "smlad r6, r10, r2, r6\n\t"                                                                              \
    "sxtb16 r2, r2\n\t"                                                                                      \
    "smlad r4, r9, r2, r4\n\t"                                                                               \
    "smlad r6, r11, r2, r6\n\t"                                                                              \
    "mov.w r2, #0x0F0F0F0F\n\t"                                                                              \
    "ldmia.w r0!, {r8, r9, r10, r11}\n\t"                                                                    \
    "and.w r7, r2, r7, lsr #4\n\t"                                                                           \
    "and.w r12, r2, r12, lsr #4\n\t" TINYCC_DSP_PAIRS_PRODUCTS
#define TINYCC_DSP_PAIRS_NARROW_FIRST "asrs r2, r2, #1\n\t" TINYCC_DSP_PAIRS_FIRST_TURN("1", "112")
#define TINYCC_DSP_PAIRS_NARROW_TURN                                                                         \
    TINYCC_DSP_PAIRS_NARROW_STEP TINYCC_DSP_PAIRS_NARROW_STEP "cmp r0, lr\n\t"

/* Where the first turn of r2 words begins; `most`: words of a turn less 1. */
#define TINYCC_DSP_PAIRS_FIRST_TURN(most, step_bytes)                                                        \
    "rsbs r2, r2, #0\n\t"                                                                                    \
    "and r2, r2, #" most "\n\t"                                                                              \
    "movs r3, #" step_bytes "\n\t"                                                                           \
    "adr.w r1, 4f\n\t"                                                                                       \
    "mla r1, r2, r3, r1\n\t"                                                                                 \
    "orr r1, r1, #1\n\t"                                                                                     \
    "str r1, [sp, #24]\n\t"

/* As tinycc_dsp_output, with the bias of tinycc_dsp_value; `rounding` as in tinycc_dsp_rescale. */
#define TINYCC_DSP_PAIRS_OUTPUT(sum, bias, multiplier, rounding, place)                                      \
    "asr r0, " sum ", #8\n\t" bias "smmlar r0, r0, " multiplier ", r0\n\t" rounding "asrs r0, " sum "\n\t"   \
    "adc r0, r0, r11\n\t"                                                                                    \
    "ssat r0, #8, r0\n\t"                                                                                    \
    "strb r0, [r10" place "\n\t"

/* Biases that are apart. */
#define TINYCC_DSP_PAIRS_BIASES "ldrd r2, r7, [r1], #8\n\t"
#define TINYCC_DSP_PAIRS_BIAS "add r0, r0, r2\n\t"
#define TINYCC_DSP_PAIRS_NEXT_BIAS "add r0, r0, r7\n\t"

#define TINYCC_DSP_PAIRS_ROUND "adds r0, r0, r0, asr #31\n\t"

/* The sums to begin with, which lie in r3 and r4, of both pixels. */
#define TINYCC_DSP_PAIRS_SUMS                                                                                \
    "mov r5, r3\n\t"                                                                                         \
    "mov r6, r4\n\t"
#define TINYCC_DSP_PAIRS_NARROW_SUMS                                                                         \
    "ldr r7, [sp, #28]\n\t"                                                                                  \
    "ldrd r8, r9, [r7, #36]\n\t"                                                                             \
    "sub r5, r3, r9\n\t"                                                                                     \
    "sub r6, r4, r9\n\t"                                                                                     \
    "sub r3, r3, r8\n\t"                                                                                     \
    "sub r4, r4, r8\n\t"

/* The frame, but for what changes with each pair. */
#define TINYCC_DSP_PAIRS_BEGIN                                                                               \
    "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                                                        \
    "sub sp, #32\n\t"                                                                                        \
    "str r0, [sp, #28]\n\t"                                                                                  \
    "ldr r1, [r0, #16]\n\t"                                                                                  \
    "ldr r2, [r0, #32]\n\t"                                                                                  \
    "strd r1, r2, [sp]\n\t"                                                                                  \
    "ldr r2, [r0, #20]\n\t"                                                                                  \
    "add r1, r1, r2\n\t"                                                                                     \
    "subs r2, #1\n\t"                                                                                        \
    "strd r2, r1, [sp, #8]\n\t"                                                                              \
    "ldrd r1, r2, [r0, #8]\n\t"                                                                              \
    "add r3, r1, r2, lsl #4\n\t"                                                                             \
    "strd r1, r3, [sp, #16]\n\t"

/* Widens both pixels. */
#define TINYCC_DSP_PAIRS_WIDEN                                                                               \
    "ldr r4, [sp, #28]\n\t"                                                                                  \
    "ldrd r5, r7, [r4]\n\t"                                                                                  \
    "cbz r5, 3f\n\t"                                                                                         \
    "ldrd r0, r6, [r4, #8]\n\t"                                                                              \
    "add r7, r5\n\t"                                                                                         \
    "2:\n\t"                                                                                                 \
    "ldr r8, [r5], #4\n\t"                                                                                   \
    "ldr r10, [r7], #4\n\t"                                                                                  \
    "eor r9, r8, #0x007F007F\n\t"                                                                            \
    "eor r11, r10, #0x007F007F\n\t"                                                                          \
    "sxtb16 r8, r8\n\t"                                                                                      \
    "sxtb16 r10, r10\n\t"                                                                                    \
    "stmia.w r0!, {r8, r9, r10, r11}\n\t"                                                                    \
    "subs r6, #1\n\t"                                                                                        \
    "bne 2b\n\t"                                                                                             \
    "str r7, [r4]\n\t"

#define TINYCC_DEFINE_DSP_PAIRS(name, first, sums, turn, biases, bias, next_bias, rounding)                  \
    static __attribute__((naked, noinline, unused)) void tinycc_dsp_pairs_##name(tinycc_dsp_pairs *pairs     \
                                                                                 __attribute__((unused)))    \
    {                                                                                                        \
        __asm__ volatile(                                                                                    \
            TINYCC_DSP_PAIRS_BEGIN first                                                                     \
            "1:\n\t" TINYCC_DSP_PAIRS_WIDEN "3:\n\t"                                                         \
            "ldr r1, [r4, #28]\n\t"                                                                          \
            "0:\n\t"                                                                                         \
            "ldrd r3, r4, [r1], #8\n\t"                                                                      \
            "ldrd r0, lr, [sp, #16]\n\t" sums "ldr pc, [sp, #24]\n\t"                                        \
            "4:\n\t" turn "bne.w 4b\n\t" biases "ldrd r8, r9, [r1], #8\n\t"                                  \
            "ldmia.w sp, {r10, r11, r12, lr}\n\t" TINYCC_DSP_PAIRS_OUTPUT("r3", bias, "r8", rounding,        \
                                                                          "], #1")                           \
                TINYCC_DSP_PAIRS_OUTPUT("r5", bias, "r8", rounding, ", r12]")                                \
                    TINYCC_DSP_PAIRS_OUTPUT("r4", next_bias, "r9", rounding, "], #1")                        \
                        TINYCC_DSP_PAIRS_OUTPUT("r6", next_bias, "r9", rounding,                             \
                                                ", r12]") "str r10, [sp]\n\t"                                \
                                                          "cmp r10, lr\n\t"                                  \
                                                          "bne.w 0b\n\t"                                     \
                                                          "add r12, #1\n\t"                                  \
                                                          "add r10, r12\n\t"                                 \
                                                          "add lr, lr, r12, lsl #1\n\t"                      \
                                                          "str r10, [sp]\n\t"                                \
                                                          "str lr, [sp, #12]\n\t"                            \
                                                          "ldr r4, [sp, #28]\n\t"                            \
                                                          "ldr r5, [r4, #24]\n\t"                            \
                                                          "subs r5, #1\n\t"                                  \
                                                          "str r5, [r4, #24]\n\t"                            \
                                                          "bne.w 1b\n\t"                                     \
                                                          "add sp, #32\n\t"                                  \
                                                          "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");     \
    }

/* clang-format off */
TINYCC_DEFINE_DSP_PAIRS(rectified, TINYCC_DSP_PAIRS_FIRST, TINYCC_DSP_PAIRS_SUMS, TINYCC_DSP_PAIRS_TURN,
                        "", "", "", "")
TINYCC_DEFINE_DSP_PAIRS(full, TINYCC_DSP_PAIRS_FIRST, TINYCC_DSP_PAIRS_SUMS, TINYCC_DSP_PAIRS_TURN,
                        "", "", "", TINYCC_DSP_PAIRS_ROUND)
TINYCC_DEFINE_DSP_PAIRS(wide_rectified, TINYCC_DSP_PAIRS_WIDE_FIRST, TINYCC_DSP_PAIRS_SUMS, TINYCC_DSP_PAIRS_WIDE_TURN,
                        "", "", "", "")
TINYCC_DEFINE_DSP_PAIRS(wide_full, TINYCC_DSP_PAIRS_WIDE_FIRST, TINYCC_DSP_PAIRS_SUMS, TINYCC_DSP_PAIRS_WIDE_TURN,
                        "", "", "", TINYCC_DSP_PAIRS_ROUND)
TINYCC_DEFINE_DSP_PAIRS(narrow_rectified, TINYCC_DSP_PAIRS_NARROW_FIRST, TINYCC_DSP_PAIRS_NARROW_SUMS,
                        TINYCC_DSP_PAIRS_NARROW_TURN, "", "", "", "")
TINYCC_DEFINE_DSP_PAIRS(narrow_full, TINYCC_DSP_PAIRS_NARROW_FIRST, TINYCC_DSP_PAIRS_NARROW_SUMS,
                        TINYCC_DSP_PAIRS_NARROW_TURN, "", "", "", TINYCC_DSP_PAIRS_ROUND)
TINYCC_DEFINE_DSP_PAIRS(large, TINYCC_DSP_PAIRS_FIRST, TINYCC_DSP_PAIRS_SUMS, TINYCC_DSP_PAIRS_TURN,
                        TINYCC_DSP_PAIRS_BIASES, TINYCC_DSP_PAIRS_BIAS, TINYCC_DSP_PAIRS_NEXT_BIAS,
                        TINYCC_DSP_PAIRS_ROUND)
/* clang-format on */

#undef TINYCC_DEFINE_DSP_PAIRS

#else

TINYCC_INLINE void tinycc_dsp_pairs_run(const tinycc_dsp_pairs *pairs, tinycc_dsp_mode mode,
                                        tinycc_dsp_storage storage)
{
    const tinycc_dsp_data data = {.matrix = pairs->matrix,
                                  .output_zero_point = (int8_t)pairs->output_zero_point};
    for (int32_t i = 0; i < pairs->pairs; ++i) {
        for (int32_t pixel = 0; pixel < 2 && pairs->input != NULL; ++pixel) {
            tinycc_dsp_widen(pairs->x + 2 * pixel, pairs->input + (2 * i + pixel) * pairs->inputs,
                             pairs->inputs);
        }
        tinycc_dsp_pair(pairs->x, pairs->output + 2 * i * pairs->outputs, pairs->words, pairs->outputs, &data,
                        mode, storage);
    }
}

#define TINYCC_DEFINE_DSP_PAIRS(name, mode, storage)                                                         \
    TINYCC_SHARED void tinycc_dsp_pairs_##name(tinycc_dsp_pairs *pairs)                                      \
    {                                                                                                        \
        tinycc_dsp_pairs_run(pairs, mode, storage);                                                          \
    }

TINYCC_DEFINE_DSP_PAIRS(rectified, TINYCC_DSP_RECTIFIED, TINYCC_DSP_BYTES)
TINYCC_DEFINE_DSP_PAIRS(full, TINYCC_DSP_FULL, TINYCC_DSP_BYTES)
TINYCC_DEFINE_DSP_PAIRS(large, TINYCC_DSP_LARGE, TINYCC_DSP_BYTES)
TINYCC_DEFINE_DSP_PAIRS(wide_rectified, TINYCC_DSP_RECTIFIED, TINYCC_DSP_WIDE)
TINYCC_DEFINE_DSP_PAIRS(wide_full, TINYCC_DSP_FULL, TINYCC_DSP_WIDE)
TINYCC_DEFINE_DSP_PAIRS(narrow_rectified, TINYCC_DSP_RECTIFIED, TINYCC_DSP_NARROW)
TINYCC_DEFINE_DSP_PAIRS(narrow_full, TINYCC_DSP_FULL, TINYCC_DSP_NARROW)

#undef TINYCC_DEFINE_DSP_PAIRS

#endif

/* Runs `pairs`, which it uses up. mode: any but TINYCC_DSP_CLAMPED. Of narrow weights there is one pair,
 * widened already. */
TINYCC_INLINE void tinycc_dsp_run_pairs(tinycc_dsp_pairs *pairs, int32_t mode, tinycc_dsp_storage storage)
{
    if (mode == TINYCC_DSP_LARGE) {
        tinycc_dsp_pairs_large(pairs);
    } else if (storage == TINYCC_DSP_NARROW) {
        tinycc_dsp_narrow_pairs narrow = {.pairs = *pairs,
                                          .excess = {tinycc_dsp_excess(pairs->x, pairs->words),
                                                     tinycc_dsp_excess(pairs->x + 2, pairs->words)}};
        if (mode == TINYCC_DSP_RECTIFIED) {
            tinycc_dsp_pairs_narrow_rectified(&narrow.pairs);
        } else {
            tinycc_dsp_pairs_narrow_full(&narrow.pairs);
        }
    } else if (mode == TINYCC_DSP_RECTIFIED && storage == TINYCC_DSP_WIDE) {
        tinycc_dsp_pairs_wide_rectified(pairs);
    } else if (mode == TINYCC_DSP_RECTIFIED) {
        tinycc_dsp_pairs_rectified(pairs);
    } else if (storage == TINYCC_DSP_WIDE) {
        tinycc_dsp_pairs_wide_full(pairs);
    } else {
        tinycc_dsp_pairs_full(pairs);
    }
}

/* Whether `tinycc_dsp_run_pairs` may be used. */
TINYCC_INLINE int tinycc_dsp_has_pairs(int32_t outputs, int32_t mode)
{
    return outputs % 2 == 0 && mode != TINYCC_DSP_CLAMPED;
}

#endif
