/* Products of a matrix of weights with two widened pixels, or with one; see dsp.h.
 *
 * A pair of pixels is `words` groups of four words: even and odd of the first pixel, even and odd of the
 * second. The matrix is [outputs / 2][1 + words + 1][2 outputs]: sums to begin with, words of four taps,
 * multipliers. It is padded with zeros. A wide matrix has after each word of taps (w1, w3) of the same. */
#ifndef TINYCC_DSP_MATRIX_H
#define TINYCC_DSP_MATRIX_H

#include "dsp.h"

/* Words on the stack: for two pixels of 128 inputs, or for two windows of 96 taps that are gathered first. */
#define TINYCC_DSP_STACK_WORDS 128

/* sums[2 * pixel + output] += taps of two pixels and two outputs; returns where the weights end. */
TINYCC_INLINE const int32_t *tinycc_dsp_dots_pair(int32_t *sums, const uint32_t *x, const int32_t *weights,
                                                  int32_t words, int is_wide)
{
    for (int32_t i = 0; i < words; ++i) {
        for (int32_t k = 0; k < 4; ++k) {
            const int32_t *weight = weights + k % 2;
            const uint32_t *pixel = x + k / 2 * 2;
            sums[k] = tinycc_dsp_mac(pixel[0], (uint32_t)*weight, sums[k]);
            sums[k] = tinycc_dsp_mac(pixel[1], tinycc_dsp_odd_weights(weight, 2, is_wide), sums[k]);
        }
        weights += is_wide ? 4 : 2;
        x += 4;
    }
    return weights;
}

#if TINYCC_HAS_DSP

/* One word of taps: one pixel, two outputs. */
#define TINYCC_DSP_STEP_ONE                                                                                  \
    "ldrd %[a], %[b], [%[w]], #8\n\t"                                                                        \
    "ldrd r8, r9, [%[x]], #16\n\t"                                                                           \
    "smlad %[s0], r8, %[a], %[s0]\n\t"                                                                       \
    "smlad %[s1], r8, %[b], %[s1]\n\t"                                                                       \
    "sxtb16 %[a], %[a]\n\t"                                                                                  \
    "sxtb16 %[b], %[b]\n\t"                                                                                  \
    "smlad %[s0], r9, %[a], %[s0]\n\t"                                                                       \
    "smlad %[s1], r9, %[b], %[s1]\n\t"
#define TINYCC_DSP_WIDE_STEP_ONE                                                                             \
    "ldmia %[w]!, {r8, r9, r10, r11}\n\t"                                                                    \
    "ldrd %[a], %[b], [%[x]], #16\n\t"                                                                       \
    "smlad %[s0], %[a], r8, %[s0]\n\t"                                                                       \
    "smlad %[s1], %[a], r9, %[s1]\n\t"                                                                       \
    "smlad %[s0], %[b], r10, %[s0]\n\t"                                                                      \
    "smlad %[s1], %[b], r11, %[s1]\n\t"

#define TINYCC_DSP_LOOP_ONE(step)                                                                            \
    __asm__ volatile(TINYCC_DSP_LOOP(step)                                                                   \
                     : [s0] "+r"(s0), [s1] "+r"(s1), [x] "+r"(x), [w] "+r"(weights), [n] "+r"(words),        \
                       [a] "=&r"(a), [b] "=&r"(b)                                                            \
                     :                                                                                       \
                     : "r8", "r9", "r10", "r11", "cc", "memory")

#endif

/* The same for the first pixel alone: sums[output]. */
TINYCC_INLINE const int32_t *tinycc_dsp_dots_one(int32_t *sums, const uint32_t *x, const int32_t *weights,
                                                 int32_t words, int is_wide)
{
#if TINYCC_HAS_DSP
    int32_t s0 = sums[0], s1 = sums[1], a, b;
    if (is_wide) {
        TINYCC_DSP_LOOP_ONE(TINYCC_DSP_WIDE_STEP_ONE);
    } else {
        TINYCC_DSP_LOOP_ONE(TINYCC_DSP_STEP_ONE);
    }
    sums[0] = s0, sums[1] = s1;
#else
    for (int32_t i = 0; i < words; ++i) {
        for (int32_t k = 0; k < 2; ++k) {
            sums[k] = tinycc_dsp_mac(x[0], (uint32_t)weights[k], sums[k]);
            sums[k] = tinycc_dsp_mac(x[1], tinycc_dsp_odd_weights(weights + k, 2, is_wide), sums[k]);
        }
        weights += is_wide ? 4 : 2;
        x += 4;
    }
#endif
    return weights;
}

/* All outputs of a pair of widened pixels, `outputs` apart. */
TINYCC_INLINE void tinycc_dsp_pair(const uint32_t *x, int8_t *output, int32_t words, int32_t outputs,
                                   const tinycc_dsp_data *data, tinycc_dsp_mode mode, int is_wide)
{
    const tinycc_dsp_data local = *data;
    const int32_t *matrix = local.matrix;
    for (int32_t left = outputs; left > 0; left -= 2) {
        int32_t sums[4] = {matrix[0], matrix[1], matrix[0], matrix[1]};
        matrix = tinycc_dsp_dots_pair(sums, x, matrix + 2, words, is_wide);
        const int32_t multiplier = matrix[0];
        const int8_t first = tinycc_dsp_output(sums[0] >> 8, multiplier, sums[0], &local, mode);
        const int8_t second = tinycc_dsp_output(sums[2] >> 8, multiplier, sums[2], &local, mode);
        const int32_t next_multiplier = matrix[1];
        const int8_t first_next = tinycc_dsp_output(sums[1] >> 8, next_multiplier, sums[1], &local, mode);
        const int8_t second_next = tinycc_dsp_output(sums[3] >> 8, next_multiplier, sums[3], &local, mode);
        output[0] = first;
        output[outputs] = second;
        if (left > 1) {
            output[1] = first_next;
            output[outputs + 1] = second_next;
        }
        output += 2;
        matrix += 2;
    }
}

/* All outputs of the first pixel alone. */
TINYCC_INLINE void tinycc_dsp_one(const uint32_t *x, int8_t *output, int32_t words, int32_t outputs,
                                  const tinycc_dsp_data *data, tinycc_dsp_mode mode, int is_wide)
{
    const tinycc_dsp_data local = *data;
    const int32_t *matrix = local.matrix;
    for (int32_t left = outputs; left > 0; left -= 2) {
        int32_t sums[2] = {matrix[0], matrix[1]};
        matrix = tinycc_dsp_dots_one(sums, x, matrix + 2, words, is_wide);
        const int8_t result = tinycc_dsp_output(sums[0] >> 8, matrix[0], sums[0], &local, mode);
        const int8_t next = tinycc_dsp_output(sums[1] >> 8, matrix[1], sums[1], &local, mode);
        output[0] = result;
        if (left > 1) {
            output[1] = next;
        }
        output += 2;
        matrix += 2;
    }
}

/* One function for each mode, which all operators share. tinycc_dsp_pixels_<name> is for one or two pixels.
 */
#define TINYCC_DEFINE_DSP_MATRIX(name, mode, is_wide)                                                        \
    TINYCC_SHARED void tinycc_dsp_pair_##name(const uint32_t *x, int8_t *output, int32_t words,              \
                                              int32_t outputs, const tinycc_dsp_data *data)                  \
    {                                                                                                        \
        tinycc_dsp_pair(x, output, words, outputs, data, mode, is_wide);                                     \
    }                                                                                                        \
    TINYCC_SHARED void tinycc_dsp_one_##name(const uint32_t *x, int8_t *output, int32_t words,               \
                                             int32_t outputs, const tinycc_dsp_data *data)                   \
    {                                                                                                        \
        tinycc_dsp_one(x, output, words, outputs, data, mode, is_wide);                                      \
    }                                                                                                        \
    TINYCC_INLINE void tinycc_dsp_pixels_##name(const uint32_t *x, int8_t *output, int32_t pixels,           \
                                                int32_t words, int32_t outputs, const tinycc_dsp_data *data) \
    {                                                                                                        \
        if (pixels > 1) {                                                                                    \
            tinycc_dsp_pair_##name(x, output, words, outputs, data);                                         \
        } else {                                                                                             \
            tinycc_dsp_one_##name(x, output, words, outputs, data);                                          \
        }                                                                                                    \
    }

TINYCC_DEFINE_DSP_MATRIX(rectified, TINYCC_DSP_RECTIFIED, 0)
TINYCC_DEFINE_DSP_MATRIX(full, TINYCC_DSP_FULL, 0)
TINYCC_DEFINE_DSP_MATRIX(clamped, TINYCC_DSP_CLAMPED, 0)
TINYCC_DEFINE_DSP_MATRIX(wide_rectified, TINYCC_DSP_RECTIFIED, 1)
TINYCC_DEFINE_DSP_MATRIX(wide_full, TINYCC_DSP_FULL, 1)
TINYCC_DEFINE_DSP_MATRIX(wide_clamped, TINYCC_DSP_CLAMPED, 1)

#undef TINYCC_DEFINE_DSP_MATRIX

/* Whole words of inputs, widened into one pixel of a pair. */
TINYCC_INLINE void tinycc_dsp_widen_words(uint32_t *x, const int8_t *input, int32_t words)
{
#if TINYCC_HAS_DSP
    uint32_t a, b, c, d;
    __asm__ volatile("subs %[n], #2\n\t"
                     "blt 2f\n\t"
                     "1:\n\t"
                     "ldr %[a], [%[input]], #4\n\t"
                     "ldr %[c], [%[input]], #4\n\t"
                     "eor %[b], %[a], #0x007F007F\n\t"
                     "eor %[d], %[c], #0x007F007F\n\t"
                     "sxtb16 %[a], %[a]\n\t"
                     "sxtb16 %[c], %[c]\n\t"
                     "strd %[a], %[b], [%[x]], #16\n\t"
                     "strd %[c], %[d], [%[x]], #16\n\t"
                     "subs %[n], #2\n\t"
                     "bge 1b\n\t"
                     "2:\n\t"
                     "adds %[n], #2\n\t"
                     "beq 3f\n\t"
                     "ldr %[a], [%[input]]\n\t"
                     "eor %[b], %[a], #0x007F007F\n\t"
                     "sxtb16 %[a], %[a]\n\t"
                     "strd %[a], %[b], [%[x]]\n\t"
                     "3:\n\t"
                     : [x] "+r"(x), [input] "+r"(input), [n] "+r"(words), [a] "=&r"(a), [b] "=&r"(b),
                       [c] "=&r"(c), [d] "=&r"(d)
                     :
                     : "cc", "memory");
#else
    for (int32_t i = 0; i < words; ++i) {
        const uint32_t word = tinycc_dsp_load(input + 4 * i);
        x[4 * i] = tinycc_dsp_even(word);
        x[4 * i + 1] = word ^ TINYCC_DSP_ODD;
    }
#endif
}

/* `count` inputs widened into one pixel of a pair, the last word filled up; returns where it ends. */
TINYCC_SHARED uint32_t *tinycc_dsp_widen(uint32_t *x, const int8_t *input, int32_t count)
{
    const int32_t words = count >> 2;
    tinycc_dsp_widen_words(x, input, words);
    x += 4 * words;
    if (count & 3) {
        uint32_t word = (uint8_t)input[4 * words];
        for (int32_t i = 1; i < (count & 3); ++i) {
            word |= (uint32_t)(uint8_t)input[4 * words + i] << 8 * i;
        }
        x[0] = tinycc_dsp_even(word);
        x[1] = word ^ TINYCC_DSP_ODD;
        x += 4;
    }
    return x;
}

/* `count` inputs that are padding, widened in the same way. */
TINYCC_SHARED uint32_t *tinycc_dsp_fill(uint32_t *x, int32_t zero_point, int32_t count)
{
    const uint32_t word = ((uint32_t)zero_point & 0xFFU) * UINT32_C(0x01010101);
    for (int32_t i = 0; i < count; i += 4) {
        x[0] = tinycc_dsp_even(word);
        x[1] = word ^ TINYCC_DSP_ODD;
        x += 4;
    }
    return x;
}

/* One or two output pixels of widened inputs, whatever their number of outputs. */
TINYCC_INLINE void tinycc_dsp_pixels(const uint32_t *x, int8_t *output, int32_t pixels, int32_t words,
                                     int32_t outputs, const tinycc_dsp_data *data, int32_t mode, int is_wide)
{
    if (mode == TINYCC_DSP_RECTIFIED && is_wide) {
        tinycc_dsp_pixels_wide_rectified(x, output, pixels, words, outputs, data);
    } else if (mode == TINYCC_DSP_RECTIFIED) {
        tinycc_dsp_pixels_rectified(x, output, pixels, words, outputs, data);
    } else if (mode == TINYCC_DSP_FULL && is_wide) {
        tinycc_dsp_pixels_wide_full(x, output, pixels, words, outputs, data);
    } else if (mode == TINYCC_DSP_FULL) {
        tinycc_dsp_pixels_full(x, output, pixels, words, outputs, data);
    } else if (is_wide) {
        tinycc_dsp_pixels_wide_clamped(x, output, pixels, words, outputs, data);
    } else {
        tinycc_dsp_pixels_clamped(x, output, pixels, words, outputs, data);
    }
}

#endif
