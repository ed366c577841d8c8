/* As conv2d.h, on int16 activations with int8 weights: zero points are 0, sums are 64 bits wide.
 *
 * multiplier has 15 fractional bits. Reference: TFLite's 16x8 specification. */
#ifndef TINYCC_CONV2D_INT16_H
#define TINYCC_CONV2D_INT16_H

#include "../shared/wide.h"
#include "conv2d.h"

TINYCC_INLINE void tinycc_conv2d_int16(const int16_t *const *rows, int16_t *out_row, int32_t x0, int32_t x1,
                                       const tinycc_conv2d_shape *shape, const tinycc_conv2d_data *data)
{
    const int32_t inputs = shape->input_channels / shape->groups;
    const int32_t outputs = shape->output_channels / shape->groups;
    for (int32_t x = x0; x < x1; ++x) {
        const int32_t left = x * shape->stride_width - shape->pad_left;
        const int8_t *weights = data->weights;
        for (int32_t o = 0; o < shape->output_channels; ++o) {
            int64_t sum = data->bias[o];
            for (int32_t j = 0; j < shape->kernel_height; ++j) {
                for (int32_t k = 0; k < shape->kernel_width; ++k) {
                    const int32_t column = left + k * shape->dilation_width;
                    if (rows[j] != NULL && column >= 0 && column < shape->input_width) {
                        const int16_t *input =
                            rows[j] + column * shape->input_channels + o / outputs * inputs;
                        for (int32_t i = 0; i < inputs; ++i) {
                            sum += input[i] * weights[i];
                        }
                    }
                    weights += inputs;
                }
            }
            const int32_t result = tinycc_requantize_wide(sum, data->multiplier[o], data->shift[o]);
            out_row[x * shape->output_channels + o] =
                (int16_t)tinycc_clamp(result, data->output_min, data->output_max);
        }
    }
}

#endif
