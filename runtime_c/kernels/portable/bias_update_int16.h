/* A layer's bias after a step down the gradient of its sums, which is of integers:
 *
 *   factor = rate * scaling[o] * 2**(exponent + offset)
 *   out[o] = clamp(b[o] - change(factor, sum_p gradient[p][o]), low, high)
 *
 * low is at least -2**30 and high less than 2**30. change: shared/gradient_integers.h.
 * Columns are outputs. Aliasing: output may be the bias. */
#ifndef TINYCC_BIAS_UPDATE_INT16_H
#define TINYCC_BIAS_UPDATE_INT16_H

#include "../shared/gradient_integers.h"
#include "bias_update.h"

/* Elements whose sum is an int32. */
#define TINYCC_BIAS_UPDATE_RUN 65535

typedef tinycc_bias_update_shape tinycc_bias_update_int16_shape;

typedef struct {
    const float *scaling;
    int32_t seed;
    int32_t tensor;
    int32_t low;
    int32_t high;
    int32_t offset;
} tinycc_bias_update_int16_data;

TINYCC_INLINE void tinycc_bias_update_int16(const int16_t *gradient, const float *rate, const int32_t *step,
                                            const int32_t *bias, const int32_t *exponent, int32_t *out_row,
                                            int32_t x0, int32_t x1,
                                            const tinycc_bias_update_int16_shape *shape,
                                            const tinycc_bias_update_int16_data *data)
{
    const uint32_t key = tinycc_update_key(data->seed, *step, data->tensor);
    for (int32_t o = x0; o < x1; ++o) {
        const tinycc_gradient_factor factor =
            tinycc_gradient_factor_of(*rate * data->scaling[o], *exponent + data->offset);
        const int32_t held = tinycc_clamp(bias[o], data->low, data->high);
        int64_t sum = 0;
        for (int32_t p = 0; p < shape->pixels;) {
            const int32_t end = tinycc_min(shape->pixels, p + TINYCC_BIAS_UPDATE_RUN);
            int32_t part = 0;
            TINYCC_UNROLL
            for (; p < end; ++p) {
                part += gradient[p * shape->channels + o];
            }
            sum += part;
        }
        const uint32_t random = tinycc_gradient_random(key, o, shape->is_stochastic);
        const int32_t change = tinycc_gradient_change(factor, sum, TINYCC_BIAS_BOUND, random);
        out_row[o] = tinycc_clamp(held - change, data->low, data->high);
    }
}

#endif
