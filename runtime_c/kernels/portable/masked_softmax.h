/* Softmax of int8 over those channels of each pixel that a mask leaves; the others are 0.
 *
 * Row x modulo mask_rows of the mask is that of pixel x: bit c % 32 of word c / 32 is set where channel c
 * counts, which some channel of each row does.
 * Aliasing: pixels in ascending order; one is read in full, then element c is written once it is read again.
 * Reference: softmax.h, of the channels that count. */
#ifndef TINYCC_MASKED_SOFTMAX_H
#define TINYCC_MASKED_SOFTMAX_H

#include "softmax.h"

typedef struct {
    int32_t channels;
    int32_t output_bits;
    int32_t requantized;
    int32_t tabled;
    int32_t mask_rows;
} tinycc_masked_softmax_shape;

typedef struct {
    tinycc_softmax_data softmax;
    const uint32_t *mask; /* [mask_rows][words of channels] */
} tinycc_masked_softmax_data;

TINYCC_INLINE int tinycc_mask_is_open(const uint32_t *mask, int32_t c)
{
    return (int)(mask[c >> 5] >> (c & 31)) & 1;
}

TINYCC_INLINE void tinycc_masked_softmax_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                              const tinycc_masked_softmax_shape *shape,
                                              const tinycc_masked_softmax_data *data)
{
    const tinycc_softmax_shape plain = {shape->channels, shape->output_bits, shape->requantized,
                                        shape->tabled};
    const int32_t channels = shape->channels;
    for (int32_t x = x0; x < x1; ++x) {
        const int8_t *pixel = row + x * channels;
        int8_t *output = out_row + x * channels;
        const uint32_t *mask = data->mask + x % shape->mask_rows * ((channels + 31) / 32);
        int32_t maximum = INT8_MIN;
        for (int32_t c = 0; c < channels; ++c) {
            if (tinycc_mask_is_open(mask, c) && pixel[c] > maximum) {
                maximum = pixel[c];
            }
        }
        uint32_t sum = 0;
        for (int32_t c = 0; c < channels; ++c) {
            if (tinycc_mask_is_open(mask, c)) {
                const int32_t exponential = tinycc_softmax_exp(pixel[c], maximum, &plain, &data->softmax);
                sum += ((uint32_t)exponential + 2048) >> 12;
            }
        }
        const tinycc_softmax_inverse inverse = tinycc_softmax_invert(sum, shape->output_bits);
        for (int32_t c = 0; c < channels; ++c) {
            int32_t part = 0;
            if (tinycc_mask_is_open(mask, c)) {
                const int32_t exponential = tinycc_softmax_exp(pixel[c], maximum, &plain, &data->softmax);
                const uint32_t value = (uint32_t)tinycc_round_high_plus(exponential, inverse.factor);
                part = (int32_t)((value + inverse.rounding) >> inverse.exponent);
            }
            output[c] = tinycc_softmax_output_int8(part, shape->requantized, &data->softmax);
        }
    }
}

#endif
