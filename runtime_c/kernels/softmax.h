/* Softmax of int8 over the channels of each pixel.
 *
 *   out[c] = clamp(zero_point + requantize(exp(in[c] - max) / sum_k exp(in[k] - max) in steps of
 * 2**-output_bits))
 *
 * Differences below least_difference give 0 and do not count in the sum.
 * Aliasing: pixels in ascending order; a pixel is read twice in full, then element c is written once it is
 * read. Reference: TFLite int8 specification, SOFTMAX; there output_bits is 8 or 16 and the output's scale
 * one step. */
#ifndef TINYCC_SOFTMAX_H
#define TINYCC_SOFTMAX_H

#include "exponential.h"

typedef struct {
    int32_t channels; /* at most 4096, so that the sum fits 31 bits */
    int32_t output_bits;
} tinycc_softmax_shape;

typedef struct {
    int32_t input_multiplier; /* from differences to Q5.26 */
    int32_t input_shift;
    int32_t least_difference;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
} tinycc_softmax_data;

TINYCC_INLINE int32_t tinycc_softmax_exp(int32_t difference, const tinycc_softmax_data *data)
{
    return tinycc_exp_of_negative(tinycc_requantize(difference, data->input_multiplier, data->input_shift));
}

/* The largest element, and the sum of all exponentials in Q12.19. */
TINYCC_INLINE int32_t tinycc_softmax_sum(const int8_t *pixel, int32_t channels, int32_t *largest,
                                         const tinycc_softmax_data *data)
{
    int32_t maximum = pixel[0];
    for (int32_t c = 1; c < channels; ++c) {
        maximum = pixel[c] > maximum ? pixel[c] : maximum;
    }
    int32_t sum = 0;
    for (int32_t c = 0; c < channels; ++c) {
        const int32_t difference = pixel[c] - maximum;
        if (difference >= data->least_difference) {
            sum += tinycc_divide_by_power(tinycc_softmax_exp(difference, data), 12);
        }
    }
    *largest = maximum;
    return sum;
}

/* One kernel for each output type. */
#define TINYCC_DEFINE_SOFTMAX(output)                                                                        \
    TINYCC_INLINE void tinycc_softmax_int8_##output(const int8_t *row, output##_t *out_row, int32_t x0,      \
                                                    int32_t x1, const tinycc_softmax_shape *shape,           \
                                                    const tinycc_softmax_data *data)                         \
    {                                                                                                        \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const int8_t *pixel = row + x * shape->channels;                                                 \
            int32_t maximum = 0;                                                                             \
            const uint32_t sum = (uint32_t)tinycc_softmax_sum(pixel, shape->channels, &maximum, data);       \
            /* 1 / sum = inverse * 2**(zeros - 12) with inverse in (1/2, 1] */                               \
            const int32_t zeros = tinycc_leading_zeros(sum);                                                 \
            const int32_t inverse = tinycc_one_over_one_plus((int32_t)((sum << zeros) & 0x7fffffffu));       \
            const int32_t exponent = 12 - zeros + 31 - shape->output_bits;                                   \
            for (int32_t c = 0; c < shape->channels; ++c) {                                                  \
                const int32_t difference = pixel[c] - maximum;                                               \
                int32_t value = 0;                                                                           \
                /* beyond 31 bits the quotient is less than a half */                                        \
                if (difference >= data->least_difference && exponent <= 31) {                                \
                    value = tinycc_multiply_high(inverse, tinycc_softmax_exp(difference, data));             \
                    value = tinycc_divide_by_power(value, exponent);                                         \
                }                                                                                            \
                value = tinycc_requantize(value, data->output_multiplier, data->output_shift);               \
                value = tinycc_clamp(value + data->output_zero_point, data->output_min, data->output_max);   \
                out_row[x * shape->channels + c] = (output##_t)value;                                        \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_SOFTMAX(int8)
TINYCC_DEFINE_SOFTMAX(int16)

#undef TINYCC_DEFINE_SOFTMAX

#endif
