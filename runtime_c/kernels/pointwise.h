/* 1x1 convolution with stride 1, and dense layers: every output pixel is a matrix times its input pixel.
 *
 *   out[x][o] = clamp(zero_point + requantize(bias[o] + sum_i in[x][i] * (w[o][i] - weight_zero_point)))
 *
 * Rows are [pixels][channels]. bias has the input's zero point folded in.
 * Aliasing: pixel x is written channel by channel while it is read, pixels in ascending order.
 * Reference: TFLite int8 specification, CONV_2D and FULLY_CONNECTED. */
#ifndef TINYCC_POINTWISE_H
#define TINYCC_POINTWISE_H

#include "common.h"

typedef struct {
    int32_t input_channels;
    int32_t output_channels;
    int32_t weight_zero_point;
} tinycc_pointwise_shape;

typedef struct {
    const int8_t *weights; /* [output_channels][input_channels] */
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
} tinycc_pointwise_data;

TINYCC_INLINE void tinycc_pointwise_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                         const tinycc_pointwise_shape *shape,
                                         const tinycc_pointwise_data *data) {
    for (int32_t x = x0; x < x1; ++x) {
        const int8_t *input = row + x * shape->input_channels;
        const int8_t *weights = data->weights;
        int8_t *output = out_row + x * shape->output_channels;
        for (int32_t o = 0; o < shape->output_channels; ++o) {
            int32_t sum = data->bias[o];
            TINYCC_UNROLL
            for (int32_t i = 0; i < shape->input_channels; ++i) {
                sum += input[i] * (weights[i] - shape->weight_zero_point);
            }
            weights += shape->input_channels;
            sum = tinycc_requantize(sum, data->multiplier[o], data->shift[o]) + data->output_zero_point;
            output[o] = (int8_t)tinycc_clamp(sum, data->output_min, data->output_max);
        }
    }
}

#endif
