/* Elementwise a + sign * b of quantized tensors.
 *
 * Each input, less its zero point and shifted left, is scaled to a common scale; the sum is scaled to the
 * output's. Aliasing: elements in ascending order, each written once its operands are read; in place over
 * either is right. Reference: TFLite int8 and int16 specification, ADD and SUB. */
#ifndef TINYCC_ADD_H
#define TINYCC_ADD_H

#include "../shared/elementwise.h"

typedef tinycc_elementwise_shape tinycc_add_shape;

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

TINYCC_DEFINE_ELEMENTWISE(add, int8)
TINYCC_DEFINE_ELEMENTWISE(add, int16)

#endif
