/* Pixels of int8 divided by their length, the root of the sum of squares of their channels.
 *
 *   out[c] = clamp(zero_point + (in[c] - in_zero_point) / length / output scale)
 *
 * 1 / length is a multiplier and a shift, by five of Newton's steps. Results have `fraction_bits` and are
 * those of TFLite with 7, its output scale of 1 / 128; for other scales they have 15 and are requantized.
 * A pixel without length stays 0.
 * Aliasing: pixels in ascending order; one is read in full, then element c is written once it is read again.
 * Reference: TFLite int8 specification, L2_NORMALIZATION; gemmlowp's fixed-point arithmetic, to the bit. */
#ifndef TINYCC_L2_NORMALIZATION_H
#define TINYCC_L2_NORMALIZATION_H

#include "../shared/exponential.h"

/* For so many the sum of squares fits 32 bits. */
#define TINYCC_L2_NORMALIZATION_MOST_CHANNELS 33025
#define TINYCC_L2_NORMALIZATION_TFLITE_BITS 7
#define TINYCC_L2_NORMALIZATION_FINE_BITS 15

typedef struct {
    int32_t channels;
    int32_t fraction_bits;
} tinycc_l2_normalization_shape;

typedef struct {
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier; /* of results with 15 fraction bits */
    int32_t shift;
} tinycc_l2_normalization_data;

/* Of a positive value, saturated. */
TINYCC_INLINE int32_t tinycc_l2_times_power(int32_t value, int32_t exponent)
{
    return value > INT32_MAX >> exponent ? INT32_MAX : value * (1 << exponent);
}

/* 1 / sqrt(value) = result * 2**(*shift - 31); 1 for a value of 0. */
TINYCC_SHARED int32_t tinycc_l2_inverse_root(int32_t value, int32_t *shift)
{
    if (value <= 1) {
        *shift = 0;
        return INT32_MAX;
    }
    int32_t right = 11;
    while (value >= 1 << 29) {
        value /= 4;
        ++right;
    }
    const int32_t pairs = (tinycc_leading_zeros((uint32_t)value) - 1) / 2 - 1;
    right -= pairs;
    value *= 1 << 2 * pairs;                      /* in [2**27, 2**29) */
    const int32_t half = ((value >> 1) + 1) >> 1; /* Q3.28, like the estimate */
    int32_t estimate = 1 << 28;
    for (int step = 0; step < 5; ++step) {
        const int32_t square = tinycc_multiply_high(estimate, estimate);
        const int32_t cube = tinycc_l2_times_power(tinycc_multiply_high(square, estimate), 6);
        estimate = tinycc_l2_times_power(
            tinycc_multiply_high(3 << 27, estimate) - tinycc_multiply_high(half, cube), 3);
    }
    const int32_t half_of_root_two = 1518500250;
    const int32_t result = tinycc_multiply_high(estimate, half_of_root_two);
    *shift = right < 0 ? 0 : -right;
    return right < 0 ? result * (1 << -right) : result;
}

TINYCC_INLINE void tinycc_l2_normalization_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                                const tinycc_l2_normalization_shape *shape,
                                                const tinycc_l2_normalization_data *data)
{
    const int32_t channels = shape->channels;
    for (int32_t x = x0; x < x1; ++x) {
        const int8_t *pixel = row + x * channels;
        int32_t squares = 0;
        for (int32_t c = 0; c < channels; ++c) {
            const int32_t value = pixel[c] - data->input_zero_point;
            squares += value * value;
        }
        int32_t shift;
        const int32_t inverse = tinycc_l2_inverse_root(squares, &shift);
        for (int32_t c = 0; c < channels; ++c) {
            int32_t result =
                tinycc_requantize(pixel[c] - data->input_zero_point, inverse, shift + shape->fraction_bits);
            if (shape->fraction_bits != TINYCC_L2_NORMALIZATION_TFLITE_BITS) {
                result = tinycc_requantize(result, data->multiplier, data->shift);
            }
            out_row[x * channels + c] =
                (int8_t)tinycc_clamp(result + data->output_zero_point, INT8_MIN, INT8_MAX);
        }
    }
}

#endif
