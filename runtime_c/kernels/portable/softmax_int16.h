/* Softmax of int16 over the channels of each pixel, by tables of exp(x) on [-10, 0] and 1 / (1 + x) on [0,
 * 1].
 *
 * Aliasing: pixels in ascending order; a pixel is read twice in full, then element c is written once it is
 * read. Reference: TFLite int16 specification, SOFTMAX; there the output's scale is 2**-15 and its zero point
 * 0. */
#ifndef TINYCC_SOFTMAX_INT16_H
#define TINYCC_SOFTMAX_INT16_H

#include "../shared/exponential.h"

typedef struct {
    int32_t channels;
} tinycc_softmax_int16_shape;

typedef struct {
    const int16_t *exponential; /* [513], Q15: exp at 512 steps from -10 to 0 */
    const int16_t *inverse;     /* [513], Q15: 1 / (1 + x) at 512 steps from 0 to 1 */
    int32_t input_multiplier;   /* from differences to 65535 steps of [-10, 0] */
    int32_t input_shift;
    int32_t output_multiplier;
    int32_t output_shift;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
} tinycc_softmax_int16_data;

/* The table at (x + 32768) / 128, linear between entries; x is clamped to int16. */
TINYCC_INLINE int32_t tinycc_softmax_int16_interpolate(int32_t x, const int16_t *table)
{
    const int32_t position = tinycc_clamp(x, -32768, 32767) + 32768;
    const int16_t *entry = table + (position >> 7);
    return entry[0] + (((entry[1] - entry[0]) * (position & 127) + 64) >> 7);
}

TINYCC_INLINE int32_t tinycc_softmax_int16_exp(int32_t difference, const tinycc_softmax_int16_data *data)
{
    const int32_t scaled = tinycc_requantize(difference, data->input_multiplier, data->input_shift);
    return tinycc_softmax_int16_interpolate(scaled + 32767, data->exponential);
}

TINYCC_INLINE void tinycc_softmax_int16_int16(const int16_t *row, int16_t *out_row, int32_t x0, int32_t x1,
                                              const tinycc_softmax_int16_shape *shape,
                                              const tinycc_softmax_int16_data *data)
{
    for (int32_t x = x0; x < x1; ++x) {
        const int16_t *pixel = row + x * shape->channels;
        int32_t maximum = pixel[0];
        for (int32_t c = 1; c < shape->channels; ++c) {
            maximum = pixel[c] > maximum ? pixel[c] : maximum;
        }
        int32_t sum = 0;
        for (int32_t c = 0; c < shape->channels; ++c) {
            sum += tinycc_softmax_int16_exp(pixel[c] - maximum, data);
        }
        /* sum * 2**-15 = (1 + fraction) * 2**(16 - zeros), fraction in steps of 2**-16 */
        const int32_t zeros = tinycc_leading_zeros((uint32_t)sum);
        const int32_t mantissa = (int32_t)((((uint32_t)sum << (zeros - 1)) + (1u << 13)) >> 14);
        const int32_t inverse = tinycc_softmax_int16_interpolate(mantissa - 65536 - 32768, data->inverse);
        const int32_t right = 31 - zeros;
        for (int32_t c = 0; c < shape->channels; ++c) {
            const int32_t product = tinycc_softmax_int16_exp(pixel[c] - maximum, data) * inverse;
            int32_t value = tinycc_clamp((product + ((int32_t)1 << (right - 1))) >> right, 0, 32767);
            value = tinycc_requantize(value, data->output_multiplier, data->output_shift);
            value = tinycc_clamp(value + data->output_zero_point, data->output_min, data->output_max);
            out_row[x * shape->channels + c] = (int16_t)value;
        }
    }
}

#endif
