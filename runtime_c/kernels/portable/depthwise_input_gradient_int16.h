/* Gradient of integers of the input of a depthwise convolution with an output for each channel, from that of
 * its sums: see depthwise_input_gradient.h.
 *
 * Aliasing: pixels are written in ascending order, while others of the row are read. */
#ifndef TINYCC_DEPTHWISE_INPUT_GRADIENT_INT16_H
#define TINYCC_DEPTHWISE_INPUT_GRADIENT_INT16_H

#include "../shared/any_type.h"
#include "../shared/spread_window.h"

TINYCC_INLINE void tinycc_depthwise_input_gradient_int16(const int16_t *const *rows, const int8_t *weights,
                                                         int32_t *out_row, int32_t y, int32_t x0, int32_t x1,
                                                         const tinycc_spread_shape *shape,
                                                         const tinycc_spread_data *data)
{
    const int32_t channels = shape->output_channels;
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    (void)data;
    for (int32_t x = x0; x < x1; ++x) {
        int32_t *output = out_row + x * channels;
        memset(output, 0, (size_t)channels * sizeof(*output));
        for (int32_t j = 0; j < shape->kernel_height; ++j) {
            const int16_t *row = tinycc_spread_row_int16(rows, y, j, shape);
            for (int32_t k = 0; row != NULL && k < shape->kernel_width; ++k) {
                const int32_t column = tinycc_spread_column(x, k, shape);
                if (column >= 0) {
                    const tinycc_any_int16 *values = row + column * channels;
                    const int8_t *own = weights + j * shape->kernel_width + k;
                    TINYCC_UNROLL_TWICE
                    for (int32_t c = 0; c < channels; ++c) {
                        output[c] += values[c] * own[c * taps];
                    }
                }
            }
        }
    }
}

#endif
