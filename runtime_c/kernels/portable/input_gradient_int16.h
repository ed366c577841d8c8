/* Gradient of integers of the input of a convolution, from that of its sums: see input_gradient.h.
 *
 * Aliasing: pixels are written in ascending order, while others of the row are read. */
#ifndef TINYCC_INPUT_GRADIENT_INT16_H
#define TINYCC_INPUT_GRADIENT_INT16_H

#include "../shared/gradient_sums_int16.h"
#include "../shared/spread_window.h"

/* `count` inputs from i on of a group, of the pixel in column x. */
TINYCC_INLINE void tinycc_input_gradient_block_int16(const int16_t *const *rows, const int8_t *weights,
                                                     int32_t *output, int32_t y, int32_t x, int32_t group,
                                                     int32_t i, int32_t count,
                                                     const tinycc_spread_shape *shape)
{
    const int32_t inputs = shape->output_channels / shape->groups;
    const int32_t outputs = shape->gradient_channels / shape->groups;
    const int32_t pitch = shape->kernel_height * shape->kernel_width * inputs;
    int32_t sums[1][TINYCC_GRADIENT_INPUTS_INT16] = {{0}};
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        const int16_t *row = tinycc_spread_row_int16(rows, y, j, shape);
        for (int32_t k = 0; row != NULL && k < shape->kernel_width; ++k) {
            const int32_t column = tinycc_spread_column(x, k, shape);
            if (column >= 0) {
                tinycc_gradient_sums_int16(
                    sums, 1, count, row + column * shape->gradient_channels + group * outputs, 0,
                    weights + group * outputs * pitch + (j * shape->kernel_width + k) * inputs + i, pitch,
                    outputs);
            }
        }
    }
    TINYCC_UNROLL
    for (int32_t k = 0; k < count; ++k) {
        output[group * inputs + i + k] = sums[0][k];
    }
}

TINYCC_INLINE void tinycc_input_gradient_int16(const int16_t *const *rows, const int8_t *weights,
                                               int32_t *out_row, int32_t y, int32_t x0, int32_t x1,
                                               const tinycc_spread_shape *shape,
                                               const tinycc_spread_data *data)
{
    const int32_t inputs = shape->output_channels / shape->groups;
    const int32_t rest = inputs % TINYCC_GRADIENT_INPUTS_INT16;
    (void)data;
    for (int32_t x = x0; x < x1; ++x) {
        int32_t *output = out_row + x * shape->output_channels;
        for (int32_t group = 0; group < shape->groups; ++group) {
            int32_t i = 0;
            for (; i < inputs - rest; i += TINYCC_GRADIENT_INPUTS_INT16) {
                tinycc_input_gradient_block_int16(rows, weights, output, y, x, group, i,
                                                  TINYCC_GRADIENT_INPUTS_INT16, shape);
            }
            if (rest > 0) {
                tinycc_input_gradient_block_int16(rows, weights, output, y, x, group, i, rest, shape);
            }
        }
    }
}

#endif
