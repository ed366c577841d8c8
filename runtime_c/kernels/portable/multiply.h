/* Elementwise a * b of quantized tensors.
 *
 *   out = clamp(zero_point + requantize((a - a_zero_point) * (b - b_zero_point)))
 *
 * Aliasing: elements in ascending order, each written once its operands are read; in place over either is
 * right. Reference: TFLite int8 specification, MUL. */
#ifndef TINYCC_MULTIPLY_H
#define TINYCC_MULTIPLY_H

#include "../shared/elementwise.h"

typedef tinycc_elementwise_shape tinycc_multiply_shape;

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

TINYCC_DEFINE_ELEMENTWISE(multiply, int8)
TINYCC_DEFINE_ELEMENTWISE(multiply, int16)

#endif
