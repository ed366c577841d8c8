/* Elementwise a + sign * b of quantized tensors.
 *
 * Each input, less its zero point and shifted left, is scaled to a common scale; the sum is scaled to the
 * output's. Aliasing: elements in ascending order, each written once its operands are read; in place over
 * either is right. Reference: TFLite int8 and int16 specification, ADD and SUB. */
#ifndef TINYCC_ADD_H
#define TINYCC_ADD_H

#include "common.h"

/* Strides are in elements, 0 where an input is broadcast. */
typedef struct {
    int32_t channels;
    int32_t a_pixel_stride;
    int32_t a_channel_stride;
    int32_t b_pixel_stride;
    int32_t b_channel_stride;
} tinycc_add_shape;

typedef struct {
    int32_t left_shift;
    int32_t sign;
    int32_t a_zero_point;
    int32_t a_multiplier;
    int32_t a_shift;
    int32_t b_zero_point;
    int32_t b_multiplier;
    int32_t b_shift;
    int32_t output_zero_point;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t output_min;
    int32_t output_max;
} tinycc_add_data;

TINYCC_INLINE int32_t tinycc_add_values(int32_t a, int32_t b, const tinycc_add_data *data)
{
    const int32_t unit = (int32_t)1 << data->left_shift;
    const int32_t scaled_a =
        tinycc_requantize((a - data->a_zero_point) * unit, data->a_multiplier, data->a_shift);
    const int32_t scaled_b =
        tinycc_requantize((b - data->b_zero_point) * unit, data->b_multiplier, data->b_shift);
    const int32_t sum = scaled_a + data->sign * scaled_b;
    const int32_t result = tinycc_requantize(sum, data->output_multiplier, data->output_shift);
    return tinycc_clamp(result + data->output_zero_point, data->output_min, data->output_max);
}

TINYCC_INLINE void tinycc_add_int8(const int8_t *a, const int8_t *b, int8_t *out_row, int32_t x0, int32_t x1,
                                   const tinycc_add_shape *shape, const tinycc_add_data *data)
{
    for (int32_t x = x0; x < x1; ++x) {
        for (int32_t c = 0; c < shape->channels; ++c) {
            const int32_t left = a[x * shape->a_pixel_stride + c * shape->a_channel_stride];
            const int32_t right = b[x * shape->b_pixel_stride + c * shape->b_channel_stride];
            out_row[x * shape->channels + c] = (int8_t)tinycc_add_values(left, right, data);
        }
    }
}

TINYCC_INLINE void tinycc_add_int16(const int16_t *a, const int16_t *b, int16_t *out_row, int32_t x0,
                                    int32_t x1, const tinycc_add_shape *shape, const tinycc_add_data *data)
{
    for (int32_t x = x0; x < x1; ++x) {
        for (int32_t c = 0; c < shape->channels; ++c) {
            const int32_t left = a[x * shape->a_pixel_stride + c * shape->a_channel_stride];
            const int32_t right = b[x * shape->b_pixel_stride + c * shape->b_channel_stride];
            out_row[x * shape->channels + c] = (int16_t)tinycc_add_values(left, right, data);
        }
    }
}

#endif
