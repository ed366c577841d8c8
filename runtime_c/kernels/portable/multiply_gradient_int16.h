/* Gradient of one factor of a product of integers, itself of integers: see multiply_gradient.h.
 *
 * Aliasing: output must not overlap the gradient. */
#ifndef TINYCC_MULTIPLY_GRADIENT_INT16_H
#define TINYCC_MULTIPLY_GRADIENT_INT16_H

#include "multiply_gradient.h"

TINYCC_INLINE void tinycc_multiply_gradient_int16(const int16_t *gradient, const int8_t *other,
                                                  int32_t *out_row, int32_t x0, int32_t x1,
                                                  const tinycc_multiply_gradient_shape *shape,
                                                  const tinycc_multiply_gradient_data *data)
{
    for (int32_t x = x0; x < x1; ++x) {
        for (int32_t c = 0; c < shape->channels; ++c) {
            const int32_t factor = other[x * shape->pixel_step + c * shape->channel_step] - data->zero_point;
            out_row[x * shape->channels + c] = gradient[x * shape->channels + c] * factor;
        }
    }
}

#endif
