/* Logarithm of the softmax of int8 over the channels of each pixel, in steps of 1 / 16.
 *
 *   out[c] = clamp(127 + 16 ((in[c] - max) * scale - log(sum over c of exp((in[c] - max) * scale))))
 *
 * Exponentials are looked up and summed in Q12.19; differences and the logarithm are in Q5.26.
 * Aliasing: pixels in ascending order; one is read in full, then element c is written once it is read again.
 * Reference: TFLite int8 specification, LOG_SOFTMAX; gemmlowp's fixed-point arithmetic, to the bit. */
#ifndef TINYCC_LOG_SOFTMAX_H
#define TINYCC_LOG_SOFTMAX_H

#include "../shared/exponential.h"

/* For so many the sum of exponentials fits Q12.19. */
#define TINYCC_LOG_SOFTMAX_MOST_CHANNELS 4095

typedef struct {
    int32_t channels;
} tinycc_log_softmax_shape;

typedef struct {
    const int32_t *exponentials; /* [most_below + 1], of the differences 0, -1 ... in Q12.19 */
    int32_t most_below;          /* the last difference that has one; less than it they are 0 */
    int32_t multiplier;          /* from differences to Q5.26 */
    int32_t shift;
    int32_t inverse_multiplier; /* and back */
    int32_t inverse_shift;
    int32_t least_difference; /* that Q5.26 holds */
} tinycc_log_softmax_data;

/* value * 2**exponent of a positive value, saturated. */
TINYCC_INLINE int32_t tinycc_log_softmax_widened(int32_t value, int32_t exponent)
{
    return value > INT32_MAX >> exponent ? INT32_MAX : value * (1 << exponent);
}

/* log(x) of x >= 1, Q12.19 to Q5.26: of the power of two that is nearest, and of the quotient, which is near
 * sqrt(sqrt(1/2)), by a rational function. */
TINYCC_SHARED int32_t tinycc_log_softmax_log(int32_t x)
{
    const int32_t root_of_half = 1518500250, root_of_root = 1805811301;
    const int32_t quarter = 1 << 23; /* Q6.25, like powers */
    const int32_t zeros = tinycc_leading_zeros((uint32_t)x);
    const int32_t low = tinycc_multiply_high(x * (1 << (zeros - 1)), root_of_half);
    const int32_t low_quotient = tinycc_log_softmax_widened(low, 1);
    const int32_t low_power = (12 - zeros) * (1 << 25) + quarter;
    const int32_t headroom = tinycc_leading_zeros((uint32_t)tinycc_multiply_high(x, root_of_half)) - 1;
    const int32_t high_quotient = tinycc_log_softmax_widened(x, headroom);
    const int32_t high_power = (12 - headroom) * (1 << 25) - quarter;
    const int32_t quotient = low_quotient < high_quotient ? low_quotient : high_quotient;
    const int32_t power = low_power > high_power ? low_power : high_power;

    const int32_t middle = (int32_t)(((int64_t)quotient + root_of_root + 1) / 2);
    const int32_t distance = 2 * (quotient - root_of_root);
    const int32_t square = tinycc_multiply_high(distance, distance);
    const int32_t cube = tinycc_multiply_high(distance, square);
    const int32_t numerator =
        tinycc_multiply_high(distance, quotient) + tinycc_multiply_high(cube, 117049297);
    const int32_t factor = 1057819769 + distance + tinycc_multiply_high(127690142, square);
    const int32_t denominator =
        tinycc_multiply_high(middle, factor) + tinycc_multiply_high(638450708, distance);
    const int32_t rest =
        tinycc_multiply_high(tinycc_divide_by_power(numerator, 6), tinycc_one_over_one_plus(denominator));
    return tinycc_log_softmax_widened(tinycc_multiply_high(power, 1488522236) + rest, 1);
}

TINYCC_INLINE void tinycc_log_softmax_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                           const tinycc_log_softmax_shape *shape,
                                           const tinycc_log_softmax_data *data)
{
    const int32_t channels = shape->channels;
    for (int32_t x = x0; x < x1; ++x) {
        const int8_t *pixel = row + x * channels;
        int32_t largest = INT8_MIN;
        for (int32_t c = 0; c < channels; ++c) {
            largest = pixel[c] > largest ? pixel[c] : largest;
        }
        int32_t sum = 0;
        for (int32_t c = 0; c < channels; ++c) {
            const int32_t below = largest - pixel[c];
            sum += below <= data->most_below ? data->exponentials[below] : 0;
        }
        const int32_t logarithm = tinycc_log_softmax_log(sum);
        const int32_t held =
            tinycc_requantize(logarithm + INT32_MIN, data->inverse_multiplier, data->inverse_shift);
        const int32_t least = held > data->least_difference - 1 ? held : data->least_difference - 1;
        for (int32_t c = 0; c < channels; ++c) {
            const int32_t difference = pixel[c] - largest;
            int32_t result = INT8_MIN;
            if (difference > least) {
                const int32_t scaled = tinycc_requantize(difference, data->multiplier, data->shift);
                result = INT8_MAX + tinycc_divide_by_power(scaled - logarithm, 22);
            }
            out_row[x * channels + c] = (int8_t)tinycc_clamp(result, INT8_MIN, INT8_MAX);
        }
    }
}

#endif
