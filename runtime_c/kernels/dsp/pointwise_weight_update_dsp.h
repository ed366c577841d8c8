/* As weight_update_int16.h for windows of one pixel and one group, whose sums over all pixels are int32, with
 * the DSP extension: two pixels are a word.
 *
 * Aliasing: as in weight_update_int16.h. */
#ifndef TINYCC_POINTWISE_WEIGHT_UPDATE_DSP_H
#define TINYCC_POINTWISE_WEIGHT_UPDATE_DSP_H

#include "../portable/weight_update_int16.h"
#include "dsp.h"

/* Inputs whose weights are summed for together. */
#define TINYCC_UPDATE_DSP_INPUTS 4

typedef tinycc_weight_update_int16_shape tinycc_pointwise_weight_update_dsp_shape;
typedef tinycc_weight_update_int16_data tinycc_pointwise_weight_update_dsp_data;

/* pairs[p / 2][i] = (input i of pixel p, that of the next), less the zero point; 0 where there is no next. */
TINYCC_INLINE void tinycc_update_dsp_widen(uint32_t *pairs, const int8_t *source, int32_t inputs,
                                           int32_t pixels, int32_t zero_point,
                                           const tinycc_pointwise_weight_update_dsp_shape *shape)
{
    const uint32_t zero_points = tinycc_dsp_pack(zero_point, zero_point);
    const uint32_t nothing = ((uint32_t)zero_point & 0xFFU) * UINT32_C(0x01010101);
    for (int32_t p = 0; p < pixels; p += 2) {
        const uint32_t first = tinycc_dsp_load_part(source, inputs);
        const uint32_t second =
            p + 1 < pixels ? tinycc_dsp_load_part(source + shape->source_channels, inputs) : nothing;
        const uint32_t even = tinycc_dsp_even(first), next_even = tinycc_dsp_even(second);
        const uint32_t odd = tinycc_dsp_odd(first), next_odd = tinycc_dsp_odd(second);
        pairs[0] = tinycc_dsp_subtract(tinycc_dsp_pack((int32_t)even, (int32_t)next_even), zero_points);
        pairs[1] = tinycc_dsp_subtract(tinycc_dsp_pack((int32_t)odd, (int32_t)next_odd), zero_points);
        pairs[2] = tinycc_dsp_subtract(tinycc_dsp_pack_upper(even, next_even), zero_points);
        pairs[3] = tinycc_dsp_subtract(tinycc_dsp_pack_upper(odd, next_odd), zero_points);
        pairs += TINYCC_UPDATE_DSP_INPUTS;
        source += 2 * shape->source_channels;
    }
}

#define TINYCC_UPDATE_DSP_STEP                                                                               \
    "ldrh %[a], [%[g]]\n\t"                                                                                  \
    "ldrh r11, [%[g], %[pitch]]\n\t"                                                                         \
    "add %[g], %[g], %[pitch], lsl #1\n\t"                                                                   \
    "pkhbt %[a], %[a], r11, lsl #16\n\t"                                                                     \
    "ldmia.w %[x]!, {r8, r9, r10, r11}\n\t"                                                                  \
    "smlad %[s0], %[a], r8, %[s0]\n\t"                                                                       \
    "smlad %[s1], %[a], r9, %[s1]\n\t"                                                                       \
    "smlad %[s2], %[a], r10, %[s2]\n\t"                                                                      \
    "smlad %[s3], %[a], r11, %[s3]\n\t"

/* The sums of one output. */
TINYCC_INLINE void tinycc_update_dsp_sums(int32_t *sums, const int16_t *gradient, const uint32_t *pairs,
                                          int32_t pixels, int32_t pitch)
{
#if TINYCC_HAS_DSP
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], words = pixels / 2, a;
    const int32_t bytes = 2 * pitch;
    __asm__ volatile(TINYCC_DSP_LOOP(TINYCC_UPDATE_DSP_STEP)
                     : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [g] "+r"(gradient),
                       [x] "+r"(pairs), [n] "+r"(words), [a] "=&r"(a)
                     : [pitch] "r"(bytes)
                     : "r8", "r9", "r10", "r11", "cc", "memory");
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
#else
    for (int32_t p = 0; p + 2 <= pixels; p += 2) {
        const uint32_t pair = tinycc_dsp_pack(gradient[0], gradient[pitch]);
        TINYCC_UNROLL
        for (int32_t i = 0; i < TINYCC_UPDATE_DSP_INPUTS; ++i) {
            sums[i] = tinycc_dsp_mac(pair, *pairs++, sums[i]);
        }
        gradient += 2 * pitch;
    }
#endif
    if (pixels % 2 != 0) {
        TINYCC_UNROLL
        for (int32_t i = 0; i < TINYCC_UPDATE_DSP_INPUTS; ++i) {
            sums[i] = tinycc_dsp_mac((uint16_t)gradient[0], *pairs++, sums[i]);
        }
    }
}

/* Weights of inputs [i, i + inputs). */
TINYCC_INLINE void tinycc_update_dsp_inputs(const tinycc_weight_update_int16_operands *operands,
                                            uint32_t *pairs, int32_t i, int32_t inputs,
                                            const tinycc_pointwise_weight_update_dsp_shape *shape,
                                            const tinycc_pointwise_weight_update_dsp_data *data)
{
    const int32_t pixels = shape->gradient_height * shape->gradient_width;
    tinycc_update_dsp_widen(pairs, operands->source + i, inputs, pixels, data->zero_point, shape);
    for (int32_t o = 0; o < shape->gradient_channels; ++o) {
        const tinycc_gradient_factor factor =
            tinycc_gradient_factor_of(operands->rate * data->scaling[o], operands->exponent + data->offset);
        int32_t sums[TINYCC_UPDATE_DSP_INPUTS] = {0};
        tinycc_update_dsp_sums(sums, operands->gradient + o, pairs, pixels, shape->gradient_channels);
        TINYCC_UNROLL
        for (int32_t k = 0; k < inputs; ++k) {
            tinycc_weight_update_int16_change(operands, factor, sums[k], o * shape->inputs + i + k,
                                              shape->is_stochastic, data->low);
        }
    }
}

/* scratch: four words for every two pixels. */
TINYCC_INLINE void
tinycc_pointwise_weight_update_dsp_int16(const int16_t *gradient, const int8_t *source, const float *rate,
                                         const int32_t *step, const int8_t *weights, const int32_t *exponent,
                                         int8_t *out_row, void *scratch, int32_t x0, int32_t x1,
                                         const tinycc_pointwise_weight_update_dsp_shape *shape,
                                         const tinycc_pointwise_weight_update_dsp_data *data)
{
    const int32_t inputs = shape->trained_inputs, rest = inputs % TINYCC_UPDATE_DSP_INPUTS;
    const tinycc_weight_update_int16_operands operands = {
        gradient, source, out_row, *rate, *exponent, tinycc_update_key(data->seed, *step, data->tensor)};
    int32_t i = 0;
    (void)x0;
    if (out_row != weights) {
        memmove(out_row, weights, (size_t)(x1 * shape->inputs));
    }
    for (; i < inputs - rest; i += TINYCC_UPDATE_DSP_INPUTS) {
        tinycc_update_dsp_inputs(&operands, (uint32_t *)scratch, i, TINYCC_UPDATE_DSP_INPUTS, shape, data);
    }
    if (rest > 0) {
        tinycc_update_dsp_inputs(&operands, (uint32_t *)scratch, i, rest, shape, data);
    }
}

#endif
