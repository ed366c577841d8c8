/* Products of a matrix of weights with two widened pixels, or with one; see dsp.h.
 *
 * A pair of pixels is `words` groups of four words: even and odd of the first pixel, even and odd of the
 * second. The matrix is [outputs / 2][1 + words + 1][2 outputs]: sums to begin with, words of four taps,
 * multipliers; in mode TINYCC_DSP_LARGE biases stand before those. It is padded with zeros. A wide matrix has
 * after each word of taps (w1, w3) of the same. A narrow one has words of eight taps, and takes a whole
 * number of pairs of words. */
#ifndef TINYCC_DSP_MATRIX_H
#define TINYCC_DSP_MATRIX_H

#include "dsp.h"

/* Words on the stack: for two pixels of 128 inputs, or for two windows of 96 taps that are gathered first. */
#define TINYCC_DSP_STACK_WORDS 128

/* What narrow weights add to the sums of a widened pixel for being 8 more than they should. */
TINYCC_INLINE int32_t tinycc_dsp_excess(const uint32_t *x, int32_t words)
{
    int32_t excess = 0;
    TINYCC_UNROLL_TWICE
    for (int32_t i = 0; i < words; ++i) {
        excess = tinycc_dsp_mac(x[4 * i], TINYCC_DSP_NARROW_OFFSETS, excess);
        excess = tinycc_dsp_mac(x[4 * i + 1], TINYCC_DSP_NARROW_ODD_OFFSETS, excess);
    }
    return excess;
}

#if TINYCC_HAS_DSP

/* One word of taps: two pixels, two outputs. */
#define TINYCC_DSP_STEP_PAIR                                                                                 \
    "ldrd %[a], %[b], [%[w]], #8\n\t"                                                                        \
    "ldmia.w %[x]!, {r8, r9, r10, r11}\n\t"                                                                  \
    "smlad %[s0], r8, %[a], %[s0]\n\t"                                                                       \
    "smlad %[s1], r8, %[b], %[s1]\n\t"                                                                       \
    "smlad %[s2], r10, %[a], %[s2]\n\t"                                                                      \
    "smlad %[s3], r10, %[b], %[s3]\n\t"                                                                      \
    "sxtb16 %[a], %[a]\n\t"                                                                                  \
    "sxtb16 %[b], %[b]\n\t"                                                                                  \
    "smlad %[s0], r9, %[a], %[s0]\n\t"                                                                       \
    "smlad %[s1], r9, %[b], %[s1]\n\t"                                                                       \
    "smlad %[s2], r11, %[a], %[s2]\n\t"                                                                      \
    "smlad %[s3], r11, %[b], %[s3]\n\t"
#define TINYCC_DSP_WIDE_STEP_PAIR                                                                            \
    "ldmia.w %[w]!, {r8, r9, r10, r11}\n\t"                                                                  \
    "ldrd %[a], %[b], [%[x]], #8\n\t"                                                                        \
    "smlad %[s0], %[a], r8, %[s0]\n\t"                                                                       \
    "smlad %[s1], %[a], r9, %[s1]\n\t"                                                                       \
    "smlad %[s0], %[b], r10, %[s0]\n\t"                                                                      \
    "smlad %[s1], %[b], r11, %[s1]\n\t"                                                                      \
    "ldrd %[a], %[b], [%[x]], #8\n\t"                                                                        \
    "smlad %[s2], %[a], r8, %[s2]\n\t"                                                                       \
    "smlad %[s3], %[a], r9, %[s3]\n\t"                                                                       \
    "smlad %[s2], %[b], r10, %[s2]\n\t"                                                                      \
    "smlad %[s3], %[b], r11, %[s3]\n\t"

#define TINYCC_DSP_LOOP_PAIR(step)                                                                           \
    __asm__ volatile(TINYCC_DSP_LOOP(step)                                                                   \
                     : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [x] "+r"(x),              \
                       [w] "+r"(weights), [n] "+r"(words), [a] "=&r"(a), [b] "=&r"(b)                        \
                     :                                                                                       \
                     : "r8", "r9", "r10", "r11", "cc", "memory")

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

/* sums[2 * pixel + output] += taps of a word of two pixels, number `word`, and two outputs. */
TINYCC_INLINE void tinycc_dsp_word_pair(int32_t *sums, const uint32_t *x, const int32_t *weights,
                                        int32_t word, tinycc_dsp_storage storage)
{
    TINYCC_UNROLL
    for (int32_t k = 0; k < 4; ++k) {
        const int32_t *weight = weights + k % 2;
        const uint32_t *pixel = x + k / 2 * 2;
        sums[k] = tinycc_dsp_mac(pixel[0], tinycc_dsp_weights(weight, word, storage), sums[k]);
        sums[k] = tinycc_dsp_mac(pixel[1], tinycc_dsp_odd_weights(weight, 2, word, storage), sums[k]);
    }
}

/* The same for all words; returns where the weights end. */
TINYCC_INLINE const int32_t *tinycc_dsp_dots_pair(int32_t *sums, const uint32_t *x, const int32_t *weights,
                                                  int32_t words, tinycc_dsp_storage storage)
{
#if TINYCC_HAS_DSP
    if (storage != TINYCC_DSP_NARROW) {
        int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], a, b;
        if (storage == TINYCC_DSP_WIDE) {
            TINYCC_DSP_LOOP_PAIR(TINYCC_DSP_WIDE_STEP_PAIR);
        } else {
            TINYCC_DSP_LOOP_PAIR(TINYCC_DSP_STEP_PAIR);
        }
        sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
        return weights;
    }
#endif
    if (storage == TINYCC_DSP_NARROW) {
        for (int32_t i = 0; i < words; i += 2) {
            tinycc_dsp_word_pair(sums, x, weights, 0, storage);
            tinycc_dsp_word_pair(sums, x + 4, weights, 1, storage);
            weights += 2;
            x += 8;
        }
        return weights;
    }
    for (int32_t i = 0; i < words; ++i) {
        tinycc_dsp_word_pair(sums, x, weights, i, storage);
        weights += tinycc_dsp_weights_step(2, i, storage);
        x += 4;
    }
    return weights;
}

/* The same for the first pixel alone: sums[output]. */
TINYCC_INLINE const int32_t *tinycc_dsp_dots_one(int32_t *sums, const uint32_t *x, const int32_t *weights,
                                                 int32_t words, tinycc_dsp_storage storage)
{
#if TINYCC_HAS_DSP
    if (storage != TINYCC_DSP_NARROW) {
        int32_t s0 = sums[0], s1 = sums[1], a, b;
        if (storage == TINYCC_DSP_WIDE) {
            TINYCC_DSP_LOOP_ONE(TINYCC_DSP_WIDE_STEP_ONE);
        } else {
            TINYCC_DSP_LOOP_ONE(TINYCC_DSP_STEP_ONE);
        }
        sums[0] = s0, sums[1] = s1;
        return weights;
    }
#endif
    for (int32_t i = 0; i < words; ++i) {
        for (int32_t k = 0; k < 2; ++k) {
            sums[k] = tinycc_dsp_mac(x[0], tinycc_dsp_weights(weights + k, i, storage), sums[k]);
            sums[k] = tinycc_dsp_mac(x[1], tinycc_dsp_odd_weights(weights + k, 2, i, storage), sums[k]);
        }
        weights += tinycc_dsp_weights_step(2, i, storage);
        x += 4;
    }
    return weights;
}

/* All outputs of a pair of widened pixels, `outputs` apart. */
TINYCC_INLINE void tinycc_dsp_pair(const uint32_t *x, int8_t *output, int32_t words, int32_t outputs,
                                   const tinycc_dsp_data *data, tinycc_dsp_mode mode,
                                   tinycc_dsp_storage storage)
{
    const tinycc_dsp_data local = *data;
    const int32_t *matrix = local.matrix;
    const int32_t first_excess = storage == TINYCC_DSP_NARROW ? tinycc_dsp_excess(x, words) : 0;
    const int32_t second_excess = storage == TINYCC_DSP_NARROW ? tinycc_dsp_excess(x + 2, words) : 0;
    for (int32_t left = outputs; left > 0; left -= 2) {
        int32_t sums[4] = {tinycc_dsp_less(matrix[0], first_excess), tinycc_dsp_less(matrix[1], first_excess),
                           tinycc_dsp_less(matrix[0], second_excess),
                           tinycc_dsp_less(matrix[1], second_excess)};
        matrix = tinycc_dsp_dots_pair(sums, x, matrix + 2, words, storage);
        const int32_t bias = matrix[0], next_bias = matrix[1];
        matrix += mode == TINYCC_DSP_LARGE ? 2 : 0;
        const int32_t multiplier = matrix[0];
        const int8_t first =
            tinycc_dsp_output(tinycc_dsp_value(sums[0], bias, mode), multiplier, sums[0], &local, mode);
        const int8_t second =
            tinycc_dsp_output(tinycc_dsp_value(sums[2], bias, mode), multiplier, sums[2], &local, mode);
        const int32_t next_multiplier = matrix[1];
        const int8_t first_next = tinycc_dsp_output(tinycc_dsp_value(sums[1], next_bias, mode),
                                                    next_multiplier, sums[1], &local, mode);
        const int8_t second_next = tinycc_dsp_output(tinycc_dsp_value(sums[3], next_bias, mode),
                                                     next_multiplier, sums[3], &local, mode);
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
                                  const tinycc_dsp_data *data, tinycc_dsp_mode mode,
                                  tinycc_dsp_storage storage)
{
    const tinycc_dsp_data local = *data;
    const int32_t *matrix = local.matrix;
    const int32_t excess = storage == TINYCC_DSP_NARROW ? tinycc_dsp_excess(x, words) : 0;
    for (int32_t left = outputs; left > 0; left -= 2) {
        int32_t sums[2] = {tinycc_dsp_less(matrix[0], excess), tinycc_dsp_less(matrix[1], excess)};
        matrix = tinycc_dsp_dots_one(sums, x, matrix + 2, words, storage);
        const int32_t values[2] = {tinycc_dsp_value(sums[0], matrix[0], mode),
                                   tinycc_dsp_value(sums[1], matrix[1], mode)};
        matrix += mode == TINYCC_DSP_LARGE ? 2 : 0;
        const int8_t result = tinycc_dsp_output(values[0], matrix[0], sums[0], &local, mode);
        const int8_t next = tinycc_dsp_output(values[1], matrix[1], sums[1], &local, mode);
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
#define TINYCC_DEFINE_DSP_MATRIX(name, mode, storage)                                                        \
    TINYCC_SHARED void tinycc_dsp_pair_##name(const uint32_t *x, int8_t *output, int32_t words,              \
                                              int32_t outputs, const tinycc_dsp_data *data)                  \
    {                                                                                                        \
        tinycc_dsp_pair(x, output, words, outputs, data, mode, storage);                                     \
    }                                                                                                        \
    TINYCC_SHARED void tinycc_dsp_one_##name(const uint32_t *x, int8_t *output, int32_t words,               \
                                             int32_t outputs, const tinycc_dsp_data *data)                   \
    {                                                                                                        \
        tinycc_dsp_one(x, output, words, outputs, data, mode, storage);                                      \
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

TINYCC_DEFINE_DSP_MATRIX(rectified, TINYCC_DSP_RECTIFIED, TINYCC_DSP_BYTES)
TINYCC_DEFINE_DSP_MATRIX(full, TINYCC_DSP_FULL, TINYCC_DSP_BYTES)
TINYCC_DEFINE_DSP_MATRIX(clamped, TINYCC_DSP_CLAMPED, TINYCC_DSP_BYTES)
TINYCC_DEFINE_DSP_MATRIX(large, TINYCC_DSP_LARGE, TINYCC_DSP_BYTES)
TINYCC_DEFINE_DSP_MATRIX(wide_rectified, TINYCC_DSP_RECTIFIED, TINYCC_DSP_WIDE)
TINYCC_DEFINE_DSP_MATRIX(wide_full, TINYCC_DSP_FULL, TINYCC_DSP_WIDE)
TINYCC_DEFINE_DSP_MATRIX(wide_clamped, TINYCC_DSP_CLAMPED, TINYCC_DSP_WIDE)
TINYCC_DEFINE_DSP_MATRIX(narrow_rectified, TINYCC_DSP_RECTIFIED, TINYCC_DSP_NARROW)
TINYCC_DEFINE_DSP_MATRIX(narrow_full, TINYCC_DSP_FULL, TINYCC_DSP_NARROW)
TINYCC_DEFINE_DSP_MATRIX(narrow_clamped, TINYCC_DSP_CLAMPED, TINYCC_DSP_NARROW)

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

/* The room that narrow weights have for inputs and that no inputs fill, of two pixels: nothing. */
TINYCC_INLINE void tinycc_dsp_fill_up(uint32_t *x, int32_t inputs, tinycc_dsp_storage storage)
{
    const int32_t words = (inputs + 3) / 4;
    if (words < tinycc_dsp_words(inputs, storage)) {
        memset(x + 4 * words, 0, 4 * sizeof *x);
    }
}

/* One or two output pixels of widened inputs, whatever their number of outputs. */
TINYCC_INLINE void tinycc_dsp_pixels(const uint32_t *x, int8_t *output, int32_t pixels, int32_t words,
                                     int32_t outputs, const tinycc_dsp_data *data, int32_t mode,
                                     tinycc_dsp_storage storage)
{
    if (mode == TINYCC_DSP_LARGE) {
        tinycc_dsp_pixels_large(x, output, pixels, words, outputs, data);
    } else if (storage == TINYCC_DSP_WIDE) {
        TINYCC_DSP_IN_MODE(mode, tinycc_dsp_pixels_wide, x, output, pixels, words, outputs, data);
    } else if (storage == TINYCC_DSP_NARROW) {
        TINYCC_DSP_IN_MODE(mode, tinycc_dsp_pixels_narrow, x, output, pixels, words, outputs, data);
    } else {
        TINYCC_DSP_IN_MODE(mode, tinycc_dsp_pixels, x, output, pixels, words, outputs, data);
    }
}

#endif
