/* A convolution, depthwise convolution or dense layer whose weights and bias may change: they are operands.
 *
 *   out[x][o] = clamp(zero_point + requantize(bias[o] + sum_(j,k,i) (in[j][x*stride - pad_left +
 *                     k*dilation][i] - input_zero_point) * w[o][j][k][i]))
 *
 * rows[j] is the input row under kernel row j, NULL for padding, which adds nothing; a row is
 * [width][channels]. weights are [output_channels][kernel_height][kernel_width][input_channels / groups].
 * Aliasing: output pixels in ascending order; the channels of pixel x are written while its window is read.
 * Reference: TFLite int8 specification, CONV_2D. */
#ifndef TINYCC_TRAINED_LAYER_H
#define TINYCC_TRAINED_LAYER_H

#include "../shared/common.h"

/* Outputs that are summed together; more than two run out of registers on Armv6-M. */
#define TINYCC_TRAINED_LAYER_BLOCK 2

typedef struct {
    int32_t input_width;
    int32_t input_channels;
    int32_t output_channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_width;
    int32_t dilation_width;
    int32_t pad_left;
    int32_t groups;
} tinycc_trained_layer_shape;

typedef struct {
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
} tinycc_trained_layer_data;

/* sums[k] += sum over count elements of (input[i] - zero_point) * weights[k * stride + i] */
TINYCC_INLINE void tinycc_trained_layer_dots(int32_t *sums, int32_t outputs, const int8_t *input,
                                             int32_t zero_point, const int8_t *weights, int32_t stride,
                                             int32_t count)
{
    TINYCC_UNROLL
    for (int32_t i = 0; i < count; ++i) {
        const int32_t value = input[i] - zero_point;
        TINYCC_UNROLL
        for (int32_t k = 0; k < outputs; ++k) {
            sums[k] += value * weights[k * stride];
        }
        ++weights;
    }
}

/* `count` outputs from o on of one pixel, all of one group. */
TINYCC_INLINE void tinycc_trained_layer_block(const int8_t *const *rows, const int8_t *weights,
                                              const int32_t *bias, int8_t *output, int32_t left, int32_t o,
                                              int32_t count, const tinycc_trained_layer_shape *shape,
                                              const tinycc_trained_layer_data *data)
{
    const int32_t inputs = shape->input_channels / shape->groups;
    const int32_t first = shape->groups == 1 ? 0 : o / (shape->output_channels / shape->groups) * inputs;
    const int32_t row_taps = shape->kernel_width * inputs;
    const int32_t stride = shape->kernel_height * row_taps;
    const int32_t right = left + (shape->kernel_width - 1) * shape->dilation_width;
    const int contiguous =
        left >= 0 && right < shape->input_width && shape->dilation_width == 1 && shape->groups == 1;
    const int8_t *taps = weights + o * stride;
    int32_t sums[TINYCC_TRAINED_LAYER_BLOCK];
    TINYCC_UNROLL
    for (int32_t k = 0; k < count; ++k) {
        sums[k] = bias[o + k];
    }
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        const int8_t *row = rows[j];
        if (row != NULL && contiguous) {
            tinycc_trained_layer_dots(sums, count, row + left * shape->input_channels, data->input_zero_point,
                                      taps, stride, row_taps);
        } else if (row != NULL) {
            for (int32_t t = 0; t < shape->kernel_width; ++t) {
                const int32_t column = left + t * shape->dilation_width;
                if (column >= 0 && column < shape->input_width) {
                    tinycc_trained_layer_dots(sums, count, row + column * shape->input_channels + first,
                                              data->input_zero_point, taps + t * inputs, stride, inputs);
                }
            }
        }
        taps += row_taps;
    }
    TINYCC_UNROLL
    for (int32_t k = 0; k < count; ++k) {
        const int32_t sum =
            tinycc_requantize(sums[k], data->multiplier[o + k], data->shift[o + k]) + data->output_zero_point;
        output[o + k] = (int8_t)tinycc_clamp(sum, data->output_min, data->output_max);
    }
}

TINYCC_INLINE void tinycc_trained_layer_int8(const int8_t *const *rows, const int8_t *weights,
                                             const int32_t *bias, int8_t *out_row, int32_t x0, int32_t x1,
                                             const tinycc_trained_layer_shape *shape,
                                             const tinycc_trained_layer_data *data)
{
    const int32_t group = shape->output_channels / shape->groups;
    const int is_whole = group % TINYCC_TRAINED_LAYER_BLOCK == 0 || shape->groups == 1;
    const int32_t whole =
        is_whole ? shape->output_channels / TINYCC_TRAINED_LAYER_BLOCK * TINYCC_TRAINED_LAYER_BLOCK : 0;
    for (int32_t x = x0; x < x1; ++x) {
        const int32_t left = x * shape->stride_width - shape->pad_left;
        int8_t *output = out_row + x * shape->output_channels;
        for (int32_t o = 0; o < whole; o += TINYCC_TRAINED_LAYER_BLOCK) {
            tinycc_trained_layer_block(rows, weights, bias, output, left, o, TINYCC_TRAINED_LAYER_BLOCK,
                                       shape, data);
        }
        for (int32_t o = whole; o < shape->output_channels; ++o) {
            tinycc_trained_layer_block(rows, weights, bias, output, left, o, 1, shape, data);
        }
    }
}

#endif
