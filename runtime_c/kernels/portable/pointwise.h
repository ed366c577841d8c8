/* 1x1 convolution with stride 1, and dense layers: every output pixel is a matrix times its input pixel.
 *
 *   out[x][o] = clamp(zero_point + requantize(bias[o] + sum_i in[x][i] * (w[o][i] - weight_zero_point)))
 *
 * Rows are [pixels][channels]. bias has the input's zero point folded in.
 * Aliasing: pixels in ascending order; the channels of pixel x are written while it is read.
 * Reference: TFLite int8 specification, CONV_2D and FULLY_CONNECTED. */
#ifndef TINYCC_POINTWISE_H
#define TINYCC_POINTWISE_H

#include "../shared/weights.h"

/* Outputs that are summed together; more than two run out of registers on Armv6-M. */
#define TINYCC_POINTWISE_BLOCK 2

typedef struct {
    int32_t input_channels;
    int32_t output_channels;
    int32_t weight_zero_point;
    int32_t zero_points_differ; /* weights have a zero point for each channel in place of weight_zero_point */
} tinycc_pointwise_shape;

typedef struct {
    const int8_t *weights; /* [output_channels][input_channels], whole bytes for each output channel */
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
    const int16_t *weight_zero_points; /* [output_channels] where they differ */
} tinycc_pointwise_data;

/* `count` outputs of one pixel from o on; each input element is loaded once for all of them.
 * Their weights have one zero point. */
#define TINYCC_DEFINE_POINTWISE_BLOCK(bits)                                                                  \
    TINYCC_INLINE void tinycc_pointwise_block_##bits(const int8_t *input, int8_t *output, int32_t o,         \
                                                     int32_t count, const tinycc_pointwise_shape *shape,     \
                                                     const tinycc_pointwise_data *data)                      \
    {                                                                                                        \
        const int32_t inputs = shape->input_channels;                                                        \
        const int32_t stride = tinycc_weight_bytes_##bits(inputs);                                           \
        const int8_t *weights = data->weights + o * stride;                                                  \
        const int32_t zero_point =                                                                           \
            shape->zero_points_differ ? data->weight_zero_points[o] : shape->weight_zero_point;              \
        int32_t sums[TINYCC_POINTWISE_BLOCK];                                                                \
        TINYCC_UNROLL                                                                                        \
        for (int32_t k = 0; k < count; ++k) {                                                                \
            sums[k] = data->bias[o + k];                                                                     \
        }                                                                                                    \
        tinycc_dots_##bits(sums, count, input, weights, 0, stride, inputs, zero_point);                      \
        TINYCC_UNROLL                                                                                        \
        for (int32_t k = 0; k < count; ++k) {                                                                \
            const int32_t sum = tinycc_requantize(sums[k], data->multiplier[o + k], data->shift[o + k]) +    \
                                data->output_zero_point;                                                     \
            output[o + k] = (int8_t)tinycc_clamp(sum, data->output_min, data->output_max);                   \
        }                                                                                                    \
    }

#define TINYCC_DEFINE_POINTWISE(name, bits)                                                                  \
    TINYCC_INLINE void tinycc_pointwise_##name(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,   \
                                               const tinycc_pointwise_shape *shape,                          \
                                               const tinycc_pointwise_data *data)                            \
    {                                                                                                        \
        const int32_t block = shape->zero_points_differ ? 1 : TINYCC_POINTWISE_BLOCK;                        \
        const int32_t whole = shape->output_channels / block * block;                                        \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const int8_t *input = row + x * shape->input_channels;                                           \
            int8_t *output = out_row + x * shape->output_channels;                                           \
            for (int32_t o = 0; o < whole; o += block) {                                                     \
                tinycc_pointwise_block_##bits(input, output, o, block, shape, data);                         \
            }                                                                                                \
            for (int32_t o = whole; o < shape->output_channels; ++o) {                                       \
                tinycc_pointwise_block_##bits(input, output, o, 1, shape, data);                             \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_POINTWISE_BLOCK(8)
TINYCC_DEFINE_POINTWISE(int8, 8)

TINYCC_DEFINE_POINTWISE_BLOCK(4)
TINYCC_DEFINE_POINTWISE(narrow_int8, 4)

#undef TINYCC_DEFINE_POINTWISE_BLOCK
#undef TINYCC_DEFINE_POINTWISE

#endif
