/* Convolution of float32: kernel of any size, stride, dilation, padding and groups.
 *
 *   out[x][o] = clamp(bias[o] + sum_(j,k,i) in[j][x*stride - pad_left + k*dilation][i] * w[o][j][k][i])
 *
 * rows[j] is the input row under kernel row j, NULL for padding, which adds nothing; a row is
 * [width][channels]. Sums are taken as float_sums.h has it. Aliasing: output pixels in ascending order, up to
 * TINYCC_FLOAT_PIXELS neighbours together; their channels are written while their windows are read.
 * Reference: TFLite float32, CONV_2D. */
#ifndef TINYCC_CONV2D_FLOAT_H
#define TINYCC_CONV2D_FLOAT_H

#include "../shared/float_sums.h"

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
} tinycc_conv2d_float_shape;

typedef struct {
    const float
        *weights; /* for each group blocks of outputs [kernel_height][kernel_width][inputs][outputs] */
    const float *bias;
    float output_min;
    float output_max;
} tinycc_conv2d_float_data;

/* Outputs [o, o + outputs) of `pixels` neighbours, taps of each row that are no padding. */
TINYCC_INLINE void tinycc_conv2d_float_block(const float *const *rows, float *output, int32_t left,
                                             int32_t pixels, tinycc_float_taps inside, int32_t o,
                                             int32_t outputs, const tinycc_conv2d_float_shape *shape,
                                             const tinycc_conv2d_float_data *data)
{
    const int32_t inputs = shape->input_channels / shape->groups;
    const int32_t group = o / (shape->output_channels / shape->groups);
    const int32_t pitch = shape->stride_width * shape->input_channels;
    const int32_t row_taps = shape->kernel_width * inputs;
    const float *weights = data->weights + o * shape->kernel_height * row_taps;
    float sums[TINYCC_FLOAT_PIXELS][TINYCC_FLOAT_OUTPUTS];
    tinycc_float_sums_begin(sums, pixels, outputs, data->bias + o);
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        const float *taps = weights + (j * row_taps + inside.first * inputs) * outputs;
        if (rows[j] == NULL) {
            continue;
        }
        const float *input = rows[j] + (left + inside.first * shape->dilation_width) * shape->input_channels;
        if (shape->dilation_width == 1 && shape->groups == 1) {
            tinycc_float_sums(sums, pixels, outputs, input, pitch, taps, outputs,
                              (inside.end - inside.first) * inputs);
            continue;
        }
        input += group * inputs;
        for (int32_t k = inside.first; k < inside.end; ++k) {
            tinycc_float_sums(sums, pixels, outputs, input, pitch, taps, outputs, inputs);
            input += shape->dilation_width * shape->input_channels;
            taps += inputs * outputs;
        }
    }
    tinycc_float_sums_end(sums, pixels, outputs, output + o, shape->output_channels, data->output_min,
                          data->output_max);
}

/* All outputs of `pixels` neighbours, group by group. */
TINYCC_INLINE void tinycc_conv2d_float_pixels(const float *const *rows, float *output, int32_t left,
                                              int32_t pixels, tinycc_float_taps inside,
                                              const tinycc_conv2d_float_shape *shape,
                                              const tinycc_conv2d_float_data *data)
{
    const int32_t of_group = shape->output_channels / shape->groups;
    const int32_t rest = of_group % TINYCC_FLOAT_OUTPUTS;
    for (int32_t group = 0; group < shape->output_channels; group += of_group) {
        int32_t o = group;
        for (; o < group + of_group - rest; o += TINYCC_FLOAT_OUTPUTS) {
            tinycc_conv2d_float_block(rows, output, left, pixels, inside, o, TINYCC_FLOAT_OUTPUTS, shape,
                                      data);
        }
        if (rest > 0) {
            tinycc_conv2d_float_block(rows, output, left, pixels, inside, o, rest, shape, data);
        }
    }
}

TINYCC_INLINE void tinycc_conv2d_float32(const float *const *rows, float *out_row, int32_t x0, int32_t x1,
                                         const tinycc_conv2d_float_shape *shape,
                                         const tinycc_conv2d_float_data *data)
{
    const int32_t reach = (shape->kernel_width - 1) * shape->dilation_width;
    const tinycc_float_taps all = {0, shape->kernel_width};
    int32_t x = x0;
    while (x < x1) {
        const int32_t left = x * shape->stride_width - shape->pad_left;
        const int32_t right = left + (TINYCC_FLOAT_PIXELS - 1) * shape->stride_width + reach;
        float *output = out_row + x * shape->output_channels;
        if (left >= 0 && right < shape->input_width && x + TINYCC_FLOAT_PIXELS <= x1) {
            tinycc_conv2d_float_pixels(rows, output, left, TINYCC_FLOAT_PIXELS, all, shape, data);
            x += TINYCC_FLOAT_PIXELS;
        } else {
            const tinycc_float_taps inside =
                tinycc_float_inside(left, shape->kernel_width, shape->dilation_width, shape->input_width);
            tinycc_conv2d_float_pixels(rows, output, left, 1, inside, shape, data);
            ++x;
        }
    }
}

#endif
