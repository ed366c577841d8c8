/* Gradient of the input of a depthwise convolution, from that of its sums:
 *
 *   out[x][c] = sum_(j,k,o) gradient[oy][ox][o] * w[o][j][k], over the outputs o of channel c
 *
 * where output row oy has row y of the input under kernel row j, and ox has column x under kernel column k;
 * j, k and o ascending. rows: see spread_window.h. Only whole rows are computed. Aliasing: all of the row may
 * be written before anything is read for it. */
#ifndef TINYCC_DEPTHWISE_INPUT_GRADIENT_H
#define TINYCC_DEPTHWISE_INPUT_GRADIENT_H

#include "../shared/spread_window.h"

/* Adds one tap of an output's weights: to every stride-th pixel of the row. */
TINYCC_INLINE void tinycc_depthwise_input_gradient_tap(const float *gradient, float weight, float *output,
                                                       int32_t k, const tinycc_spread_shape *shape)
{
    const int32_t stride = shape->stride_width;
    const int32_t left = k * shape->dilation_width - shape->pad_left;
    const tinycc_range reached =
        tinycc_spread_range(left, stride, shape->gradient_width, shape->output_width);
    TINYCC_UNROLL
    for (int32_t x = reached.begin; x < reached.end; ++x) {
        output[(x * stride + left) * shape->output_channels] +=
            gradient[x * shape->gradient_channels] * weight;
    }
}

TINYCC_INLINE void tinycc_depthwise_input_gradient_float32(const float *const *rows, const int8_t *weights,
                                                           float *out_row, int32_t y, int32_t x0, int32_t x1,
                                                           const tinycc_spread_shape *shape,
                                                           const tinycc_spread_data *data)
{
    const int32_t outputs = shape->gradient_channels / shape->output_channels;
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    (void)x0;
    (void)data;
    memset(out_row, 0, (size_t)(x1 * shape->output_channels) * sizeof(*out_row));
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        const float *row = tinycc_spread_row(rows, y, j, shape);
        if (row == NULL) {
            continue;
        }
        for (int32_t c = 0; c < shape->output_channels; ++c) {
            const int8_t *own = weights + c * outputs * taps + j * shape->kernel_width;
            for (int32_t k = 0; k < shape->kernel_width; ++k) {
                for (int32_t o = 0; o < outputs; ++o) {
                    tinycc_depthwise_input_gradient_tap(row + c * outputs + o, (float)own[o * taps + k],
                                                        out_row + c, k, shape);
                }
            }
        }
    }
}

#endif
