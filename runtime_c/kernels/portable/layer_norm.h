/* Layer normalization of int8 over the channels of each pixel.
 *
 *   out[c] = clamp(zero_point + round((in[c] - mean) / sqrt(variance + epsilon) * factor[c] + offset[c]))
 *
 * With n channels, n (in[c] - mean) = n in[c] - sum and n^2 variance = n (sum of squares) - sum^2 are
 * integers, so that nothing is rounded but the inverse root (to 31 bits), its product with the difference (to
 * 20 fraction bits) and the result, halves up.
 * Aliasing: pixels in ascending order; one is read in full, then element c is written once it is read again.
 * Reference: none; TFLite has no such operator. */
#ifndef TINYCC_LAYER_NORM_H
#define TINYCC_LAYER_NORM_H

#include "../shared/common.h"

/* For so many n^2 variance has 38 bits, which leaves room for the fraction bits of epsilon. */
#define TINYCC_LAYER_NORM_MOST_CHANNELS 4096
#define TINYCC_LAYER_NORM_EPSILON_BITS 20
/* Fraction bits of a normalized element. */
#define TINYCC_LAYER_NORM_BITS 20

typedef struct {
    int32_t channels;
} tinycc_layer_norm_shape;

typedef struct {
    const int32_t *factor; /* [channels]; in steps of 2**(TINYCC_LAYER_NORM_BITS - shift) */
    const int64_t *offset; /* [channels]; in steps of 2**-shift, zero point and half for rounding included */
    int64_t epsilon;       /* times channels^2, with fraction bits; at least 1 and less than 2**59 */
    int32_t shift;
} tinycc_layer_norm_data;

/* floor(sqrt(value)), value < 2**62. */
TINYCC_INLINE uint32_t tinycc_layer_norm_root(uint64_t value)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 60; bit != 0; bit >>= 2) {
        const uint64_t next = root + bit;
        root >>= 1;
        if (value >= next) {
            value -= next;
            root += bit;
        }
    }
    return (uint32_t)root;
}

TINYCC_INLINE void tinycc_layer_norm_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                          const tinycc_layer_norm_shape *shape,
                                          const tinycc_layer_norm_data *data)
{
    const int32_t channels = shape->channels;
    for (int32_t x = x0; x < x1; ++x) {
        const int8_t *pixel = row + x * channels;
        int32_t sum = 0;
        int32_t squares = 0;
        for (int32_t c = 0; c < channels; ++c) {
            sum += pixel[c];
            squares += pixel[c] * pixel[c];
        }
        const int64_t whole = (int64_t)channels * squares - (int64_t)sum * sum;
        uint64_t variance = ((uint64_t)whole << TINYCC_LAYER_NORM_EPSILON_BITS) + (uint64_t)data->epsilon;
        /* 1 / sqrt(variance) = inverse * 2**(doublings - 61), inverse in (2**30, 2**31] */
        int32_t doublings = 0;
        while (variance < (uint64_t)1 << 60) {
            variance <<= 2;
            ++doublings;
        }
        const int64_t inverse = (int64_t)(((uint64_t)1 << 61) / tinycc_layer_norm_root(variance));
        const int32_t drop = 61 - doublings - TINYCC_LAYER_NORM_EPSILON_BITS / 2 - TINYCC_LAYER_NORM_BITS;
        for (int32_t c = 0; c < channels; ++c) {
            const int32_t difference = channels * pixel[c] - sum;
            const int32_t normalized = (int32_t)((difference * inverse) >> drop);
            const int64_t result = ((int64_t)normalized * data->factor[c] + data->offset[c]) >> data->shift;
            out_row[x * channels + c] = (int8_t)(result < -128 ? -128 : result > 127 ? 127 : result);
        }
    }
}

#endif
