/* As pointwise_input_gradient_int16.h, with the DSP extension: gradients of a tile of pixels and weights that
 * are neighbours among a layer's outputs are words of two, which are made once for the whole tile.
 *
 * Aliasing: tiles of pixels in ascending order; all of a tile are read before any of it is written. */
#ifndef TINYCC_POINTWISE_INPUT_GRADIENT_DSP_H
#define TINYCC_POINTWISE_INPUT_GRADIENT_DSP_H

#include "../portable/pointwise_input_gradient_int16.h"
#include "dsp_tile.h"

/* Inputs whose weights are taken apart together. */
#define TINYCC_GRADIENT_DSP_INPUTS 4

typedef tinycc_pointwise_input_gradient_int16_shape tinycc_pointwise_input_gradient_dsp_shape;
typedef tinycc_pointwise_input_gradient_int16_data tinycc_pointwise_input_gradient_dsp_data;

/* A pixel's gradients as those of one of a pair; what fills up the last words is 0. */
TINYCC_INLINE void tinycc_gradient_dsp_pixel(uint32_t *words, const int16_t *gradient, int32_t count)
{
    for (; count >= 4; count -= 4) {
        words[0] = tinycc_dsp_load(gradient);
        words[1] = tinycc_dsp_load(gradient + 2);
        gradient += 4;
        words += 4;
    }
    if (count > 0) {
        int16_t last[4] = {0};
        memcpy(last, gradient, (size_t)count * sizeof *last);
        words[0] = tinycc_dsp_load(last);
        words[1] = tinycc_dsp_load(last + 2);
    }
}

/* (weights[i], those of the next output) for four inputs of two outputs: the first two as words[0] and [1],
 * the others as next[0] and next[1]. */
TINYCC_INLINE void tinycc_gradient_dsp_pairs(uint32_t *words, uint32_t *next, uint32_t first, uint32_t second)
{
    const uint32_t even = tinycc_dsp_even(first), next_even = tinycc_dsp_even(second);
    const uint32_t odd = tinycc_dsp_odd(first), next_odd = tinycc_dsp_odd(second);
    words[0] = tinycc_dsp_pack((int32_t)even, (int32_t)next_even);
    words[1] = tinycc_dsp_pack((int32_t)odd, (int32_t)next_odd);
    next[0] = tinycc_dsp_pack_upper(even, next_even);
    next[1] = tinycc_dsp_pack_upper(odd, next_odd);
}

#define TINYCC_GRADIENT_DSP_STEP                                                                             \
    "ldr %[a], [%[weights]]\n\t"                                                                             \
    "ldr %[b], [%[weights], %[pitch]]\n\t"                                                                   \
    "add %[weights], %[weights], %[pitch], lsl #1\n\t"                                                       \
    "sxtb16 r8, %[a]\n\t"                                                                                    \
    "sxtb16 r9, %[b]\n\t"                                                                                    \
    "sxtb16 %[a], %[a], ror #8\n\t"                                                                          \
    "sxtb16 %[b], %[b], ror #8\n\t"                                                                          \
    "pkhbt r10, r8, r9, lsl #16\n\t"                                                                         \
    "pkhbt r11, %[a], %[b], lsl #16\n\t"                                                                     \
    "strd r10, r11, [%[words]], #8\n\t"                                                                      \
    "pkhtb r10, r9, r8, asr #16\n\t"                                                                         \
    "pkhtb r11, %[b], %[a], asr #16\n\t"                                                                     \
    "strd r10, r11, [%[next]], #8\n\t"

/* Weights of up to four inputs as two pairs of rows of words, the second of which begins at `next`. */
TINYCC_INLINE void tinycc_gradient_dsp_rows(uint32_t *words, uint32_t *next, const int8_t *weights,
                                            int32_t inputs,
                                            const tinycc_pointwise_input_gradient_dsp_shape *shape)
{
    const int32_t pitch = shape->output_channels, outputs = shape->gradient_channels;
    int32_t o = 0;
#if TINYCC_HAS_DSP
    if (inputs == TINYCC_GRADIENT_DSP_INPUTS) {
        int32_t count = outputs / 2;
        uint32_t a, b;
        o = count * 2;
        __asm__ volatile(TINYCC_DSP_LOOP(TINYCC_GRADIENT_DSP_STEP)
                         : [words] "+r"(words), [next] "+r"(next), [weights] "+r"(weights), [n] "+r"(count),
                           [a] "=&r"(a), [b] "=&r"(b)
                         : [pitch] "r"(pitch)
                         : "r8", "r9", "r10", "r11", "cc", "memory");
    }
#endif
    for (; o + 2 <= outputs; o += 2) {
        tinycc_gradient_dsp_pairs(words, next, tinycc_dsp_load_part(weights, inputs),
                                  tinycc_dsp_load_part(weights + pitch, inputs));
        weights += 2 * pitch;
        words += 2;
        next += 2;
    }
    for (; o < (outputs + 3) / 4 * 4; o += 2) {
        const uint32_t first = o < outputs ? tinycc_dsp_load_part(weights, inputs) : 0;
        tinycc_gradient_dsp_pairs(words, next, first, 0);
        words += 2;
        next += 2;
    }
}

/* One or two inputs of a tile. */
TINYCC_INLINE void tinycc_gradient_dsp_sums(tinycc_dsp_tile tile, int32_t *output, int32_t pixels,
                                            int32_t inputs, int32_t pitch)
{
    const uint32_t *const x = tile.x;
    int32_t sums[4];
    tile.sums = output;
    tile.pitch = pitch * (int32_t)sizeof *output;
    tile.pairs = inputs > 1 ? pixels / 2 : 0;
    if (tile.pairs > 0) {
        tinycc_dsp_tile_products(&tile);
    }
    /* What has no neighbour is computed with one that is not written. */
    for (int32_t p = inputs > 1 ? pixels / 2 * 2 : 0; p < pixels; p += 2) {
        tile.x = x + 2 * p * tile.words;
        tile.sums = sums;
        tile.pitch = 2 * (int32_t)sizeof *sums;
        tile.pairs = 1;
        tinycc_dsp_tile_products(&tile);
        for (int32_t k = 0; k < tinycc_min(2, pixels - p) * inputs; ++k) {
            output[(p + k / inputs) * pitch + k % inputs] = sums[k / inputs * 2 + k % inputs];
        }
    }
}

/* All inputs of a tile. */
TINYCC_INLINE void
tinycc_pointwise_input_gradient_dsp_tile(const int16_t *gradient, const int8_t *weights, int32_t *output,
                                         int32_t pixels, uint32_t *scratch,
                                         const tinycc_pointwise_input_gradient_dsp_shape *shape)
{
    const int32_t outputs = shape->gradient_channels, inputs = shape->output_channels;
    const int32_t words = (outputs + 3) / 4, pairs = (pixels + 1) / 2;
    uint32_t *const rows = scratch + 4 * words * pairs;
    tinycc_dsp_tile tile = {.x = scratch, .weights = rows, .words = words};
    if (pixels % 2 != 0) {
        memset(scratch + 4 * words * (pairs - 1), 0, (size_t)(4 * words) * sizeof *scratch);
    }
    for (int32_t p = 0; p < pixels; ++p) {
        tinycc_gradient_dsp_pixel(scratch + p / 2 * 4 * words + p % 2 * 2, gradient + p * outputs, outputs);
    }
    for (int32_t i = 0; i < inputs; i += TINYCC_GRADIENT_DSP_INPUTS) {
        const int32_t count = tinycc_min(TINYCC_GRADIENT_DSP_INPUTS, inputs - i);
        tinycc_gradient_dsp_rows(rows, rows + 4 * words, weights + i, count, shape);
        for (int32_t k = 0; k < count; k += 2) {
            tile.weights = rows + 2 * k * words;
            tinycc_gradient_dsp_sums(tile, output + i + k, pixels, tinycc_min(2, count - k), inputs);
        }
    }
}

/* scratch: two words for every four gradients of a tile's pixels, a whole number of pairs, and eight more. */
TINYCC_INLINE void
tinycc_pointwise_input_gradient_dsp_int16(const int16_t *gradient, const int8_t *weights, int32_t *out_row,
                                          void *scratch, int32_t x0, int32_t x1,
                                          const tinycc_pointwise_input_gradient_dsp_shape *shape,
                                          const tinycc_pointwise_input_gradient_dsp_data *data)
{
    (void)data;
    for (int32_t x = x0; x < x1; x += TINYCC_DSP_TILE_PIXELS) {
        tinycc_pointwise_input_gradient_dsp_tile(
            gradient + x * shape->gradient_channels, weights, out_row + x * shape->output_channels,
            tinycc_min(TINYCC_DSP_TILE_PIXELS, x1 - x), (uint32_t *)scratch, shape);
    }
}

#endif
