/* As bias_update_int16.h for an even number of outputs, with the DSP extension: the gradients of two outputs
 * are a word. No more than TINYCC_BIAS_UPDATE_RUN pixels.
 *
 * Aliasing: as in bias_update_int16.h. */
#ifndef TINYCC_BIAS_UPDATE_DSP_H
#define TINYCC_BIAS_UPDATE_DSP_H

#include "../portable/bias_update_int16.h"
#include "dsp.h"

typedef tinycc_bias_update_int16_shape tinycc_bias_update_dsp_shape;
typedef tinycc_bias_update_int16_data tinycc_bias_update_dsp_data;

/* Factors that take the first and the second of two int16. */
#define TINYCC_BIAS_DSP_FIRST UINT32_C(1)
#define TINYCC_BIAS_DSP_SECOND UINT32_C(0x10000)

TINYCC_INLINE void tinycc_bias_update_dsp_int16(const int16_t *gradient, const float *rate,
                                                const int32_t *step, const int32_t *bias,
                                                const int32_t *exponent, int32_t *out_row, int32_t x0,
                                                int32_t x1, const tinycc_bias_update_dsp_shape *shape,
                                                const tinycc_bias_update_dsp_data *data)
{
    const uint32_t key = tinycc_update_key(data->seed, *step, data->tensor);
    for (int32_t o = x0; o < x1; o += 2) {
        const int16_t *pair = gradient + o;
        int32_t sums[2] = {0};
        TINYCC_UNROLL
        for (int32_t p = 0; p < shape->pixels; ++p) {
            const uint32_t word = tinycc_dsp_load(pair);
            sums[0] = tinycc_dsp_mac(word, TINYCC_BIAS_DSP_FIRST, sums[0]);
            sums[1] = tinycc_dsp_mac(word, TINYCC_BIAS_DSP_SECOND, sums[1]);
            pair += shape->channels;
        }
        for (int32_t k = 0; k < 2; ++k) {
            const tinycc_gradient_factor factor =
                tinycc_gradient_factor_of(*rate * data->scaling[o + k], *exponent + data->offset);
            const int32_t held = tinycc_clamp(bias[o + k], data->low, data->high);
            const uint32_t random = tinycc_gradient_random(key, o + k, shape->is_stochastic);
            const int32_t change = tinycc_gradient_change_int32(factor, sums[k], TINYCC_BIAS_BOUND, random);
            out_row[o + k] = tinycc_clamp(held - change, data->low, data->high);
        }
    }
}

#endif
