/* Transposed convolution in gather form: every output pixel sums the input pixels that reach it.
 *
 *   out[y][x][o] = clamp(zero_point + requantize(bias[o] + sum (in[i][k][c] - input_zero_point) *
 * (w[o][j][l][c] - weight_zero_point))) over all i * stride_height + j * dilation_height = y + pad_top and
 * k * stride_width + l * dilation_width = x + pad_left, and c over the channels of o's group
 *
 * The kernel takes the whole tensor; [x0, x1) is a range of output rows.
 * Aliasing: output must not overlap input.
 * Reference: TFLite int8 and 16x8 specification, TRANSPOSE_CONV. */
#ifndef TINYCC_TRANSPOSE_CONV2D_H
#define TINYCC_TRANSPOSE_CONV2D_H

#include "../shared/wide.h"

typedef struct {
    int32_t input_height;
    int32_t input_width;
    int32_t input_channels;
    int32_t output_width;
    int32_t output_channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t groups;
    int32_t pad_top;
    int32_t pad_left;
    int32_t weight_zero_point;
    int32_t zero_points_differ; /* weights have a zero point for each channel in place of weight_zero_point */
} tinycc_transpose_conv2d_shape;

typedef struct {
    const int8_t *weights; /* [output_channels][kernel_height][kernel_width][input_channels / groups] */
    const int32_t *bias;
    const int32_t *multiplier; /* of 31 fractional bits for int8, 15 for int16 */
    const int8_t *shift;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
    const int16_t *weight_zero_points; /* [output_channels] where they differ */
} tinycc_transpose_conv2d_data;

/* One kernel for each element type, its sums of another. */
#define TINYCC_DEFINE_TRANSPOSE_CONV2D(element, wide, requantize)                                            \
    TINYCC_INLINE void tinycc_transpose_conv2d_##element(                                                    \
        const element##_t *row, element##_t *out_row, int32_t x0, int32_t x1,                                \
        const tinycc_transpose_conv2d_shape *shape, const tinycc_transpose_conv2d_data *data)                \
    {                                                                                                        \
        const int32_t pixels = shape->output_width * (x1 - x0);                                              \
        const int32_t depth = shape->input_channels / shape->groups;                                         \
        const int32_t group_outputs = shape->output_channels / shape->groups;                                \
        for (int32_t p = 0; p < pixels; ++p) {                                                               \
            const int32_t bottom = x0 + p / shape->output_width + shape->pad_top;                            \
            const int32_t right = p % shape->output_width + shape->pad_left;                                 \
            const int8_t *weights = data->weights;                                                           \
            element##_t *output = out_row + (x0 * shape->output_width + p) * shape->output_channels;         \
            for (int32_t o = 0; o < shape->output_channels; ++o) {                                           \
                const int32_t zero_point =                                                                   \
                    shape->zero_points_differ ? data->weight_zero_points[o] : shape->weight_zero_point;      \
                wide##_t sum = data->bias[o];                                                                \
                for (int32_t j = 0; j < shape->kernel_height; ++j) {                                         \
                    const int32_t y = bottom - j * shape->dilation_height;                                   \
                    const int row_in = y >= 0 && y % shape->stride_height == 0 &&                            \
                                       y / shape->stride_height < shape->input_height;                       \
                    for (int32_t l = 0; l < shape->kernel_width; ++l) {                                      \
                        const int32_t x = right - l * shape->dilation_width;                                 \
                        if (row_in && x >= 0 && x % shape->stride_width == 0 &&                              \
                            x / shape->stride_width < shape->input_width) {                                  \
                            const int32_t pixel =                                                            \
                                y / shape->stride_height * shape->input_width + x / shape->stride_width;     \
                            const element##_t *input =                                                       \
                                row + pixel * shape->input_channels + o / group_outputs * depth;             \
                            for (int32_t c = 0; c < depth; ++c) {                                            \
                                sum += (input[c] - data->input_zero_point) * (weights[c] - zero_point);      \
                            }                                                                                \
                        }                                                                                    \
                        weights += depth;                                                                    \
                    }                                                                                        \
                }                                                                                            \
                const int32_t scaled = requantize(sum, data->multiplier[o], data->shift[o]);                 \
                output[o] = (element##_t)tinycc_clamp(scaled + data->output_zero_point, data->output_min,    \
                                                      data->output_max);                                     \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_TRANSPOSE_CONV2D(int8, int32, tinycc_requantize)
TINYCC_DEFINE_TRANSPOSE_CONV2D(int16, int64, tinycc_requantize_wide)

#undef TINYCC_DEFINE_TRANSPOSE_CONV2D

#endif
