/* As trained_layer.h for windows of one pixel and one group, with the DSP extension: four pixels at a time
 * are widened to int16, less their zero point, and multiplied by the weights of one output after the other,
 * which stay as they are.
 *
 * Four neighbours are two words, (x0, x2) and (x1, x3): what SXTB16 makes of four weights, too. For every
 * four inputs the first words of all pixels are followed by their second ones. Aliasing: pixels in ascending
 * order, four at a time; all of them are read before the outputs of any are written. */
#ifndef TINYCC_TRAINED_POINTWISE_DSP_H
#define TINYCC_TRAINED_POINTWISE_DSP_H

#include "dsp.h"

/* Pixels that are summed for together. */
#define TINYCC_TRAINED_DSP_PIXELS 4

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

/* One of the pixels. */
TINYCC_INLINE void tinycc_trained_dsp_widen(uint32_t *widened, const int8_t *input, int32_t inputs,
                                            int32_t zero_point)
{
    const uint32_t zero_points = tinycc_dsp_pack(zero_point, zero_point);
    for (int32_t i = 0; i < inputs; i += 4) {
        const uint32_t word = tinycc_dsp_load_part(input + i, inputs - i);
        widened[0] = tinycc_dsp_subtract(tinycc_dsp_even(word), zero_points);
        widened[TINYCC_TRAINED_DSP_PIXELS] = tinycc_dsp_subtract(tinycc_dsp_odd(word), zero_points);
        widened += 2 * TINYCC_TRAINED_DSP_PIXELS;
    }
}

/* sums[p] += products of one word of weights. */
TINYCC_INLINE void tinycc_trained_dsp_step(int32_t *sums, const uint32_t *x, int32_t pixels, uint32_t weights)
{
    const uint32_t even = tinycc_dsp_even(weights), odd = tinycc_dsp_odd(weights);
    TINYCC_UNROLL
    for (int32_t p = 0; p < pixels; ++p) {
        sums[p] = tinycc_dsp_mac(x[p], even, sums[p]);
        sums[p] = tinycc_dsp_mac(x[TINYCC_TRAINED_DSP_PIXELS + p], odd, sums[p]);
    }
}

#define TINYCC_TRAINED_DSP_STEP                                                                              \
    "ldr %[a], [%[w]], #4\n\t"                                                                               \
    "ldmia.w %[x]!, {r8, r9, r10, r11}\n\t"                                                                  \
    "sxtb16 %[b], %[a]\n\t"                                                                                  \
    "smlad %[s0], r8, %[b], %[s0]\n\t"                                                                       \
    "smlad %[s1], r9, %[b], %[s1]\n\t"                                                                       \
    "smlad %[s2], r10, %[b], %[s2]\n\t"                                                                      \
    "smlad %[s3], r11, %[b], %[s3]\n\t"                                                                      \
    "ldmia.w %[x]!, {r8, r9, r10, r11}\n\t"                                                                  \
    "sxtb16 %[b], %[a], ror #8\n\t"                                                                          \
    "smlad %[s0], r8, %[b], %[s0]\n\t"                                                                       \
    "smlad %[s1], r9, %[b], %[s1]\n\t"                                                                       \
    "smlad %[s2], r10, %[b], %[s2]\n\t"                                                                      \
    "smlad %[s3], r11, %[b], %[s3]\n\t"

/* The same for `words` words. */
TINYCC_INLINE void tinycc_trained_dsp_dots(int32_t *sums, const uint32_t *x, int32_t pixels,
                                           const int8_t *weights, int32_t words)
{
#if TINYCC_HAS_DSP
    if (pixels == TINYCC_TRAINED_DSP_PIXELS) {
        int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], a, b;
        __asm__ volatile(TINYCC_DSP_LOOP(TINYCC_TRAINED_DSP_STEP)
                         : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [x] "+r"(x),
                           [w] "+r"(weights), [n] "+r"(words), [a] "=&r"(a), [b] "=&r"(b)
                         :
                         : "r8", "r9", "r10", "r11", "cc", "memory");
        sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
        return;
    }
#endif
    for (int32_t i = 0; i < words; ++i) {
        tinycc_trained_dsp_step(sums, x, pixels, tinycc_dsp_load(weights + 4 * i));
        x += 2 * TINYCC_TRAINED_DSP_PIXELS;
    }
}

/* All outputs of `pixels` neighbours, four or one. */
TINYCC_INLINE void tinycc_trained_dsp_pixels(const int8_t *input, int32_t pixels, const int8_t *weights,
                                             const int32_t *bias, int8_t *output, uint32_t *widened,
                                             const tinycc_trained_pointwise_dsp_shape *shape,
                                             const tinycc_trained_pointwise_dsp_data *data)
{
    const tinycc_dsp_data scaling = {.output_zero_point = data->output_zero_point,
                                     .output_min = data->output_min,
                                     .output_max = data->output_max};
    const int32_t inputs = shape->input_channels, outputs = shape->output_channels;
    const int32_t words = inputs / 4, rest = inputs % 4;
    for (int32_t p = 0; p < pixels; ++p) {
        tinycc_trained_dsp_widen(widened + p, input + p * inputs, inputs, data->input_zero_point);
    }
    for (int32_t o = 0; o < outputs; ++o) {
        int32_t sums[TINYCC_TRAINED_DSP_PIXELS];
        TINYCC_UNROLL
        for (int32_t p = 0; p < pixels; ++p) {
            sums[p] = bias[o];
        }
        tinycc_trained_dsp_dots(sums, widened, pixels, weights, words);
        if (rest > 0) {
            tinycc_trained_dsp_step(sums, widened + 2 * TINYCC_TRAINED_DSP_PIXELS * words, pixels,
                                    tinycc_dsp_load_part(weights + 4 * words, rest));
        }
        weights += inputs;
        TINYCC_UNROLL
        for (int32_t p = 0; p < pixels; ++p) {
            output[p * outputs + o] = tinycc_dsp_output(sums[p], data->multiplier[o], data->exponent[o],
                                                        &scaling, (tinycc_dsp_mode)shape->mode);
        }
    }
}

/* scratch: eight words for every four inputs. */
TINYCC_INLINE void tinycc_trained_pointwise_dsp_int8(const int8_t *input, const int8_t *weights,
                                                     const int32_t *bias, int8_t *out_row, void *scratch,
                                                     int32_t x0, int32_t x1,
                                                     const tinycc_trained_pointwise_dsp_shape *shape,
                                                     const tinycc_trained_pointwise_dsp_data *data)
{
    uint32_t *const widened = (uint32_t *)scratch;
    int32_t x = x0;
    for (; x + TINYCC_TRAINED_DSP_PIXELS <= x1; x += TINYCC_TRAINED_DSP_PIXELS) {
        tinycc_trained_dsp_pixels(input + x * shape->input_channels, TINYCC_TRAINED_DSP_PIXELS, weights, bias,
                                  out_row + x * shape->output_channels, widened, shape, data);
    }
    for (; x < x1; ++x) {
        tinycc_trained_dsp_pixels(input + x * shape->input_channels, 1, weights, bias,
                                  out_row + x * shape->output_channels, widened, shape, data);
    }
}

#endif
