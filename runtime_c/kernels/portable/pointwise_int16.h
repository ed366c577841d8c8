/* As pointwise.h, on int16 activations with int8 weights: zero points are 0, sums are 64 bits wide.
 *
 * multiplier has 15 fractional bits. Reference: TFLite's 16x8 specification. */
#ifndef TINYCC_POINTWISE_INT16_H
#define TINYCC_POINTWISE_INT16_H

#include "../shared/wide.h"
#include "pointwise.h"

TINYCC_INLINE void tinycc_pointwise_int16(const int16_t *row, int16_t *out_row, int32_t x0, int32_t x1,
                                          const tinycc_pointwise_shape *shape,
                                          const tinycc_pointwise_data *data)
{
    for (int32_t x = x0; x < x1; ++x) {
        const int16_t *input = row + x * shape->input_channels;
        const int8_t *weights = data->weights;
        int16_t *output = out_row + x * shape->output_channels;
        for (int32_t o = 0; o < shape->output_channels; ++o) {
            int64_t sum = data->bias[o];
            for (int32_t i = 0; i < shape->input_channels; ++i) {
                sum += input[i] * weights[i];
            }
            weights += shape->input_channels;
            const int32_t result = tinycc_requantize_wide(sum, data->multiplier[o], data->shift[o]);
            output[o] = (int16_t)tinycc_clamp(result, data->output_min, data->output_max);
        }
    }
}

#endif
