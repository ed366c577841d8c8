/* Convolution: kernel of any size, stride, dilation, padding and groups.
 *
 *   out[x][o] = clamp(zero_point + requantize(bias[o] + sum_(j,k,i) in[j][x*stride - pad_left +
 * k*dilation][i]
 *                                                                   * (w[o][j][k][i] - weight_zero_point)))
 *
 * rows[j] is the input row under kernel row j, NULL for padding; a row is [width][channels]. bias has the
 * input's zero point folded in, so padding counts as the zero point. Aliasing: output pixels in ascending
 * order; the channels of pixel x are written while its window is read. Reference: TFLite int8
 * specification, CONV_2D. */
#ifndef TINYCC_CONV2D_H
#define TINYCC_CONV2D_H

#include "../shared/weights.h"

/* Outputs that are summed together; more than two run out of registers on Armv6-M. */
#define TINYCC_CONV2D_BLOCK 2

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
    int32_t zero_points_differ; /* weights have a zero point for each channel in place of weight_zero_point */
} tinycc_conv2d_shape;

typedef struct {
    const int8_t *weights; /* [output_channels][kernel_height][kernel_width][input_channels / groups], whole
                              bytes for each kernel row */
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
    int32_t input_zero_point;
    const int16_t *weight_zero_points; /* [output_channels] where they differ */
} tinycc_conv2d_data;

/* For an input that is padding, all elements the zero point: what tinycc_dots_<bits> does. */
#define TINYCC_DEFINE_CONV2D_PADDING(bits)                                                                   \
    TINYCC_INLINE void tinycc_conv2d_padding_##bits(int32_t *sums, int32_t outputs, int32_t zero_point,      \
                                                    const int8_t *weights, int32_t place, int32_t stride,    \
                                                    int32_t count, int32_t weight_zero_point)                \
    {                                                                                                        \
        TINYCC_UNROLL                                                                                        \
        for (int32_t k = 0; k < outputs; ++k) {                                                              \
            int32_t sum = 0;                                                                                 \
            for (int32_t i = 0; i < count; ++i) {                                                            \
                sum += tinycc_weight_##bits(weights, k * stride, place + i) - weight_zero_point;             \
            }                                                                                                \
            sums[k] += zero_point * sum;                                                                     \
        }                                                                                                    \
    }

/* `count` outputs from o on of one pixel; all of one group, their weights of one zero point. */
#define TINYCC_DEFINE_CONV2D_BLOCK(bits)                                                                     \
    TINYCC_INLINE void tinycc_conv2d_block_##bits(                                                           \
        const int8_t *const *rows, int8_t *output, int32_t left, int32_t o, int32_t count,                   \
        const tinycc_conv2d_shape *shape, const tinycc_conv2d_data *data)                                    \
    {                                                                                                        \
        const int32_t inputs = shape->input_channels / shape->groups;                                        \
        const int32_t first =                                                                                \
            shape->groups == 1 ? 0 : o / (shape->output_channels / shape->groups) * inputs;                  \
        const int32_t row_taps = shape->kernel_width * inputs;                                               \
        const int32_t row_bytes = tinycc_weight_bytes_##bits(row_taps);                                      \
        const int32_t stride = shape->kernel_height * row_bytes;                                             \
        const int32_t right = left + (shape->kernel_width - 1) * shape->dilation_width;                      \
        const int contiguous =                                                                               \
            left >= 0 && right < shape->input_width && shape->dilation_width == 1 && shape->groups == 1;     \
        const int8_t *weights = data->weights + o * stride;                                                  \
        const int32_t zero_point =                                                                           \
            shape->zero_points_differ ? data->weight_zero_points[o] : shape->weight_zero_point;              \
        int32_t sums[TINYCC_CONV2D_BLOCK];                                                                   \
        TINYCC_UNROLL                                                                                        \
        for (int32_t k = 0; k < count; ++k) {                                                                \
            sums[k] = data->bias[o + k];                                                                     \
        }                                                                                                    \
        for (int32_t j = 0; j < shape->kernel_height; ++j) {                                                 \
            const int8_t *row = rows[j];                                                                     \
            if (row == NULL) {                                                                               \
                tinycc_conv2d_padding_##bits(sums, count, data->input_zero_point, weights, 0, stride,        \
                                             row_taps, zero_point);                                          \
            } else if (contiguous) {                                                                         \
                tinycc_dots_##bits(sums, count, row + left * shape->input_channels, weights, 0, stride,      \
                                   row_taps, zero_point);                                                    \
            } else {                                                                                         \
                for (int32_t t = 0; t < shape->kernel_width; ++t) {                                          \
                    const int32_t column = left + t * shape->dilation_width;                                 \
                    const int8_t *taps = weights + tinycc_weight_byte_##bits(t * inputs);                    \
                    const int32_t place = tinycc_weight_place_##bits(t * inputs);                            \
                    if (column < 0 || column >= shape->input_width) {                                        \
                        tinycc_conv2d_padding_##bits(sums, count, data->input_zero_point, taps, place,       \
                                                     stride, inputs, zero_point);                            \
                    } else {                                                                                 \
                        tinycc_dots_##bits(sums, count, row + column * shape->input_channels + first, taps,  \
                                           place, stride, inputs, zero_point);                               \
                    }                                                                                        \
                }                                                                                            \
            }                                                                                                \
            weights += row_bytes;                                                                            \
        }                                                                                                    \
        TINYCC_UNROLL                                                                                        \
        for (int32_t k = 0; k < count; ++k) {                                                                \
            const int32_t sum = tinycc_requantize(sums[k], data->multiplier[o + k], data->shift[o + k]) +    \
                                data->output_zero_point;                                                     \
            output[o + k] = (int8_t)tinycc_clamp(sum, data->output_min, data->output_max);                   \
        }                                                                                                    \
    }

#define TINYCC_DEFINE_CONV2D(name, bits)                                                                     \
    TINYCC_INLINE void tinycc_conv2d_##name(const int8_t *const *rows, int8_t *out_row, int32_t x0,          \
                                            int32_t x1, const tinycc_conv2d_shape *shape,                    \
                                            const tinycc_conv2d_data *data)                                  \
    {                                                                                                        \
        const int32_t group = shape->output_channels / shape->groups;                                        \
        const int is_whole = group % TINYCC_CONV2D_BLOCK == 0 || shape->groups == 1;                         \
        const int32_t whole = is_whole && !shape->zero_points_differ                                         \
                                  ? shape->output_channels / TINYCC_CONV2D_BLOCK * TINYCC_CONV2D_BLOCK       \
                                  : 0;                                                                       \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const int32_t left = x * shape->stride_width - shape->pad_left;                                  \
            int8_t *output = out_row + x * shape->output_channels;                                           \
            for (int32_t o = 0; o < whole; o += TINYCC_CONV2D_BLOCK) {                                       \
                tinycc_conv2d_block_##bits(rows, output, left, o, TINYCC_CONV2D_BLOCK, shape, data);         \
            }                                                                                                \
            for (int32_t o = whole; o < shape->output_channels; ++o) {                                       \
                tinycc_conv2d_block_##bits(rows, output, left, o, 1, shape, data);                           \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_CONV2D_PADDING(8)
TINYCC_DEFINE_CONV2D_BLOCK(8)
TINYCC_DEFINE_CONV2D(int8, 8)

TINYCC_DEFINE_CONV2D_PADDING(4)
TINYCC_DEFINE_CONV2D_BLOCK(4)
TINYCC_DEFINE_CONV2D(narrow_int8, 4)

#undef TINYCC_DEFINE_CONV2D_PADDING
#undef TINYCC_DEFINE_CONV2D_BLOCK
#undef TINYCC_DEFINE_CONV2D

#endif
