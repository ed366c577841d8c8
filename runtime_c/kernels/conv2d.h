/* Convolution: kernel of any size, stride, dilation, padding and groups.
 *
 *   out[x][o] = clamp(zero_point + requantize(bias[o] + sum_(j,k,i) in[j][x*stride - pad_left +
 * k*dilation][i]
 *                                                                   * (w[o][j][k][i] - weight_zero_point)))
 *
 * rows[j] is the input row under kernel row j, NULL for padding; a row is [width][channels]. bias has the
 * input's zero point folded in, so padding counts as the zero point. Aliasing: output pixels in ascending
 * order; pixel x is written channel by channel while its window is read. Reference: TFLite int8
 * specification, CONV_2D. */
#ifndef TINYCC_CONV2D_H
#define TINYCC_CONV2D_H

#include "common.h"

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
    int32_t weight_zero_point;
} tinycc_conv2d_shape;

typedef struct {
    const int8_t *weights; /* [output_channels][kernel_height][kernel_width][input_channels / groups] */
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
    int32_t input_zero_point;
} tinycc_conv2d_data;

/* sum over count elements of input[i] * (weights[i] - weight_zero_point) */
TINYCC_INLINE int32_t tinycc_conv2d_dot_int8(const int8_t *input, const int8_t *weights, int32_t count,
                                             int32_t weight_zero_point) {
    int32_t sum = 0;
    TINYCC_UNROLL
    for (int32_t i = 0; i < count; ++i) {
        sum += input[i] * (weights[i] - weight_zero_point);
    }
    return sum;
}

/* The same for an input that is padding: all elements the zero point. */
TINYCC_INLINE int32_t tinycc_conv2d_padding_int8(int32_t zero_point, const int8_t *weights, int32_t count,
                                                 int32_t weight_zero_point) {
    int32_t sum = 0;
    for (int32_t i = 0; i < count; ++i) {
        sum += weights[i] - weight_zero_point;
    }
    return zero_point * sum;
}

TINYCC_INLINE void tinycc_conv2d_int8(const int8_t *const *rows, int8_t *out_row, int32_t x0, int32_t x1,
                                      const tinycc_conv2d_shape *shape, const tinycc_conv2d_data *data) {
    const int32_t group_inputs = shape->input_channels / shape->groups;
    const int32_t group_outputs = shape->output_channels / shape->groups;
    const int32_t row_taps = shape->kernel_width * group_inputs;
    for (int32_t x = x0; x < x1; ++x) {
        const int32_t left = x * shape->stride_width - shape->pad_left;
        const int32_t right = left + (shape->kernel_width - 1) * shape->dilation_width;
        const int inside = left >= 0 && right < shape->input_width;
        const int contiguous = inside && shape->dilation_width == 1 && shape->groups == 1;
        const int8_t *weights = data->weights;
        for (int32_t o = 0; o < shape->output_channels; ++o) {
            const int32_t first_input = shape->groups == 1 ? 0 : o / group_outputs * group_inputs;
            int32_t sum = data->bias[o];
            for (int32_t j = 0; j < shape->kernel_height; ++j) {
                const int8_t *row = rows[j];
                if (row == NULL) {
                    sum += tinycc_conv2d_padding_int8(data->input_zero_point, weights, row_taps,
                                                      shape->weight_zero_point);
                } else if (contiguous) {
                    sum += tinycc_conv2d_dot_int8(row + left * shape->input_channels, weights, row_taps,
                                                  shape->weight_zero_point);
                } else {
                    for (int32_t k = 0; k < shape->kernel_width; ++k) {
                        const int32_t column = left + k * shape->dilation_width;
                        const int8_t *taps = weights + k * group_inputs;
                        if (column < 0 || column >= shape->input_width) {
                            sum += tinycc_conv2d_padding_int8(data->input_zero_point, taps, group_inputs,
                                                              shape->weight_zero_point);
                        } else {
                            sum += tinycc_conv2d_dot_int8(row + column * shape->input_channels + first_input,
                                                          taps, group_inputs, shape->weight_zero_point);
                        }
                    }
                }
                weights += row_taps;
            }
            sum = tinycc_requantize(sum, data->multiplier[o], data->shift[o]) + data->output_zero_point;
            out_row[x * shape->output_channels + o] =
                (int8_t)tinycc_clamp(sum, data->output_min, data->output_max);
        }
    }
}

#endif
