/* Gradient of one factor of a product of integers, before it is summed over what that is broadcast to:
 *
 *   out[x][c] = gradient[x][c] * (other[x][c] - zero_point)
 *
 * other is a row of pixels, or one pixel for all, of `channels` elements or of one for all.
 * Aliasing: output may be the gradient; element after element, each is read before it is written. */
#ifndef TINYCC_MULTIPLY_GRADIENT_H
#define TINYCC_MULTIPLY_GRADIENT_H

#include "../shared/common.h"

typedef struct {
    int32_t channels;
    int32_t pixel_step;   /* from a pixel of other to the next, 0 where there is one */
    int32_t channel_step; /* likewise of its channels */
} tinycc_multiply_gradient_shape;

typedef struct {
    int32_t zero_point;
} tinycc_multiply_gradient_data;

TINYCC_INLINE void tinycc_multiply_gradient_float32(const float *gradient, const int8_t *other,
                                                    float *out_row, int32_t x0, int32_t x1,
                                                    const tinycc_multiply_gradient_shape *shape,
                                                    const tinycc_multiply_gradient_data *data)
{
    for (int32_t x = x0; x < x1; ++x) {
        for (int32_t c = 0; c < shape->channels; ++c) {
            const int32_t factor = other[x * shape->pixel_step + c * shape->channel_step] - data->zero_point;
            out_row[x * shape->channels + c] = gradient[x * shape->channels + c] * (float)factor;
        }
    }
}

#endif
