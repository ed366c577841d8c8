/* 1x1 convolution with stride 1, and dense layers, of float32.
 *
 *   out[x][o] = clamp(bias[o] + sum_i in[x][i] * w[o][i])
 *
 * Rows are [pixels][channels]. Sums are taken as float_sums.h has it. Aliasing: pixels in ascending order, up
 * to TINYCC_FLOAT_PIXELS neighbours together; their channels are written while they are read.
 * Reference: TFLite float32, CONV_2D and FULLY_CONNECTED. */
#ifndef TINYCC_POINTWISE_FLOAT_H
#define TINYCC_POINTWISE_FLOAT_H

#include "../shared/float_sums.h"

typedef struct {
    int32_t input_channels;
    int32_t output_channels;
} tinycc_pointwise_float_shape;

typedef struct {
    const float *weights; /* blocks of outputs [inputs][outputs] */
    const float *bias;
    float output_min;
    float output_max;
} tinycc_pointwise_float_data;

TINYCC_INLINE void tinycc_pointwise_float_block(const float *input, float *output, int32_t pixels, int32_t o,
                                                int32_t outputs, const tinycc_pointwise_float_shape *shape,
                                                const tinycc_pointwise_float_data *data)
{
    const int32_t inputs = shape->input_channels;
    float sums[TINYCC_FLOAT_PIXELS][TINYCC_FLOAT_OUTPUTS];
    tinycc_float_sums_begin(sums, pixels, outputs, data->bias + o);
    tinycc_float_sums(sums, pixels, outputs, input, inputs, data->weights + o * inputs, outputs, inputs);
    tinycc_float_sums_end(sums, pixels, outputs, output + o, shape->output_channels, data->output_min,
                          data->output_max);
}

TINYCC_INLINE void tinycc_pointwise_float_pixels(const float *input, float *output, int32_t pixels,
                                                 const tinycc_pointwise_float_shape *shape,
                                                 const tinycc_pointwise_float_data *data)
{
    const int32_t rest = shape->output_channels % TINYCC_FLOAT_OUTPUTS;
    int32_t o = 0;
    for (; o < shape->output_channels - rest; o += TINYCC_FLOAT_OUTPUTS) {
        tinycc_pointwise_float_block(input, output, pixels, o, TINYCC_FLOAT_OUTPUTS, shape, data);
    }
    if (rest > 0) {
        tinycc_pointwise_float_block(input, output, pixels, o, rest, shape, data);
    }
}

TINYCC_INLINE void tinycc_pointwise_float32(const float *row, float *out_row, int32_t x0, int32_t x1,
                                            const tinycc_pointwise_float_shape *shape,
                                            const tinycc_pointwise_float_data *data)
{
    int32_t x = x0;
    for (; x + TINYCC_FLOAT_PIXELS <= x1; x += TINYCC_FLOAT_PIXELS) {
        tinycc_pointwise_float_pixels(row + x * shape->input_channels, out_row + x * shape->output_channels,
                                      TINYCC_FLOAT_PIXELS, shape, data);
    }
    for (; x < x1; ++x) {
        tinycc_pointwise_float_pixels(row + x * shape->input_channels, out_row + x * shape->output_channels,
                                      1, shape, data);
    }
}

#endif
