/* 3x3 depthwise convolution of a tile of outputs, stride 1 or 2, for depthwise_conv2d_dsp.h. */
#ifndef TINYCC_DEPTHWISE_3X3_DSP_H
#define TINYCC_DEPTHWISE_3X3_DSP_H

#include "depthwise_taps_dsp.h"

/* In place of an exponent: the channel's output does not depend on the input, it is what the bias says. */
#define TINYCC_DEPTHWISE_DSP_CONSTANT 0x80

/* A tile: all channels of `outputs` pixels.
 *
 * columns: two words for each input column under the tile, the taps of rows 0 and 1, and of row 2 and its
 *     right neighbour; the zero point to begin with, and for good where there is padding. The word before
 * them is written as well. gathered_from: the word before those of the first column that is no padding, of
 * which there are `gathered`. end: behind the last column under the tile. rows: at the first column that is
 * no padding; a missing row is any other, its part of the masks 0. weights, constants: as in
 * depthwise_conv2d_dsp.h. */
typedef struct {
    int32_t scratch[2];
    int32_t output_zero_point;
    int32_t channels;
    uint32_t *gathered_from;
    int32_t gathered;
    const uint32_t *columns;
    const uint32_t *end;
    int8_t *output;
    const int8_t *weights;
    const int32_t *constants;
    int32_t input_zero_point;
    uint32_t pair_mask;
    uint32_t last_mask;
    int32_t outputs;
    const int8_t *rows[3];
} tinycc_depthwise_3x3_dsp_tile;

#if TINYCC_HAS_DSP

/* The tile is copied to the stack: its fields are found at these offsets, and behind them the bias of the
 * channel, where the first turn of the loop over outputs begins, and the channel.
 *
 * Gathers the columns of a channel, two in a turn. r0 to r2 rows, r3 place in them, r4 channels, r5 columns,
 * r6 turns, r7 and r10 the last row's element before and now. */
#define TINYCC_DEPTHWISE_3X3_GATHER                                                                          \
    "ldrd r0, r1, [sp, #60]\n\t"                                                                             \
    "ldr r2, [sp, #68]\n\t"                                                                                  \
    "ldr r3, [sp, #80]\n\t"                                                                                  \
    "ldrd r4, r5, [sp, #12]\n\t"                                                                             \
    "ldr r6, [sp, #20]\n\t"                                                                                  \
    "ldr r7, [sp, #44]\n\t"                                                                                  \
    "cbz r6, 4f\n\t"                                                                                         \
    "adds r6, #1\n\t"                                                                                        \
    "lsrs r6, r6, #1\n\t"                                                                                    \
    "bcs 2f\n\t"                                                                                             \
    "mov r10, r7\n\t"                                                                                        \
    "b 3f\n\t"                                                                                               \
    "2:\n\t"                                                                                                 \
    "ldrsb r8, [r0, r3]\n\t"                                                                                 \
    "ldrsb r9, [r1, r3]\n\t"                                                                                 \
    "ldrsb r10, [r2, r3]\n\t"                                                                                \
    "add r3, r4\n\t"                                                                                         \
    "pkhbt r11, r7, r10, lsl #16\n\t"                                                                        \
    "pkhbt r12, r8, r9, lsl #16\n\t"                                                                         \
    "strd r11, r12, [r5], #8\n\t"                                                                            \
    "3:\n\t"                                                                                                 \
    "ldrsb r8, [r0, r3]\n\t"                                                                                 \
    "ldrsb r9, [r1, r3]\n\t"                                                                                 \
    "ldrsb r7, [r2, r3]\n\t"                                                                                 \
    "add r3, r4\n\t"                                                                                         \
    "pkhbt r11, r10, r7, lsl #16\n\t"                                                                        \
    "pkhbt r12, r8, r9, lsl #16\n\t"                                                                         \
    "strd r11, r12, [r5], #8\n\t"                                                                            \
    "subs r6, #1\n\t"                                                                                        \
    "bne 2b\n\t"                                                                                             \
    "ldr r8, [sp, #44]\n\t"                                                                                  \
    "pkhbt r7, r7, r8, lsl #16\n\t"                                                                          \
    "str r7, [r5]\n\t"                                                                                       \
    "4:\n\t"

/* Next to a channel of constant output: writes it to all pixels. bytes: of a channel's weights. */
#define TINYCC_DEPTHWISE_3X3_CONSTANT(bytes)                                                                 \
    "ldrd r9, r12, [sp, #36]\n\t"                                                                            \
    "ldr r6, [r12]\n\t"                                                                                      \
    "lsls r7, r6, #24\n\t"                                                                                   \
    "bpl 7f\n\t"                                                                                             \
    "adds r9, #" bytes "\n\t"                                                                                \
    "add r12, #8\n\t"                                                                                        \
    "strd r9, r12, [sp, #36]\n\t"                                                                            \
    "asrs r6, r6, #8\n\t"                                                                                    \
    "ldr r12, [sp, #12]\n\t"                                                                                 \
    "ldr r11, [sp, #32]\n\t"                                                                                 \
    "ldr r9, [sp, #80]\n\t"                                                                                  \
    "add r11, r9\n\t"                                                                                        \
    "ldr r5, [sp, #56]\n\t"                                                                                  \
    "6:\n\t"                                                                                                 \
    "strb r6, [r11]\n\t"                                                                                     \
    "add r11, r12\n\t"                                                                                       \
    "subs r5, #1\n\t"                                                                                        \
    "bne 6b\n\t"                                                                                             \
    "b.w 8f\n\t"                                                                                             \
    "7:\n\t"

/* The words of a channel's weights, and its pairs of taps in r1 to r4. r5 the last tap. Narrow ones are eight
 * in a word, and r3, r8 and r10 are used for them. */
#define TINYCC_DEPTHWISE_3X3_LOAD                                                                            \
    "ldr r1, [r9], #4\n\t"                                                                                   \
    "ldr r4, [r9], #4\n\t"                                                                                   \
    "ldrsb r5, [r9], #1\n\t"
#define TINYCC_DEPTHWISE_3X3_WIDEN                                                                           \
    "sxtb16 r2, r1, ror #8\n\t"                                                                              \
    "sxtb16 r1, r1\n\t"                                                                                      \
    "sxtb16 r3, r4\n\t"                                                                                      \
    "sxtb16 r4, r4, ror #8\n\t"
#define TINYCC_DEPTHWISE_3X3_NARROW_LOAD                                                                     \
    "ldr r4, [r9], #4\n\t"                                                                                   \
    "ldrsb r5, [r9], #1\n\t"
#define TINYCC_DEPTHWISE_3X3_NARROW_WIDEN                                                                    \
    "mov r3, #0x000F000F\n\t"                                                                                \
    "mov r8, #0x00080008\n\t"                                                                                \
    "and r1, r3, r4\n\t"                                                                                     \
    "and r2, r3, r4, lsr #4\n\t"                                                                             \
    "and r10, r3, r4, lsr #8\n\t"                                                                            \
    "and r4, r3, r4, lsr #12\n\t"                                                                            \
    "ssub16 r1, r1, r8\n\t"                                                                                  \
    "ssub16 r2, r2, r8\n\t"                                                                                  \
    "ssub16 r3, r10, r8\n\t"                                                                                 \
    "ssub16 r4, r4, r8\n\t"

/* Weights of a channel to r1 to r5, its bias to r6; what missing rows add for the zero point becomes part of
 * the bias. r0 the first column, r11 the first output, r12 channels. */
#define TINYCC_DEPTHWISE_3X3_WEIGHTS(load, widen)                                                            \
    "ldrd r9, r12, [sp, #36]\n\t" load "ldr r6, [r12], #4\n\t"                                               \
    "ldr r7, [r12], #4\n\t"                                                                                  \
    "strd r9, r12, [sp, #36]\n\t" widen "uxtb r8, r6\n\t"                                                    \
    "asrs r6, r6, #8\n\t"                                                                                    \
    "strd r7, r8, [sp]\n\t"                                                                                  \
    "ldrd r9, r10, [sp, #48]\n\t"                                                                            \
    "and r11, r9, r10\n\t"                                                                                   \
    "cmn r11, #1\n\t"                                                                                        \
    "beq 5f\n\t"                                                                                             \
    "ldr r11, [sp, #44]\n\t"                                                                                 \
    "pkhbt r11, r11, r11, lsl #16\n\t"                                                                       \
    "bic r12, r1, r9\n\t"                                                                                    \
    "smlad r6, r12, r11, r6\n\t"                                                                             \
    "and r1, r1, r9\n\t"                                                                                     \
    "bic r12, r2, r9\n\t"                                                                                    \
    "smlad r6, r12, r11, r6\n\t"                                                                             \
    "and r2, r2, r9\n\t"                                                                                     \
    "bic r12, r3, r9\n\t"                                                                                    \
    "smlad r6, r12, r11, r6\n\t"                                                                             \
    "and r3, r3, r9\n\t"                                                                                     \
    "bic r12, r4, r10\n\t"                                                                                   \
    "smlad r6, r12, r11, r6\n\t"                                                                             \
    "and r4, r4, r10\n\t"                                                                                    \
    "bic r12, r5, r10\n\t"                                                                                   \
    "smlabb r6, r12, r11, r6\n\t"                                                                            \
    "and r5, r5, r10\n\t"                                                                                    \
    "5:\n\t"                                                                                                 \
    "str r6, [sp, #72]\n\t"                                                                                  \
    "ldr r0, [sp, #24]\n\t"                                                                                  \
    "ldr r11, [sp, #32]\n\t"                                                                                 \
    "ldr r12, [sp, #12]\n\t"                                                                                 \
    "ldr r9, [sp, #80]\n\t"                                                                                  \
    "add r11, r9\n\t"

/* A sum becomes an output; `rounding` as in tinycc_dsp_rescale. */
#define TINYCC_DEPTHWISE_3X3_OUTPUT(sum, rounding)                                                           \
    "ldmia.w sp, {r9, r10, lr}\n\t"                                                                          \
    "smmlar " sum ", " sum ", r9, " sum "\n\t" rounding(sum) "asrs " sum ", r10\n\t"                         \
                                                             "adc " sum ", " sum ", lr\n\t"                  \
                                                             "ssat " sum ", #8, " sum "\n\t"                 \
                                                             "strb " sum ", [r11]\n\t"                       \
                                                             "add r11, r12\n\t"

/* Stride 1: a column ends the sum `last`, goes on with `middle` and begins `first`. */
#define TINYCC_DEPTHWISE_3X3_STEP1(last, middle, first, rounding)                                            \
    "ldrd r9, r10, [r0], #8\n\t"                                                                             \
    "smlad " last ", r9, r3, " last "\n\t"                                                                   \
    "smlabb " last ", r10, r5, " last "\n\t"                                                                 \
    "ldr " first ", [sp, #72]\n\t"                                                                           \
    "smlad " middle ", r9, r2, " middle "\n\t"                                                               \
    "smlad " first ", r9, r1, " first "\n\t"                                                                 \
    "smlad " first ", r10, r4, " first "\n\t" TINYCC_DEPTHWISE_3X3_OUTPUT(last, rounding)

/* Stride 2: a column goes on with the sum `last`, the next one ends it and begins `first`. */
#define TINYCC_DEPTHWISE_3X3_STEP2(last, first, rounding)                                                    \
    "ldr r9, [r0], #8\n\t"                                                                                   \
    "smlad " last ", r9, r2, " last "\n\t"                                                                   \
    "ldrd r9, r10, [r0], #8\n\t"                                                                             \
    "smlad " last ", r9, r3, " last "\n\t"                                                                   \
    "smlabb " last ", r10, r5, " last "\n\t"                                                                 \
    "ldr " first ", [sp, #72]\n\t"                                                                           \
    "smlad " first ", r9, r1, " first "\n\t"                                                                 \
    "smlad " first ", r10, r4, " first "\n\t" TINYCC_DEPTHWISE_3X3_OUTPUT(last, rounding)

/* The loops over outputs; a first turn may be shorter than the others, and begins where [sp, #76] says. */
#define TINYCC_DEPTHWISE_3X3_OUTPUTS1(rounding)                                                              \
    "ldrd r9, r10, [r0], #8\n\t"                                                                             \
    "mov r7, r6\n\t"                                                                                         \
    "smlad r6, r9, r1, r6\n\t"                                                                               \
    "smlad r6, r10, r4, r6\n\t"                                                                              \
    "ldrd r9, r10, [r0], #8\n\t"                                                                             \
    "smlad r6, r9, r2, r6\n\t"                                                                               \
    "smlad r7, r9, r1, r7\n\t"                                                                               \
    "smlad r7, r10, r4, r7\n\t"                                                                              \
    "ldr pc, [sp, #76]\n\t"                                                                                  \
    "11:\n\t"                                                                                                \
    "mov r8, r6\n\t"                                                                                         \
    "mov r6, r7\n\t"                                                                                         \
    "b 14f\n\t"                                                                                              \
    "12:\n\t"                                                                                                \
    "mov r8, r7\n\t"                                                                                         \
    "mov r7, r6\n\t"                                                                                         \
    "b 13f\n\t"                                                                                              \
    "10:\n\t" TINYCC_DEPTHWISE_3X3_STEP1("r6", "r7", "r8", rounding) "13:\n\t" TINYCC_DEPTHWISE_3X3_STEP1(   \
        "r7", "r8", "r6", rounding) "14:\n\t" TINYCC_DEPTHWISE_3X3_STEP1("r8", "r6", "r7", rounding)

#define TINYCC_DEPTHWISE_3X3_OUTPUTS2(rounding)                                                              \
    "ldrd r9, r10, [r0], #8\n\t"                                                                             \
    "smlad r6, r9, r1, r6\n\t"                                                                               \
    "smlad r6, r10, r4, r6\n\t"                                                                              \
    "ldr pc, [sp, #76]\n\t"                                                                                  \
    "11:\n\t"                                                                                                \
    "mov r7, r6\n\t"                                                                                         \
    "b 13f\n\t"                                                                                              \
    "12:\n\t"                                                                                                \
    "10:\n\t" TINYCC_DEPTHWISE_3X3_STEP2("r6", "r7", rounding) "13:\n\t" TINYCC_DEPTHWISE_3X3_STEP2(         \
        "r7", "r6", rounding)

/* turn: outputs in a turn of the loop. bytes, load, widen: of weights. */
#define TINYCC_DEFINE_DEPTHWISE_3X3_OF(name, outputs, turn, rounding, bytes, load, widen)                    \
    static __attribute__((naked, noinline, unused)) void tinycc_depthwise_3x3_dsp_##name(                    \
        const tinycc_depthwise_3x3_dsp_tile *tile __attribute__((unused)))                                   \
    {                                                                                                        \
        __asm__ volatile("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"                                   \
                         "sub sp, #84\n\t"                                                                   \
                         "mov r12, sp\n\t"                                                                   \
                         "ldmia.w r0!, {r1, r2, r3, r4, r5, r6, r7, r8, r9}\n\t"                             \
                         "stmia.w r12!, {r1, r2, r3, r4, r5, r6, r7, r8, r9}\n\t"                            \
                         "ldmia.w r0!, {r1, r2, r3, r4, r5, r6, r7, r8, r9}\n\t"                             \
                         "stmia.w r12!, {r1, r2, r3, r4, r5, r6, r7, r8, r9}\n\t"                            \
                         "ldr r4, [sp, #56]\n\t"                                                             \
                         "movs r6, #" turn "\n\t"                                                            \
                         "udiv r7, r4, r6\n\t"                                                               \
                         "mls r5, r7, r6, r4\n\t"                                                            \
                         "adr.w r6, 10f\n\t"                                                                 \
                         "cmp r5, #1\n\t"                                                                    \
                         "bne 0f\n\t"                                                                        \
                         "adr.w r6, 11f\n\t"                                                                 \
                         "0:\n\t"                                                                            \
                         "cmp r5, #2\n\t"                                                                    \
                         "bne 0f\n\t"                                                                        \
                         "adr.w r6, 12f\n\t"                                                                 \
                         "0:\n\t"                                                                            \
                         "orr r6, r6, #1\n\t"                                                                \
                         "movs r7, #0\n\t"                                                                   \
                         "strd r6, r7, [sp, #76]\n\t"                                                        \
                         "1:\n\t" TINYCC_DEPTHWISE_3X3_CONSTANT(bytes)                                       \
                             TINYCC_DEPTHWISE_3X3_GATHER TINYCC_DEPTHWISE_3X3_WEIGHTS(load, widen)           \
                                 outputs(rounding) "ldr r9, [sp, #28]\n\t"                                   \
                                                   "cmp r0, r9\n\t"                                          \
                                                   "bne.w 10b\n\t"                                           \
                                                   "8:\n\t"                                                  \
                                                   "ldr r7, [sp, #80]\n\t"                                   \
                                                   "adds r7, #1\n\t"                                         \
                                                   "str r7, [sp, #80]\n\t"                                   \
                                                   "cmp r7, r12\n\t"                                         \
                                                   "bne.w 1b\n\t"                                            \
                                                   "add sp, #84\n\t"                                         \
                                                   "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");            \
    }

#define TINYCC_DEFINE_DEPTHWISE_3X3(name, outputs, turn, rounding)                                           \
    TINYCC_DEFINE_DEPTHWISE_3X3_OF(name, outputs, turn, rounding, "9", TINYCC_DEPTHWISE_3X3_LOAD,            \
                                   TINYCC_DEPTHWISE_3X3_WIDEN)                                               \
    TINYCC_DEFINE_DEPTHWISE_3X3_OF(narrow_##name, outputs, turn, rounding, "5",                              \
                                   TINYCC_DEPTHWISE_3X3_NARROW_LOAD, TINYCC_DEPTHWISE_3X3_NARROW_WIDEN)

#define TINYCC_DEPTHWISE_3X3_RECTIFIED(sum) ""
#define TINYCC_DEPTHWISE_3X3_FULL(sum) "adds " sum ", " sum ", " sum ", asr #31\n\t"

/* clang-format off */
TINYCC_DEFINE_DEPTHWISE_3X3(rectified1, TINYCC_DEPTHWISE_3X3_OUTPUTS1, "3", TINYCC_DEPTHWISE_3X3_RECTIFIED)
TINYCC_DEFINE_DEPTHWISE_3X3(full1, TINYCC_DEPTHWISE_3X3_OUTPUTS1, "3", TINYCC_DEPTHWISE_3X3_FULL)
TINYCC_DEFINE_DEPTHWISE_3X3(rectified2, TINYCC_DEPTHWISE_3X3_OUTPUTS2, "2", TINYCC_DEPTHWISE_3X3_RECTIFIED)
TINYCC_DEFINE_DEPTHWISE_3X3(full2, TINYCC_DEPTHWISE_3X3_OUTPUTS2, "2", TINYCC_DEPTHWISE_3X3_FULL)
/* clang-format on */

#define TINYCC_DEPTHWISE_3X3_RUN(mode, stride, prefix, tile)                                                 \
    do {                                                                                                     \
        if ((mode) == TINYCC_DSP_RECTIFIED && (stride) == 1) {                                               \
            prefix##rectified1(tile);                                                                        \
        } else if ((mode) == TINYCC_DSP_RECTIFIED) {                                                         \
            prefix##rectified2(tile);                                                                        \
        } else if ((stride) == 1) {                                                                          \
            prefix##full1(tile);                                                                             \
        } else {                                                                                             \
            prefix##full2(tile);                                                                             \
        }                                                                                                    \
    } while (0)

/* mode: TINYCC_DSP_RECTIFIED or TINYCC_DSP_FULL. stride: 1 or 2. */
TINYCC_INLINE void tinycc_depthwise_3x3_dsp(const tinycc_depthwise_3x3_dsp_tile *tile, int32_t stride,
                                            tinycc_dsp_mode mode, int is_narrow)
{
    if (is_narrow) {
        TINYCC_DEPTHWISE_3X3_RUN(mode, stride, tinycc_depthwise_3x3_dsp_narrow_, tile);
    } else {
        TINYCC_DEPTHWISE_3X3_RUN(mode, stride, tinycc_depthwise_3x3_dsp_, tile);
    }
}

#else

/* Gathers the columns of a channel. */
TINYCC_INLINE void tinycc_depthwise_3x3_dsp_gather(const tinycc_depthwise_3x3_dsp_tile *tile, int32_t channel)
{
    uint32_t *word = tile->gathered_from;
    int32_t before = tile->input_zero_point;
    for (int32_t i = 0; i < tile->gathered; ++i) {
        const int32_t place = channel + i * tile->channels;
        *word++ = tinycc_dsp_pack(before, tile->rows[2][place]);
        *word++ = tinycc_dsp_pack(tile->rows[0][place], tile->rows[1][place]);
        before = tile->rows[2][place];
    }
    if (tile->gathered > 0) {
        *word = tinycc_dsp_pack(before, tile->input_zero_point);
    }
}

TINYCC_INLINE void tinycc_depthwise_3x3_dsp(const tinycc_depthwise_3x3_dsp_tile *tile, int32_t stride,
                                            tinycc_dsp_mode mode, int is_narrow)
{
    const uint32_t zero_points = tinycc_dsp_pack(tile->input_zero_point, tile->input_zero_point);
    for (int32_t c = 0; c < tile->channels; ++c) {
        const int32_t *constants = tile->constants + 2 * c;
        uint32_t taps[5];
        tinycc_depthwise_dsp_taps(taps, tile->weights + c * tinycc_depthwise_dsp_bytes(9, is_narrow), 9,
                                  is_narrow);
        int32_t bias = constants[0] >> 8;
        if (constants[0] & TINYCC_DEPTHWISE_DSP_CONSTANT) {
            for (int32_t i = 0; i < tile->outputs; ++i) {
                tile->output[i * tile->channels + c] = (int8_t)bias;
            }
            continue;
        }
        for (int32_t k = 0; k < 5; ++k) {
            const uint32_t mask = k < 3 ? tile->pair_mask : tile->last_mask;
            bias = tinycc_dsp_mac(taps[k] & ~mask, zero_points, bias);
            taps[k] &= mask;
        }
        tinycc_depthwise_3x3_dsp_gather(tile, c);
        for (int32_t i = 0; i < tile->outputs; ++i) {
            const uint32_t *column = tile->columns + 2 * i * stride;
            int32_t sum = tinycc_dsp_mac(column[0], taps[0], bias);
            sum = tinycc_dsp_mac(column[2], taps[1], sum);
            sum = tinycc_dsp_mac(column[4], taps[2], sum);
            sum = tinycc_dsp_mac(column[1], taps[3], sum);
            sum = tinycc_dsp_mac(column[5], taps[4], sum);
            sum = tinycc_dsp_rescale(sum, constants[1], constants[0] & 0xFF, tile->output_zero_point,
                                     mode == TINYCC_DSP_RECTIFIED);
            tile->output[i * tile->channels + c] = (int8_t)tinycc_dsp_saturate(sum);
        }
    }
}

#endif

#endif
