/* Gradient of the input of a depthwise convolution with an output for each channel, from that of its sums:
 *
 *   out[x][c] = sum_(j,k) gradient[oy][ox][c] * w[c][j][k]
 *
 * where output row oy has row y of the input under kernel row j, and ox has column x under kernel column k; j
 * and k ascending, and 0 where there is no such column. rows: see spread_window.h. Sums of a tile of columns
 * stay in registers, as do the gradients that they share. Aliasing: channels of a tile are written in
 * ascending order, while others of the row are read. */
#ifndef TINYCC_DEPTHWISE_INPUT_GRADIENT_H
#define TINYCC_DEPTHWISE_INPUT_GRADIENT_H

#include "../shared/spread_window.h"

/* Columns of a tile at most, whose number is a multiple of the stride. */
#define TINYCC_SPREAD_TILE 8
/* Columns of the gradient that a tile is computed from, at most. */
#define TINYCC_SPREAD_REACH 32

/* Columns [x, x + tile) of one channel. own: its weights. */
TINYCC_INLINE void tinycc_depthwise_input_gradient_tile(const float *const *rows, const int8_t *own,
                                                        float *output, int32_t y, int32_t c, int32_t x,
                                                        int32_t tile, const tinycc_spread_shape *shape)
{
    const int32_t stride = shape->stride_width;
    const int32_t least = shape->pad_left - (shape->kernel_width - 1) * shape->dilation_width;
    const int32_t first = (least < 0 ? least - stride + 1 : least) / stride;
    const int32_t count = (tile - 1 + shape->pad_left) / stride - first + 1;
    float sums[TINYCC_SPREAD_TILE] = {0.0f};
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        const float *row = tinycc_spread_row(rows, y, j, shape);
        float values[TINYCC_SPREAD_REACH];
        if (row == NULL) {
            own += shape->kernel_width;
            continue;
        }
        TINYCC_UNROLL_WHOLLY
        for (int32_t i = 0; i < count; ++i) {
            const int32_t column = x / stride + first + i;
            const int is_one = column >= 0 && column < shape->gradient_width;
            values[i] = is_one ? row[column * shape->gradient_channels + c] : 0.0f;
        }
        TINYCC_UNROLL_WHOLLY
        for (int32_t k = 0; k < shape->kernel_width; ++k) {
            const float weight = (float)*own++;
            TINYCC_UNROLL_WHOLLY
            for (int32_t i = 0; i < tile; ++i) {
                const int32_t place = i + shape->pad_left - k * shape->dilation_width;
                if (place % stride == 0) {
                    sums[i] += values[place / stride - first] * weight;
                }
            }
        }
    }
    TINYCC_UNROLL_WHOLLY
    for (int32_t i = 0; i < tile; ++i) {
        if (x + i < shape->output_width) {
            output[i * shape->output_channels] = sums[i];
        }
    }
}

TINYCC_INLINE void tinycc_depthwise_input_gradient_float32(const float *const *rows, const int8_t *weights,
                                                           float *out_row, int32_t y, int32_t x0, int32_t x1,
                                                           const tinycc_spread_shape *shape,
                                                           const tinycc_spread_data *data)
{
    const int32_t stride = shape->stride_width;
    const int32_t whole = (shape->output_width + stride - 1) / stride * stride;
    const int32_t tile = tinycc_min(TINYCC_SPREAD_TILE / stride * stride, whole);
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    (void)x0;
    (void)data;
    for (int32_t x = 0; x < x1; x += tile) {
        for (int32_t c = 0; c < shape->output_channels; ++c) {
            tinycc_depthwise_input_gradient_tile(
                rows, weights + c * taps, out_row + x * shape->output_channels + c, y, c, x, tile, shape);
        }
    }
}

#endif
