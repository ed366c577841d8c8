/* Depthwise convolution: output channel c reads input channel c / depth_multiplier alone.
 *
 *   out[x][c] = clamp(zero_point + requantize(bias[c] + sum_(j,k) in[j][x*stride - pad_left + k*dilation][c /
 * m]
 *                                                                 * (w[j][k][c] - weight_zero_point)))
 *
 * rows[j] is the input row under kernel row j, NULL for padding; a row is [width][channels]. bias has the
 * input's zero point folded in, so padding counts as the zero point. Aliasing: output pixels in ascending
 * order, channels within; an element is written once all its taps are read. Reference: TFLite int8
 * specification, DEPTHWISE_CONV_2D. */
#ifndef TINYCC_DEPTHWISE_CONV2D_H
#define TINYCC_DEPTHWISE_CONV2D_H

#include "../shared/weights.h"

typedef struct {
    int32_t input_width;
    int32_t input_channels;
    int32_t depth_multiplier;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_width;
    int32_t dilation_width;
    int32_t pad_left;
    int32_t weight_zero_point;
    int32_t zero_points_differ; /* weights have a zero point for each channel in place of weight_zero_point */
} tinycc_depthwise_conv2d_shape;

typedef struct {
    const int8_t *weights; /* [kernel_height][kernel_width][output channels], whole bytes for each tap */
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
    const int16_t *weight_zero_points; /* [output_channels] where they differ */
} tinycc_depthwise_conv2d_data;

/* The sum of a channel's taps, padding counted as the zero point.
 *
 * place: which of the weights in a byte is the channel's. */
#define TINYCC_DEFINE_DEPTHWISE_CONV2D_EDGE(bits)                                                            \
    TINYCC_INLINE int32_t tinycc_depthwise_conv2d_edge_##bits(                                               \
        const int8_t *const *rows, const int8_t *weights, int32_t place, int32_t left,                       \
        int32_t input_channel, const tinycc_depthwise_conv2d_shape *shape, int32_t zero_point,               \
        int32_t weight_zero_point)                                                                           \
    {                                                                                                        \
        const int32_t output_channels = shape->input_channels * shape->depth_multiplier;                     \
        const int32_t tap_bytes = tinycc_weight_bytes_##bits(output_channels);                               \
        int32_t sum = 0;                                                                                     \
        for (int32_t j = 0; j < shape->kernel_height; ++j) {                                                 \
            for (int32_t k = 0; k < shape->kernel_width; ++k) {                                              \
                const int32_t column = left + k * shape->dilation_width;                                     \
                const int padding = rows[j] == NULL || column < 0 || column >= shape->input_width;           \
                const int32_t value =                                                                        \
                    padding ? zero_point : rows[j][column * shape->input_channels + input_channel];          \
                sum += value * (tinycc_weight_##bits(weights, 0, place) - weight_zero_point);                \
                weights += tap_bytes;                                                                        \
            }                                                                                                \
        }                                                                                                    \
        return sum;                                                                                          \
    }

/* The same where no tap is padding. */
#define TINYCC_DEFINE_DEPTHWISE_CONV2D_INSIDE(bits)                                                          \
    TINYCC_INLINE int32_t tinycc_depthwise_conv2d_inside_##bits(                                             \
        const int8_t *const *rows, const int8_t *weights, int32_t place, int32_t left,                       \
        int32_t input_channel, const tinycc_depthwise_conv2d_shape *shape, int32_t weight_zero_point)        \
    {                                                                                                        \
        const int32_t output_channels = shape->input_channels * shape->depth_multiplier;                     \
        const int32_t step = shape->dilation_width * shape->input_channels;                                  \
        const int32_t tap_bytes = tinycc_weight_bytes_##bits(output_channels);                               \
        int32_t sum = 0;                                                                                     \
        for (int32_t j = 0; j < shape->kernel_height; ++j) {                                                 \
            const int8_t *row = rows[j] + left * shape->input_channels + input_channel;                      \
            TINYCC_UNROLL                                                                                    \
            for (int32_t k = 0; k < shape->kernel_width; ++k) {                                              \
                sum += row[k * step] *                                                                       \
                       (tinycc_weight_##bits(weights, k * tap_bytes, place) - weight_zero_point);            \
            }                                                                                                \
            weights += shape->kernel_width * tap_bytes;                                                      \
        }                                                                                                    \
        return sum;                                                                                          \
    }

#define TINYCC_DEFINE_DEPTHWISE_CONV2D(name, bits)                                                           \
    TINYCC_INLINE void tinycc_depthwise_conv2d_##name(                                                       \
        const int8_t *const *rows, int8_t *out_row, int32_t x0, int32_t x1,                                  \
        const tinycc_depthwise_conv2d_shape *shape, const tinycc_depthwise_conv2d_data *data)                \
    {                                                                                                        \
        const int32_t output_channels = shape->input_channels * shape->depth_multiplier;                     \
        int rows_inside = 1;                                                                                 \
        for (int32_t j = 0; j < shape->kernel_height; ++j) {                                                 \
            rows_inside = rows_inside && rows[j] != NULL;                                                    \
        }                                                                                                    \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const int32_t left = x * shape->stride_width - shape->pad_left;                                  \
            const int32_t right = left + (shape->kernel_width - 1) * shape->dilation_width;                  \
            const int inside = rows_inside && left >= 0 && right < shape->input_width;                       \
            int8_t *output = out_row + x * output_channels;                                                  \
            for (int32_t c = 0; c < output_channels; ++c) {                                                  \
                const int32_t input_channel =                                                                \
                    shape->depth_multiplier == 1 ? c : c / shape->depth_multiplier;                          \
                const int8_t *weights = data->weights + tinycc_weight_byte_##bits(c);                        \
                const int32_t place = tinycc_weight_place_##bits(c);                                         \
                const int32_t zero_point =                                                                   \
                    shape->zero_points_differ ? data->weight_zero_points[c] : shape->weight_zero_point;      \
                int32_t sum = data->bias[c];                                                                 \
                if (inside) {                                                                                \
                    sum += tinycc_depthwise_conv2d_inside_##bits(rows, weights, place, left, input_channel,  \
                                                                 shape, zero_point);                         \
                } else {                                                                                     \
                    sum += tinycc_depthwise_conv2d_edge_##bits(rows, weights, place, left, input_channel,    \
                                                               shape, data->input_zero_point, zero_point);   \
                }                                                                                            \
                sum = tinycc_requantize(sum, data->multiplier[c], data->shift[c]) + data->output_zero_point; \
                output[c] = (int8_t)tinycc_clamp(sum, data->output_min, data->output_max);                   \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_DEPTHWISE_CONV2D_EDGE(8)
TINYCC_DEFINE_DEPTHWISE_CONV2D_INSIDE(8)
TINYCC_DEFINE_DEPTHWISE_CONV2D(int8, 8)

TINYCC_DEFINE_DEPTHWISE_CONV2D_EDGE(4)
TINYCC_DEFINE_DEPTHWISE_CONV2D_INSIDE(4)
TINYCC_DEFINE_DEPTHWISE_CONV2D(narrow_int8, 4)

#undef TINYCC_DEFINE_DEPTHWISE_CONV2D_EDGE
#undef TINYCC_DEFINE_DEPTHWISE_CONV2D_INSIDE
#undef TINYCC_DEFINE_DEPTHWISE_CONV2D

#endif
