/* Elementwise (a - b) * (a - b) of quantized tensors.
 *
 * Each input, less its zero point and shifted left, is scaled to a common scale; the square of the difference
 * is scaled to the output's.
 * Aliasing: elements in ascending order, each written once its operands are read; in place over either is
 * right. Reference: TFLite int8 and int16 specification, SQUARED_DIFFERENCE. */
#ifndef TINYCC_SQUARED_DIFFERENCE_H
#define TINYCC_SQUARED_DIFFERENCE_H

#include "../shared/elementwise.h"

typedef tinycc_elementwise_shape tinycc_squared_difference_shape;

typedef struct {
    int32_t left_shift;
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
} tinycc_squared_difference_data;

TINYCC_INLINE int32_t tinycc_squared_difference_values(int32_t a, int32_t b,
                                                       const tinycc_squared_difference_data *data)
{
    const int32_t unit = (int32_t)1 << data->left_shift;
    const int32_t scaled_a =
        tinycc_requantize((a - data->a_zero_point) * unit, data->a_multiplier, data->a_shift);
    const int32_t scaled_b =
        tinycc_requantize((b - data->b_zero_point) * unit, data->b_multiplier, data->b_shift);
    const int32_t difference = scaled_a - scaled_b;
    const int32_t result =
        tinycc_requantize(difference * difference, data->output_multiplier, data->output_shift);
    return tinycc_clamp(result + data->output_zero_point, data->output_min, data->output_max);
}

TINYCC_DEFINE_ELEMENTWISE(squared_difference, int8)
TINYCC_DEFINE_ELEMENTWISE(squared_difference, int16)

#endif
