/* As depthwise_conv2d.h, on int16 activations with int8 weights: zero points are 0, sums are 64 bits wide.
 *
 * multiplier has 15 fractional bits. Reference: TFLite's 16x8 specification. */
#ifndef TINYCC_DEPTHWISE_CONV2D_INT16_H
#define TINYCC_DEPTHWISE_CONV2D_INT16_H

#include "../shared/wide.h"
#include "depthwise_conv2d.h"

TINYCC_INLINE void tinycc_depthwise_conv2d_int16(const int16_t *const *rows, int16_t *out_row, int32_t x0,
                                                 int32_t x1, const tinycc_depthwise_conv2d_shape *shape,
                                                 const tinycc_depthwise_conv2d_data *data)
{
    const int32_t output_channels = shape->input_channels * shape->depth_multiplier;
    for (int32_t x = x0; x < x1; ++x) {
        const int32_t left = x * shape->stride_width - shape->pad_left;
        for (int32_t c = 0; c < output_channels; ++c) {
            const int8_t *weights = data->weights + c;
            int64_t sum = data->bias[c];
            for (int32_t j = 0; j < shape->kernel_height; ++j) {
                for (int32_t k = 0; k < shape->kernel_width; ++k) {
                    const int32_t column = left + k * shape->dilation_width;
                    if (rows[j] != NULL && column >= 0 && column < shape->input_width) {
                        sum +=
                            rows[j][column * shape->input_channels + c / shape->depth_multiplier] * *weights;
                    }
                    weights += output_channels;
                }
            }
            const int32_t result = tinycc_requantize_wide(sum, data->multiplier[c], data->shift[c]);
            out_row[x * output_channels + c] =
                (int16_t)tinycc_clamp(result, data->output_min, data->output_max);
        }
    }
}

#endif
