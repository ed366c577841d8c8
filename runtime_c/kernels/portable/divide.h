/* Elementwise a / b of quantized tensors, by a reciprocal in fixed point.
 *
 * The dividend is shifted left as far as it goes, and all right shifts happen at once at the end. What is
 * divided by zero saturates; TFLite leaves that undefined. Reference: TFLite int8 specification, DIV. */
#ifndef TINYCC_DIVIDE_H
#define TINYCC_DIVIDE_H

#include "../shared/elementwise.h"
#include "../shared/exponential.h"

typedef tinycc_elementwise_shape tinycc_divide_shape;

typedef struct {
    int32_t a_zero_point;
    int32_t b_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t output_min;
    int32_t output_max;
} tinycc_divide_data;

/* numerator / denominator scaled to the output, without its zero point; the denominator is positive. */
TINYCC_INLINE int32_t tinycc_divide_scaled(int32_t numerator, int32_t denominator,
                                           const tinycc_divide_data *data)
{
    const int32_t zeros = tinycc_leading_zeros((uint32_t)denominator);
    const int32_t fraction = (int32_t)(((uint32_t)denominator << zeros) - 0x80000000u);
    const int32_t inverse = tinycc_one_over_one_plus(fraction);
    const uint32_t magnitude = (uint32_t)(numerator < 0 ? ~numerator : numerator);
    const int32_t headroom = magnitude == 0 ? 31 : tinycc_leading_zeros(magnitude) - 1;
    const int32_t widened = (int32_t)((uint32_t)numerator << headroom);
    const int32_t quotient = tinycc_multiply_high(widened, inverse);
    const int32_t scaled = tinycc_multiply_high(quotient, data->multiplier);
    const int32_t exponent = 31 - zeros + headroom - data->shift;
    if (exponent < 0) {
        return scaled == 0 ? 0 : (scaled < 0 ? -65536 : 65536);
    }
    return exponent > 31 ? 0 : tinycc_divide_by_power(scaled, exponent);
}

TINYCC_INLINE int32_t tinycc_divide_values(int32_t a, int32_t b, const tinycc_divide_data *data)
{
    const int32_t divisor = b - data->b_zero_point;
    const int32_t dividend = divisor < 0 ? data->a_zero_point - a : a - data->a_zero_point;
    int32_t result = dividend == 0 ? 0 : (dividend < 0 ? -65536 : 65536);
    if (divisor != 0) {
        result = tinycc_divide_scaled(dividend, divisor < 0 ? -divisor : divisor, data);
    }
    return tinycc_clamp(result + data->output_zero_point, data->output_min, data->output_max);
}

TINYCC_DEFINE_ELEMENTWISE(divide, int8)

#endif
