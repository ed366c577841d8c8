/* Transposed convolution of float32 in gather form: every output pixel sums the input pixels that reach it.
 *
 *   out[y][x][o] = clamp(bias[o] + sum in[i][k][c] * w[o][j][l][c])
 *
 * over all i * stride_height + j * dilation_height = y + pad_top and k * stride_width + l * dilation_width =
 * x + pad_left, and c over the channels of o's group. rows are the input rows that may reach output row y,
 * the first of them, NULL outside of the input, (y + pad_top - (kernel_height - 1) * dilation_height) /
 * stride_height, rounded up. Sums are taken as float_sums.h has it, in the order of j, l and c.
 * Aliasing: output must not overlap input. Reference: TFLite float32, TRANSPOSE_CONV. */
#ifndef TINYCC_TRANSPOSE_CONV2D_FLOAT_H
#define TINYCC_TRANSPOSE_CONV2D_FLOAT_H

#include "../shared/float_sums.h"

typedef struct {
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
} tinycc_transpose_conv2d_float_shape;

typedef struct {
    /* For each group blocks of outputs [kernel_height][kernel_width][inputs][outputs]. */
    const float *weights;
    const float *bias;
    float output_min;
    float output_max;
} tinycc_transpose_conv2d_float_data;

/* Outputs [o, o + outputs) of a pixel that lies in row `bottom` and column `right` of the full result. */
TINYCC_INLINE void tinycc_transpose_conv2d_float_block(const float *const *rows, float *output,
                                                       int32_t bottom, int32_t right, int32_t o,
                                                       int32_t outputs,
                                                       const tinycc_transpose_conv2d_float_shape *shape,
                                                       const tinycc_transpose_conv2d_float_data *data)
{
    const int32_t inputs = shape->input_channels / shape->groups;
    const int32_t channel = o / (shape->output_channels / shape->groups) * inputs;
    const int32_t reach = (shape->kernel_height - 1) * shape->dilation_height;
    /* rows[0] times the stride is that far above `bottom`. */
    const int32_t last = shape->stride_height - 1;
    const int32_t first =
        reach - last + (bottom + last - reach % shape->stride_height) % shape->stride_height;
    const float *weights = data->weights + o * shape->kernel_height * shape->kernel_width * inputs;
    float sums[1][TINYCC_FLOAT_OUTPUTS];
    tinycc_float_sums_begin(sums, 1, outputs, data->bias + o);
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        const int32_t y = first - j * shape->dilation_height;
        const float *row = y >= 0 && y % shape->stride_height == 0 ? rows[y / shape->stride_height] : NULL;
        for (int32_t l = 0; l < shape->kernel_width; ++l) {
            const int32_t x = right - l * shape->dilation_width;
            if (row != NULL && x >= 0 && x % shape->stride_width == 0 &&
                x / shape->stride_width < shape->input_width) {
                const float *input = row + x / shape->stride_width * shape->input_channels + channel;
                tinycc_float_sums(sums, 1, outputs, input, 0, weights, outputs, inputs);
            }
            weights += inputs * outputs;
        }
    }
    tinycc_float_sums_end(sums, 1, outputs, output + o, shape->output_channels, data->output_min,
                          data->output_max);
}

TINYCC_INLINE void tinycc_transpose_conv2d_float32(const float *const *rows, float *out_row, int32_t y,
                                                   int32_t x0, int32_t x1,
                                                   const tinycc_transpose_conv2d_float_shape *shape,
                                                   const tinycc_transpose_conv2d_float_data *data)
{
    const int32_t of_group = shape->output_channels / shape->groups;
    const int32_t rest = of_group % TINYCC_FLOAT_OUTPUTS;
    const int32_t bottom = y + shape->pad_top;
    for (int32_t x = x0; x < x1; ++x) {
        float *output = out_row + x * shape->output_channels;
        const int32_t right = x + shape->pad_left;
        for (int32_t group = 0; group < shape->output_channels; group += of_group) {
            int32_t o = group;
            for (; o < group + of_group - rest; o += TINYCC_FLOAT_OUTPUTS) {
                tinycc_transpose_conv2d_float_block(rows, output, bottom, right, o, TINYCC_FLOAT_OUTPUTS,
                                                    shape, data);
            }
            if (rest > 0) {
                tinycc_transpose_conv2d_float_block(rows, output, bottom, right, o, rest, shape, data);
            }
        }
    }
}

#endif
