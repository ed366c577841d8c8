/* Elementwise a * b of quantized tensors.
 *
 *   out = clamp(zero_point + requantize((a - a_zero_point) * (b - b_zero_point)))
 *
 * Aliasing: elements in ascending order, each written once its operands are read; in place over either is
 * right. Reference: TFLite int8 specification, MUL. */
#ifndef TINYCC_MULTIPLY_H
#define TINYCC_MULTIPLY_H

#include "common.h"

/* Strides are in elements, 0 where an input is broadcast. */
typedef struct {
    int32_t channels;
    int32_t a_pixel_stride;
    int32_t a_channel_stride;
    int32_t b_pixel_stride;
    int32_t b_channel_stride;
} tinycc_multiply_shape;

typedef struct {
    int32_t a_zero_point;
    int32_t b_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t output_min;
    int32_t output_max;
} tinycc_multiply_data;

TINYCC_INLINE int32_t tinycc_multiply_values(int32_t a, int32_t b, const tinycc_multiply_data *data)
{
    const int32_t product = (a - data->a_zero_point) * (b - data->b_zero_point);
    const int32_t result = tinycc_requantize(product, data->multiplier, data->shift);
    return tinycc_clamp(result + data->output_zero_point, data->output_min, data->output_max);
}

TINYCC_INLINE void tinycc_multiply_int8(const int8_t *a, const int8_t *b, int8_t *out_row, int32_t x0,
                                        int32_t x1, const tinycc_multiply_shape *shape,
                                        const tinycc_multiply_data *data)
{
    for (int32_t x = x0; x < x1; ++x) {
        for (int32_t c = 0; c < shape->channels; ++c) {
            const int32_t left = a[x * shape->a_pixel_stride + c * shape->a_channel_stride];
            const int32_t right = b[x * shape->b_pixel_stride + c * shape->b_channel_stride];
            out_row[x * shape->channels + c] = (int8_t)tinycc_multiply_values(left, right, data);
        }
    }
}

#endif
