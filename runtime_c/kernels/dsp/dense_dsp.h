/* As pointwise.h for a single pixel, with the DSP extension: four outputs at a time, inputs widened on the
 * way.
 *
 * The matrix is that of dsp_matrix.h with four outputs for two. Aliasing: the input is read anew for every
 * four outputs, which are written thereafter. */
#ifndef TINYCC_DENSE_DSP_H
#define TINYCC_DENSE_DSP_H

#include "dsp.h"

#define TINYCC_DENSE_DSP_BLOCK 4

typedef struct {
    int32_t input_channels;
    int32_t output_channels;
    int32_t mode;    /* tinycc_dsp_mode */
    int32_t is_wide; /* the matrix */
    int32_t is_narrow;
} tinycc_dense_dsp_shape;

typedef tinycc_dsp_data tinycc_dense_dsp_data;

/* sums[k] += the taps of a word of inputs, number `word` of them; returns where the next weights are. */
TINYCC_INLINE const int32_t *tinycc_dense_dsp_word(int32_t *sums, uint32_t input, const int32_t *weights,
                                                   int32_t word, tinycc_dsp_storage storage)
{
    const uint32_t even = tinycc_dsp_even(input);
    const uint32_t odd = input ^ TINYCC_DSP_ODD;
    TINYCC_UNROLL
    for (int32_t k = 0; k < TINYCC_DENSE_DSP_BLOCK; ++k) {
        sums[k] = tinycc_dsp_mac(even, tinycc_dsp_weights(weights + k, word, storage), sums[k]);
        sums[k] = tinycc_dsp_mac(
            odd, tinycc_dsp_odd_weights(weights + k, TINYCC_DENSE_DSP_BLOCK, word, storage), sums[k]);
    }
    return weights + tinycc_dsp_weights_step(TINYCC_DENSE_DSP_BLOCK, word, storage);
}

#if TINYCC_HAS_DSP

/* r8 to r11 of four outputs: words of taps, then (w1, w3) of the same. */
#define TINYCC_DENSE_DSP_STEP(odd_weights)                                                                   \
    "ldr %[odd], [%[x]], #4\n\t"                                                                             \
    "ldmia %[w]!, {r8, r9, r10, r11}\n\t"                                                                    \
    "sxtb16 %[even], %[odd]\n\t"                                                                             \
    "eor %[odd], %[odd], #0x007F007F\n\t"                                                                    \
    "smlad %[s0], %[even], r8, %[s0]\n\t"                                                                    \
    "smlad %[s1], %[even], r9, %[s1]\n\t"                                                                    \
    "smlad %[s2], %[even], r10, %[s2]\n\t"                                                                   \
    "smlad %[s3], %[even], r11, %[s3]\n\t" odd_weights "smlad %[s0], %[odd], r8, %[s0]\n\t"                  \
    "smlad %[s1], %[odd], r9, %[s1]\n\t"                                                                     \
    "smlad %[s2], %[odd], r10, %[s2]\n\t"                                                                    \
    "smlad %[s3], %[odd], r11, %[s3]\n\t"

#define TINYCC_DENSE_DSP_EXTENDED                                                                            \
    "sxtb16 r8, r8\n\t"                                                                                      \
    "sxtb16 r9, r9\n\t"                                                                                      \
    "sxtb16 r10, r10\n\t"                                                                                    \
    "sxtb16 r11, r11\n\t"
#define TINYCC_DENSE_DSP_LOADED "ldmia %[w]!, {r8, r9, r10, r11}\n\t"

#define TINYCC_DENSE_DSP_LOOP(odd_weights)                                                                   \
    __asm__ volatile(TINYCC_DSP_LOOP(TINYCC_DENSE_DSP_STEP(odd_weights))                                     \
                     : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [x] "+r"(input),          \
                       [w] "+r"(weights), [n] "+r"(words), [even] "=&r"(even), [odd] "=&r"(odd)              \
                     :                                                                                       \
                     : "r8", "r9", "r10", "r11", "cc", "memory")

/* A word of inputs, and its products with the lower halves of the bytes of an output's narrow weights; with
 * the upper ones, for which the register of the lower ones holds the mask. */
#define TINYCC_DENSE_DSP_NARROW_INPUT                                                                        \
    "ldr %[odd], [%[x]], #4\n\t"                                                                             \
    "sxtb16 %[even], %[odd]\n\t"                                                                             \
    "eor %[odd], %[odd], #0x007F007F\n\t"
#define TINYCC_DENSE_DSP_LOWER(sum, weights)                                                                 \
    "and %[half], " weights ", #0x0F0F0F0F\n\t"                                                              \
    "smlad " sum ", %[even], %[half], " sum "\n\t"                                                           \
    "sxtb16 %[half], %[half]\n\t"                                                                            \
    "smlad " sum ", %[odd], %[half], " sum "\n\t"
#define TINYCC_DENSE_DSP_UPPER(sum, weights)                                                                 \
    "and " weights ", %[half], " weights ", lsr #4\n\t"                                                      \
    "smlad " sum ", %[even], " weights ", " sum "\n\t"                                                       \
    "sxtb16 " weights ", " weights "\n\t"                                                                    \
    "smlad " sum ", %[odd], " weights ", " sum "\n\t"
#define TINYCC_DENSE_DSP_NARROW_STEP                                                                         \
    "ldmia %[w]!, {r8, r9, r10, r11}\n\t" TINYCC_DENSE_DSP_NARROW_INPUT TINYCC_DENSE_DSP_LOWER(              \
        "%[s0]", "r8") TINYCC_DENSE_DSP_LOWER("%[s1]", "r9") TINYCC_DENSE_DSP_LOWER("%[s2]", "r10")          \
        TINYCC_DENSE_DSP_LOWER("%[s3]", "r11") TINYCC_DENSE_DSP_NARROW_INPUT                                 \
        "mov %[half], #0x0F0F0F0F\n\t" TINYCC_DENSE_DSP_UPPER("%[s0]", "r8")                                 \
            TINYCC_DENSE_DSP_UPPER("%[s1]", "r9") TINYCC_DENSE_DSP_UPPER("%[s2]", "r10")                     \
                TINYCC_DENSE_DSP_UPPER("%[s3]", "r11")

#endif

/* The same for pairs of words and narrow weights. */
TINYCC_INLINE const int32_t *tinycc_dense_dsp_narrow_words(int32_t *sums, const int8_t *input,
                                                           const int32_t *weights, int32_t pairs)
{
#if TINYCC_HAS_DSP
    if (pairs > 0) {
        int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], even, odd = pairs;
        /* Registers are short: where the weights end is kept on the stack, and its own is that of halves. */
        const int32_t *half = weights + TINYCC_DENSE_DSP_BLOCK * pairs;
        __asm__ volatile("str %[half], [sp, #-4]!\n\t"
                         "lsls %[odd], %[odd], #31\n\t"
                         "bne 2f\n\t"
                         "1:\n\t" TINYCC_DENSE_DSP_NARROW_STEP "2:\n\t" TINYCC_DENSE_DSP_NARROW_STEP
                         "ldr %[half], [sp]\n\t"
                         "cmp %[w], %[half]\n\t"
                         "bne 1b\n\t"
                         "add sp, #4\n\t"
                         : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [x] "+r"(input),
                           [w] "+r"(weights), [half] "+r"(half), [odd] "+r"(odd), [even] "=&r"(even)
                         :
                         : "r8", "r9", "r10", "r11", "cc", "memory");
        sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
    }
#else
    for (int32_t i = 0; i < 2 * pairs; ++i) {
        const uint32_t word = tinycc_dsp_load(input + 4 * i);
        weights = tinycc_dense_dsp_word(sums, word, weights, i, TINYCC_DSP_NARROW);
    }
#endif
    return weights;
}

/* The same for `words` words. */
TINYCC_INLINE const int32_t *tinycc_dense_dsp_words(int32_t *sums, const int8_t *input,
                                                    const int32_t *weights, int32_t words,
                                                    tinycc_dsp_storage storage)
{
#if TINYCC_HAS_DSP
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], even, odd;
    if (storage == TINYCC_DSP_WIDE) {
        TINYCC_DENSE_DSP_LOOP(TINYCC_DENSE_DSP_LOADED);
    } else {
        TINYCC_DENSE_DSP_LOOP(TINYCC_DENSE_DSP_EXTENDED);
    }
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
#else
    for (int32_t i = 0; i < words; ++i) {
        weights = tinycc_dense_dsp_word(sums, tinycc_dsp_load(input + 4 * i), weights, i, storage);
    }
#endif
    return weights;
}

/* The same for any number of inputs. */
TINYCC_INLINE const int32_t *tinycc_dense_dsp_inputs(int32_t *sums, const int8_t *input,
                                                     const int32_t *weights, int32_t inputs,
                                                     tinycc_dsp_storage storage)
{
    const int32_t whole = inputs / 4;
    const int32_t rest = inputs % 4;
    if (storage == TINYCC_DSP_NARROW) {
        const int32_t last = inputs % 8;
        weights = tinycc_dense_dsp_narrow_words(sums, input, weights, inputs / 8);
        if (last > 0) {
            uint32_t words[2] = {0, 0};
            memcpy(words, input + inputs - last, (size_t)last);
            weights = tinycc_dense_dsp_word(sums, words[0], weights, 0, storage);
            weights = tinycc_dense_dsp_word(sums, words[1], weights, 1, storage);
        }
        return weights;
    }
    weights = tinycc_dense_dsp_words(sums, input, weights, whole, storage);
    if (rest > 0) {
        uint32_t word = 0;
        memcpy(&word, input + 4 * whole, (size_t)rest);
        weights = tinycc_dense_dsp_word(sums, word, weights, 0, storage);
    }
    return weights;
}

/* What narrow weights add to all sums of these inputs: 256 * 8 times the sum of them, and the constant term
 * of words that are filled up with zeros. */
TINYCC_INLINE int32_t tinycc_dense_dsp_excess(const int8_t *input, int32_t inputs)
{
    const uint32_t words = (uint32_t)tinycc_dsp_words(inputs, TINYCC_DSP_NARROW);
    const uint32_t sign = UINT32_C(0x80808080);
    uint32_t sum = 0;
    int32_t rest = 0;
    int32_t i = 0;
    TINYCC_UNROLL
    for (; i + 4 <= inputs; i += 4) {
        sum = tinycc_dsp_add_bytes(sum, tinycc_dsp_load(input + i) ^ sign);
    }
    for (; i < inputs; ++i) {
        rest += input[i];
    }
    sum += (uint32_t)(rest - 128 * (inputs / 4 * 4));
    return (int32_t)(TINYCC_DSP_NARROW_OFFSET * (256 * sum + 127 * 2 * words));
}

TINYCC_INLINE void tinycc_dense_dsp_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                         const tinycc_dense_dsp_shape *shape,
                                         const tinycc_dense_dsp_data *data)
{
    const tinycc_dsp_storage storage = TINYCC_DSP_STORAGE(shape);
    const int32_t *matrix = data->matrix;
    if (x0 == x1) {
        return;
    }
    const int32_t excess =
        storage == TINYCC_DSP_NARROW ? tinycc_dense_dsp_excess(row, shape->input_channels) : 0;
    for (int32_t o = 0; o < shape->output_channels; o += TINYCC_DENSE_DSP_BLOCK) {
        int32_t sums[TINYCC_DENSE_DSP_BLOCK];
        memcpy(sums, matrix, sizeof sums);
        if (storage == TINYCC_DSP_NARROW) {
            TINYCC_UNROLL
            for (int32_t k = 0; k < TINYCC_DENSE_DSP_BLOCK; ++k) {
                sums[k] = tinycc_dsp_less(sums[k], excess);
            }
        }
        matrix = tinycc_dense_dsp_inputs(sums, row, matrix + TINYCC_DENSE_DSP_BLOCK, shape->input_channels,
                                         storage);
        TINYCC_UNROLL
        for (int32_t k = 0; k < TINYCC_DENSE_DSP_BLOCK; ++k) {
            if (o + k < shape->output_channels) {
                out_row[o + k] =
                    tinycc_dsp_output(sums[k] >> 8, matrix[k], sums[k], data, (tinycc_dsp_mode)shape->mode);
            }
        }
        matrix += TINYCC_DENSE_DSP_BLOCK;
    }
}

/* A layer whose sums may have more than 24 bits, part by part. */
typedef struct {
    int32_t input_channels;
    int32_t output_channels;
    int32_t part; /* inputs that are summed together, a multiple of four */
    int32_t mode; /* tinycc_dsp_mode */
    int32_t is_wide;
} tinycc_dense_parts_dsp_shape;

/* layer.matrix: words of taps alone, of all outputs for each row where the input comes by rows. bias: less
 * what is left of the constant term of dsp.h, with each part rounded down. Padded with zeros to whole blocks.
 */
typedef struct {
    tinycc_dsp_data layer;
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *exponent;
} tinycc_dense_parts_dsp_data;

TINYCC_INLINE void tinycc_dense_parts_dsp_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                               const tinycc_dense_parts_dsp_shape *shape,
                                               const tinycc_dense_parts_dsp_data *data)
{
    const int32_t *weights = data->layer.matrix;
    for (int32_t o = 0; x0 < x1 && o < shape->output_channels; o += TINYCC_DENSE_DSP_BLOCK) {
        int32_t sums[TINYCC_DENSE_DSP_BLOCK];
        memcpy(sums, data->bias + o, sizeof sums);
        for (int32_t i = 0; i < shape->input_channels; i += shape->part) {
            const int32_t left = shape->input_channels - i;
            int32_t part[TINYCC_DENSE_DSP_BLOCK] = {0, 0, 0, 0};
            weights = tinycc_dense_dsp_inputs(part, row + i, weights, left < shape->part ? left : shape->part,
                                              shape->is_wide ? TINYCC_DSP_WIDE : TINYCC_DSP_BYTES);
            TINYCC_UNROLL
            for (int32_t k = 0; k < TINYCC_DENSE_DSP_BLOCK; ++k) {
                sums[k] += part[k] >> 8;
            }
        }
        TINYCC_UNROLL
        for (int32_t k = 0; k < TINYCC_DENSE_DSP_BLOCK; ++k) {
            if (o + k < shape->output_channels) {
                out_row[o + k] = tinycc_dsp_output(sums[k], data->multiplier[o + k], data->exponent[o + k],
                                                   &data->layer, (tinycc_dsp_mode)shape->mode);
            }
        }
    }
}

#endif
