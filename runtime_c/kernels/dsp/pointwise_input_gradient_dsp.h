/* As pointwise_input_gradient_int16.h, with the DSP extension: weights of two outputs are one word, made once
 * for all pixels of a tile, and as two gradients that are neighbours are one.
 *
 * What is summed so far lies in the output. Aliasing: tiles of pixels in ascending order, which are written
 * while they are read. */
#ifndef TINYCC_POINTWISE_INPUT_GRADIENT_DSP_H
#define TINYCC_POINTWISE_INPUT_GRADIENT_DSP_H

#include "../portable/pointwise_input_gradient_int16.h"
#include "dsp.h"

/* Pixels of a tile at most, pairs of outputs whose weights are on the stack, inputs that are summed for. */
#define TINYCC_GRADIENT_DSP_TILE 32
#define TINYCC_GRADIENT_DSP_PAIRS 32
#define TINYCC_GRADIENT_DSP_INPUTS 4

typedef tinycc_pointwise_input_gradient_int16_shape tinycc_pointwise_input_gradient_dsp_shape;
typedef tinycc_pointwise_input_gradient_int16_data tinycc_pointwise_input_gradient_dsp_data;

/* pairs[o / 2][i] = (weights[o * pitch + i], those of the next output), for `count` outputs; 0 for what there
 * is none of. */
TINYCC_INLINE void tinycc_gradient_dsp_weights(uint32_t pairs[][TINYCC_GRADIENT_DSP_INPUTS],
                                               const int8_t *weights, int32_t pitch, int32_t inputs,
                                               int32_t count)
{
    for (int32_t o = 0; o < count; o += 2) {
        const uint32_t first = tinycc_dsp_load_part(weights, inputs);
        const uint32_t second = o + 1 < count ? tinycc_dsp_load_part(weights + pitch, inputs) : 0;
        const uint32_t even = tinycc_dsp_even(first), next_even = tinycc_dsp_even(second);
        const uint32_t odd = tinycc_dsp_odd(first), next_odd = tinycc_dsp_odd(second);
        uint32_t *pair = *pairs++;
        pair[0] = tinycc_dsp_pack((int32_t)even, (int32_t)next_even);
        pair[1] = tinycc_dsp_pack((int32_t)odd, (int32_t)next_odd);
        pair[2] = tinycc_dsp_pack_upper(even, next_even);
        pair[3] = tinycc_dsp_pack_upper(odd, next_odd);
        weights += 2 * pitch;
    }
}

#define TINYCC_GRADIENT_DSP_STEP                                                                             \
    "ldr %[a], [%[g]], #4\n\t"                                                                               \
    "ldmia.w %[w]!, {r8, r9, r10, r11}\n\t"                                                                  \
    "smlad %[s0], %[a], r8, %[s0]\n\t"                                                                       \
    "smlad %[s1], %[a], r9, %[s1]\n\t"                                                                       \
    "smlad %[s2], %[a], r10, %[s2]\n\t"                                                                      \
    "smlad %[s3], %[a], r11, %[s3]\n\t"

/* sums[i] += products of `count` gradients of a pixel. */
TINYCC_INLINE void tinycc_gradient_dsp_sums(int32_t *sums, const int16_t *gradient,
                                            uint32_t pairs[][TINYCC_GRADIENT_DSP_INPUTS], int32_t count)
{
    const uint32_t *weights = pairs[0];
    int32_t words = count / 2;
#if TINYCC_HAS_DSP
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], a;
    __asm__ volatile(TINYCC_DSP_LOOP(TINYCC_GRADIENT_DSP_STEP)
                     : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [g] "+r"(gradient),
                       [w] "+r"(weights), [n] "+r"(words), [a] "=&r"(a)
                     :
                     : "r8", "r9", "r10", "r11", "cc", "memory");
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
#else
    for (; words > 0; --words) {
        for (int32_t i = 0; i < TINYCC_GRADIENT_DSP_INPUTS; ++i) {
            sums[i] = tinycc_dsp_mac(tinycc_dsp_load(gradient), *weights++, sums[i]);
        }
        gradient += 2;
    }
#endif
    if (count % 2 != 0) {
        const uint32_t last = tinycc_dsp_pack(*(const tinycc_any_int16 *)gradient, 0);
        TINYCC_UNROLL
        for (int32_t i = 0; i < TINYCC_GRADIENT_DSP_INPUTS; ++i) {
            sums[i] = tinycc_dsp_mac(last, *weights++, sums[i]);
        }
    }
}

/* `inputs` neighbours of a tile, of all of its pixels. */
TINYCC_INLINE void
tinycc_pointwise_input_gradient_dsp_inputs(const int16_t *gradient, const int8_t *weights, int32_t *output,
                                           int32_t pixels, int32_t inputs,
                                           const tinycc_pointwise_input_gradient_dsp_shape *shape)
{
    const int32_t outputs = shape->gradient_channels, pitch = shape->output_channels;
    uint32_t pairs[TINYCC_GRADIENT_DSP_PAIRS][TINYCC_GRADIENT_DSP_INPUTS];
    for (int32_t o = 0; o < outputs; o += 2 * TINYCC_GRADIENT_DSP_PAIRS) {
        const int32_t count = tinycc_min(2 * TINYCC_GRADIENT_DSP_PAIRS, outputs - o);
        const int16_t *values = gradient + o;
        int32_t *place = output;
        tinycc_gradient_dsp_weights(pairs, weights + o * pitch, pitch, inputs, count);
        for (int32_t p = 0; p < pixels; ++p) {
            int32_t sums[TINYCC_GRADIENT_DSP_INPUTS] = {0};
            TINYCC_UNROLL
            for (int32_t i = 0; i < inputs && o > 0; ++i) {
                sums[i] = place[i];
            }
            tinycc_gradient_dsp_sums(sums, values, pairs, count);
            TINYCC_UNROLL
            for (int32_t i = 0; i < inputs; ++i) {
                place[i] = sums[i];
            }
            values += outputs;
            place += pitch;
        }
    }
}

TINYCC_INLINE void
tinycc_pointwise_input_gradient_dsp_int16(const int16_t *gradient, const int8_t *weights, int32_t *out_row,
                                          int32_t x0, int32_t x1,
                                          const tinycc_pointwise_input_gradient_dsp_shape *shape,
                                          const tinycc_pointwise_input_gradient_dsp_data *data)
{
    const int32_t inputs = shape->output_channels;
    const int32_t rest = inputs % TINYCC_GRADIENT_DSP_INPUTS;
    (void)data;
    for (int32_t x = x0; x < x1; x += TINYCC_GRADIENT_DSP_TILE) {
        const int32_t pixels = tinycc_min(TINYCC_GRADIENT_DSP_TILE, x1 - x);
        const int16_t *values = gradient + x * shape->gradient_channels;
        int32_t *output = out_row + x * inputs;
        int32_t i = 0;
        for (; i < inputs - rest; i += TINYCC_GRADIENT_DSP_INPUTS) {
            tinycc_pointwise_input_gradient_dsp_inputs(values, weights + i, output + i, pixels,
                                                       TINYCC_GRADIENT_DSP_INPUTS, shape);
        }
        if (rest > 0) {
            tinycc_pointwise_input_gradient_dsp_inputs(values, weights + i, output + i, pixels, rest, shape);
        }
    }
}

#endif
