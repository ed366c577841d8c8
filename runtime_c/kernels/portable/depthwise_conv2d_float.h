/* Depthwise convolution of float32: output channel c reads input channel c / depth_multiplier alone.
 *
 *   out[x][c] = clamp(bias[c] + sum_(j,k) in[j][x*stride - pad_left + k*dilation][c / m] * w[j][k][c])
 *
 * rows[j] is the input row under kernel row j, NULL for padding, which adds nothing; a row is
 * [width][channels]. Aliasing: output pixels in ascending order, up to TINYCC_FLOAT_TILE neighbours together;
 * of these channel by channel, each written once all its taps are read. Reference: TFLite float32,
 * DEPTHWISE_CONV_2D. */
#ifndef TINYCC_DEPTHWISE_CONV2D_FLOAT_H
#define TINYCC_DEPTHWISE_CONV2D_FLOAT_H

#include "../shared/float_sums.h"

/* Pixels for which a weight is loaded once. */
#define TINYCC_FLOAT_TILE 4

typedef struct {
    int32_t input_width;
    int32_t input_channels;
    int32_t depth_multiplier;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_width;
    int32_t dilation_width;
    int32_t pad_left;
} tinycc_depthwise_conv2d_float_shape;

typedef struct {
    const float *weights; /* [kernel_height][kernel_width][output channels] */
    const float *bias;
    float output_min;
    float output_max;
} tinycc_depthwise_conv2d_float_data;

/* A channel of `pixels` neighbours. column: of the first tap in the first one's window. */
TINYCC_INLINE void tinycc_depthwise_conv2d_float_channel(const float *const *rows, float *output,
                                                         int32_t column, int32_t pixels,
                                                         tinycc_float_taps inside, int32_t channel,
                                                         const tinycc_depthwise_conv2d_float_shape *shape,
                                                         const tinycc_depthwise_conv2d_float_data *data)
{
    const int32_t channels = shape->input_channels, outputs = channels * shape->depth_multiplier;
    const int32_t first = column * channels + channel / shape->depth_multiplier;
    const int32_t pitch = shape->stride_width * channels, step = shape->dilation_width * channels;
    float sums[TINYCC_FLOAT_TILE];
    TINYCC_UNROLL
    for (int32_t p = 0; p < pixels; ++p) {
        sums[p] = data->bias[channel];
    }
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        const float *weights = data->weights + (j * shape->kernel_width + inside.first) * outputs + channel;
        if (rows[j] == NULL) {
            continue;
        }
        const float *input = rows[j] + first;
        TINYCC_UNROLL
        for (int32_t k = inside.first; k < inside.end; ++k) {
            TINYCC_UNROLL
            for (int32_t p = 0; p < pixels; ++p) {
                sums[p] = TINYCC_MULTIPLY_ADD(input[p * pitch], *weights, sums[p]);
            }
            input += step;
            weights += outputs;
        }
    }
    TINYCC_UNROLL
    for (int32_t p = 0; p < pixels; ++p) {
        output[p * outputs + channel] = tinycc_clamp_float32(sums[p], data->output_min, data->output_max);
    }
}

TINYCC_INLINE void tinycc_depthwise_conv2d_float32(const float *const *rows, float *out_row, int32_t x0,
                                                   int32_t x1,
                                                   const tinycc_depthwise_conv2d_float_shape *shape,
                                                   const tinycc_depthwise_conv2d_float_data *data)
{
    const int32_t outputs = shape->input_channels * shape->depth_multiplier;
    const int32_t reach =
        (TINYCC_FLOAT_TILE - 1) * shape->stride_width + (shape->kernel_width - 1) * shape->dilation_width;
    const tinycc_float_taps all = {0, shape->kernel_width};
    int32_t x = x0;
    while (x < x1) {
        const int32_t left = x * shape->stride_width - shape->pad_left;
        float *output = out_row + x * outputs;
        if (left >= 0 && left + reach < shape->input_width && x + TINYCC_FLOAT_TILE <= x1) {
            for (int32_t c = 0; c < outputs; ++c) {
                tinycc_depthwise_conv2d_float_channel(rows, output, left, TINYCC_FLOAT_TILE, all, c, shape,
                                                      data);
            }
            x += TINYCC_FLOAT_TILE;
        } else {
            const tinycc_float_taps inside =
                tinycc_float_inside(left, shape->kernel_width, shape->dilation_width, shape->input_width);
            const int32_t column = left + inside.first * shape->dilation_width;
            for (int32_t c = 0; c < outputs; ++c) {
                tinycc_depthwise_conv2d_float_channel(rows, output, column, 1, inside, c, shape, data);
            }
            ++x;
        }
    }
}

#endif
