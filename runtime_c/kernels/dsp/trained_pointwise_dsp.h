/* As trained_layer.h for windows of one pixel and one group, with the DSP extension: a tile of pixels is
 * widened to int16, less their zero point, and multiplied by the weights of two outputs after the other,
 * which lie as they are and are widened for all pixels of the tile.
 *
 * Four neighbours are two words, (x0, x2) and (x1, x3), as SXTB16 makes them. Aliasing: tiles of pixels in
 * ascending order; all of a tile are read before the outputs of any are written. */
#ifndef TINYCC_TRAINED_POINTWISE_DSP_H
#define TINYCC_TRAINED_POINTWISE_DSP_H

#include "dsp_tile.h"

typedef struct {
    int32_t input_channels;
    int32_t output_channels;
    int32_t mode; /* tinycc_dsp_mode */
} tinycc_trained_pointwise_dsp_shape;

typedef struct {
    const int32_t *multiplier; /* as tinycc_dsp_rescale takes it */
    const int8_t *exponent;
    int8_t input_zero_point;
    int8_t output_zero_point;
    int8_t output_min;
    int8_t output_max;
} tinycc_trained_pointwise_dsp_data;

/* One pixel of a pair. */
TINYCC_INLINE void tinycc_trained_dsp_widen(uint32_t *widened, const int8_t *input, int32_t inputs,
                                            int32_t zero_point)
{
    const uint32_t zero_points = tinycc_dsp_pack(zero_point, zero_point);
    for (int32_t i = 0; i < inputs; i += 4) {
        const uint32_t word = tinycc_dsp_load_part(input + i, inputs - i);
        widened[0] = tinycc_dsp_subtract(tinycc_dsp_even(word), zero_points);
        widened[1] = tinycc_dsp_subtract(tinycc_dsp_odd(word), zero_points);
        widened += 4;
    }
}

#define TINYCC_TRAINED_DSP_STEP                                                                              \
    "ldr %[a], [%[first]], #4\n\t"                                                                           \
    "ldr %[b], [%[second]], #4\n\t"                                                                          \
    "sxtb16 r8, %[a]\n\t"                                                                                    \
    "sxtb16 r9, %[b]\n\t"                                                                                    \
    "sxtb16 r10, %[a], ror #8\n\t"                                                                           \
    "sxtb16 r11, %[b], ror #8\n\t"                                                                           \
    "stmia.w %[x]!, {r8, r9, r10, r11}\n\t"

/* The weights of two outputs; the last word is filled up with zeros. */
TINYCC_INLINE void tinycc_trained_dsp_weights(uint32_t *widened, const int8_t *first, const int8_t *second,
                                              int32_t inputs)
{
    const int32_t rest = inputs % 4;
    int32_t words = inputs / 4;
#if TINYCC_HAS_DSP
    uint32_t a, b;
    __asm__ volatile(TINYCC_DSP_LOOP(TINYCC_TRAINED_DSP_STEP)
                     : [x] "+r"(widened), [first] "+r"(first), [second] "+r"(second), [n] "+r"(words),
                       [a] "=&r"(a), [b] "=&r"(b)
                     :
                     : "r8", "r9", "r10", "r11", "cc", "memory");
#else
    for (; words > 0; --words) {
        widened[0] = tinycc_dsp_even(tinycc_dsp_load(first));
        widened[1] = tinycc_dsp_even(tinycc_dsp_load(second));
        widened[2] = tinycc_dsp_odd(tinycc_dsp_load(first));
        widened[3] = tinycc_dsp_odd(tinycc_dsp_load(second));
        first += 4, second += 4, widened += 4;
    }
#endif
    if (rest > 0) {
        const uint32_t a_word = tinycc_dsp_load_part(first, rest),
                       b_word = tinycc_dsp_load_part(second, rest);
        widened[0] = tinycc_dsp_even(a_word), widened[1] = tinycc_dsp_even(b_word);
        widened[2] = tinycc_dsp_odd(a_word), widened[3] = tinycc_dsp_odd(b_word);
    }
}

/* The outputs of a row of weights. sums: of the first pixel, two apart. */
TINYCC_INLINE void tinycc_trained_dsp_outputs(const int32_t *sums, int8_t *output, int32_t pixels, int32_t o,
                                              const tinycc_trained_pointwise_dsp_shape *shape,
                                              const tinycc_trained_pointwise_dsp_data *data)
{
    const tinycc_dsp_data scaling = {.output_zero_point = data->output_zero_point,
                                     .output_min = data->output_min,
                                     .output_max = data->output_max};
    const int32_t multiplier = data->multiplier[o], exponent = data->exponent[o];
    TINYCC_UNROLL
    for (int32_t p = 0; p < pixels; ++p) {
        output[p * shape->output_channels + o] =
            tinycc_dsp_output(sums[2 * p], multiplier, exponent, &scaling, (tinycc_dsp_mode)shape->mode);
    }
}

/* All outputs of a tile. */
TINYCC_INLINE void tinycc_trained_dsp_tile(const int8_t *input, int32_t pixels, const int8_t *weights,
                                           const int32_t *bias, int8_t *output, uint32_t *scratch,
                                           const tinycc_trained_pointwise_dsp_shape *shape,
                                           const tinycc_trained_pointwise_dsp_data *data)
{
    const int32_t inputs = shape->input_channels, outputs = shape->output_channels;
    const int32_t words = (inputs + 3) / 4, pairs = (pixels + 1) / 2;
    uint32_t *const rows = scratch + 4 * words * pairs;
    int32_t sums[2 * TINYCC_DSP_TILE_PIXELS];
    if (pixels % 2 != 0) {
        memset(scratch + 4 * words * (pairs - 1), 0, (size_t)(4 * words) * sizeof *scratch);
    }
    for (int32_t p = 0; p < pixels; ++p) {
        tinycc_trained_dsp_widen(scratch + p / 2 * 4 * words + p % 2 * 2, input + p * inputs, inputs,
                                 data->input_zero_point);
    }
    for (int32_t o = 0; o < outputs; o += 2) {
        const int32_t next = o + 1 < outputs ? o + 1 : o;
        tinycc_dsp_tile tile = {.x = scratch,
                                .weights = rows,
                                .words = words,
                                .pairs = pairs,
                                .sums = sums,
                                .pitch = 2 * (int32_t)sizeof *sums,
                                .first = bias[o],
                                .second = bias[next]};
        tinycc_trained_dsp_weights(rows, weights + o * inputs, weights + next * inputs, inputs);
        tinycc_dsp_tile_products(&tile);
        tinycc_trained_dsp_outputs(sums, output, pixels, o, shape, data);
        if (next > o) {
            tinycc_trained_dsp_outputs(sums + 1, output, pixels, next, shape, data);
        }
    }
}

/* scratch: two words for every four inputs of a tile's pixels, a whole number of pairs, and four more. */
TINYCC_INLINE void tinycc_trained_pointwise_dsp_int8(const int8_t *input, const int8_t *weights,
                                                     const int32_t *bias, int8_t *out_row, void *scratch,
                                                     int32_t x0, int32_t x1,
                                                     const tinycc_trained_pointwise_dsp_shape *shape,
                                                     const tinycc_trained_pointwise_dsp_data *data)
{
    for (int32_t x = x0; x < x1; x += TINYCC_DSP_TILE_PIXELS) {
        tinycc_trained_dsp_tile(input + x * shape->input_channels, tinycc_min(TINYCC_DSP_TILE_PIXELS, x1 - x),
                                weights, bias, out_row + x * shape->output_channels, (uint32_t *)scratch,
                                shape, data);
    }
}

#endif
