/* The velocity of a layer's bias after a step down the gradient of its sums:
 *
 *   out[o] = next(v[o], decay, (rate * scaling[o]) * sum_p gradient[p][o]), p ascending
 *
 * next: shared/velocity.h. Columns are outputs. Aliasing: output may be the velocity. */
#ifndef TINYCC_BIAS_VELOCITY_H
#define TINYCC_BIAS_VELOCITY_H

#include "../shared/velocity.h"
#include "bias_update.h"

typedef struct {
    int32_t pixels;
    int32_t channels;
} tinycc_bias_velocity_shape;

typedef struct {
    const float *scaling;
} tinycc_bias_velocity_data;

TINYCC_INLINE void tinycc_bias_velocity_float32(const float *gradient, const float *rate, const float *decay,
                                                const float *velocity, float *out_row, int32_t x0, int32_t x1,
                                                const tinycc_bias_velocity_shape *shape,
                                                const tinycc_bias_velocity_data *data)
{
    for (int32_t o = x0; o < x1; ++o) {
        float sum = 0.0f;
        for (int32_t p = 0; p < shape->pixels; ++p) {
            sum += gradient[p * shape->channels + o];
        }
        out_row[o] = tinycc_velocity_float32(velocity[o], *decay, *rate * data->scaling[o] * sum,
                                             (float)TINYCC_BIAS_BOUND);
    }
}

#endif
