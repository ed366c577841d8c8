/* The velocity of a layer's bias after a step down the gradient of its sums, which is of integers:
 *
 *   factor = rate * scaling[o] * 2**(exponent + offset)
 *   out[o] = next(v[o], decay, factor * sum_p gradient[p][o])
 *
 * next: shared/velocity.h, with the bits of biases behind the point. Columns are outputs. Aliasing: output
 * may be the velocity. */
#ifndef TINYCC_BIAS_VELOCITY_INT16_H
#define TINYCC_BIAS_VELOCITY_INT16_H

#include "bias_velocity.h"

typedef tinycc_bias_velocity_shape tinycc_bias_velocity_int16_shape;

typedef struct {
    const float *scaling;
    int32_t offset;
} tinycc_bias_velocity_int16_data;

TINYCC_INLINE void tinycc_bias_velocity_int16(const int16_t *gradient, const float *rate,
                                              const int32_t *decay, const int32_t *velocity,
                                              const int32_t *exponent, int32_t *out_row, int32_t x0,
                                              int32_t x1, const tinycc_bias_velocity_int16_shape *shape,
                                              const tinycc_bias_velocity_int16_data *data)
{
    for (int32_t o = x0; o < x1; ++o) {
        const tinycc_gradient_factor factor = tinycc_gradient_factor_of(
            *rate * data->scaling[o], *exponent + data->offset + TINYCC_VELOCITY_BIAS_BITS);
        int64_t sum = 0;
        for (int32_t p = 0; p < shape->pixels; ++p) {
            sum += gradient[p * shape->channels + o];
        }
        out_row[o] = tinycc_velocity_int32(velocity[o], *decay, factor, sum);
    }
}

#endif
