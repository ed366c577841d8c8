/* Depthwise convolution of whole tensors by blocks of four channels, so that it may run in place.
 *
 * The channels of a block are copied from all input pixels to `scratch`, [input pixels][4]; then those of all
 * output pixels are computed from there. What is computed is what depthwise_conv2d.h says, channel c from
 * channel c. Columns are blocks: [x0, x1) of them are computed.
 *
 * Aliasing: the output may start just where the input does, if it has as many channels and no more pixels:
 * then the channels of a block are written over those that were copied. It may not overlap it in any other
 * way. Source: TinyEngine's in-place depthwise convolution (Lin et al., "MCUNet", 2020). */
#ifndef TINYCC_DEPTHWISE_CONV2D_BLOCKS_H
#define TINYCC_DEPTHWISE_CONV2D_BLOCKS_H

#include "depthwise_conv2d.h"

enum { TINYCC_DEPTHWISE_BLOCK = 4 };

typedef struct {
    int32_t input_height;
    int32_t input_width;
    int32_t output_height;
    int32_t output_width;
    int32_t channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t weight_zero_point;
    int32_t zero_points_differ; /* weights have a zero point for each channel in place of weight_zero_point */
} tinycc_depthwise_conv2d_blocks_shape;

typedef tinycc_depthwise_conv2d_data tinycc_depthwise_conv2d_blocks_data;

/* sums[i] += tap x weight, for one tap of `count` channels from `first` on. */
#define TINYCC_DEFINE_DEPTHWISE_BLOCK_TAP(bits)                                                              \
    TINYCC_INLINE void tinycc_depthwise_block_tap_##bits(                                                    \
        int32_t *sums, const int8_t *tap, const int8_t *weights, int32_t first, int32_t count,               \
        const tinycc_depthwise_conv2d_blocks_shape *shape, const tinycc_depthwise_conv2d_data *data)         \
    {                                                                                                        \
        TINYCC_UNROLL                                                                                        \
        for (int32_t i = 0; i < count; ++i) {                                                                \
            const int32_t zero_point =                                                                       \
                shape->zero_points_differ ? data->weight_zero_points[first + i] : shape->weight_zero_point;  \
            sums[i] += tap[i] * (tinycc_weight_##bits(weights, 0, first + i) - zero_point);                  \
        }                                                                                                    \
    }

/* Adds all taps of the window whose first one is at (top, left). */
#define TINYCC_DEFINE_DEPTHWISE_BLOCK_EDGE(bits)                                                             \
    TINYCC_INLINE void tinycc_depthwise_block_edge_##bits(                                                   \
        int32_t *sums, const int8_t *block, int32_t top, int32_t left, int32_t first, int32_t count,         \
        const tinycc_depthwise_conv2d_blocks_shape *shape, const tinycc_depthwise_conv2d_data *data)         \
    {                                                                                                        \
        const int8_t zero = (int8_t)data->input_zero_point;                                                  \
        const int8_t padding[TINYCC_DEPTHWISE_BLOCK] = {zero, zero, zero, zero};                             \
        const int8_t *weights = data->weights;                                                               \
        const int32_t tap_bytes = tinycc_weight_bytes_##bits(shape->channels);                               \
        for (int32_t j = 0; j < shape->kernel_height; ++j) {                                                 \
            const int32_t row = top + j * shape->dilation_height;                                            \
            const int is_row = row >= 0 && row < shape->input_height;                                        \
            for (int32_t k = 0; k < shape->kernel_width; ++k) {                                              \
                const int32_t column = left + k * shape->dilation_width;                                     \
                const int is_inside = is_row && column >= 0 && column < shape->input_width;                  \
                const int8_t *tap =                                                                          \
                    is_inside ? block + (row * shape->input_width + column) * TINYCC_DEPTHWISE_BLOCK         \
                              : padding;                                                                     \
                tinycc_depthwise_block_tap_##bits(sums, tap, weights, first, count, shape, data);            \
                weights += tap_bytes;                                                                        \
            }                                                                                                \
        }                                                                                                    \
    }

/* The same where no tap is padding. */
#define TINYCC_DEFINE_DEPTHWISE_BLOCK_INSIDE(bits)                                                           \
    TINYCC_INLINE void tinycc_depthwise_block_inside_##bits(                                                 \
        int32_t *sums, const int8_t *block, int32_t top, int32_t left, int32_t first, int32_t count,         \
        const tinycc_depthwise_conv2d_blocks_shape *shape, const tinycc_depthwise_conv2d_data *data)         \
    {                                                                                                        \
        const int8_t *taps = block + (top * shape->input_width + left) * TINYCC_DEPTHWISE_BLOCK;             \
        const int8_t *weights = data->weights;                                                               \
        const int32_t tap_bytes = tinycc_weight_bytes_##bits(shape->channels);                               \
        for (int32_t j = 0; j < shape->kernel_height; ++j) {                                                 \
            TINYCC_UNROLL                                                                                    \
            for (int32_t k = 0; k < shape->kernel_width; ++k) {                                              \
                const int8_t *tap = taps + k * shape->dilation_width * TINYCC_DEPTHWISE_BLOCK;               \
                tinycc_depthwise_block_tap_##bits(sums, tap, weights + k * tap_bytes, first, count, shape,   \
                                                  data);                                                     \
            }                                                                                                \
            taps += shape->dilation_height * shape->input_width * TINYCC_DEPTHWISE_BLOCK;                    \
            weights += shape->kernel_width * tap_bytes;                                                      \
        }                                                                                                    \
    }

/* The channels [first, first + count) of an output pixel whose window's first tap is at (top, left). */
#define TINYCC_DEFINE_DEPTHWISE_BLOCK_PIXEL(bits)                                                            \
    TINYCC_INLINE void tinycc_depthwise_block_pixel_##bits(                                                  \
        const int8_t *block, int8_t *output, int32_t top, int32_t left, int32_t first, int32_t count,        \
        const tinycc_depthwise_conv2d_blocks_shape *shape, const tinycc_depthwise_conv2d_data *data)         \
    {                                                                                                        \
        const int32_t bottom = top + (shape->kernel_height - 1) * shape->dilation_height;                    \
        const int32_t right = left + (shape->kernel_width - 1) * shape->dilation_width;                      \
        int32_t sums[TINYCC_DEPTHWISE_BLOCK];                                                                \
        TINYCC_UNROLL                                                                                        \
        for (int32_t i = 0; i < count; ++i) {                                                                \
            sums[i] = data->bias[first + i];                                                                 \
        }                                                                                                    \
        if (top >= 0 && bottom < shape->input_height && left >= 0 && right < shape->input_width) {           \
            tinycc_depthwise_block_inside_##bits(sums, block, top, left, first, count, shape, data);         \
        } else {                                                                                             \
            tinycc_depthwise_block_edge_##bits(sums, block, top, left, first, count, shape, data);           \
        }                                                                                                    \
        TINYCC_UNROLL                                                                                        \
        for (int32_t i = 0; i < count; ++i) {                                                                \
            const int32_t c = first + i;                                                                     \
            const int32_t value =                                                                            \
                tinycc_requantize(sums[i], data->multiplier[c], data->shift[c]) + data->output_zero_point;   \
            output[c] = (int8_t)tinycc_clamp(value, data->output_min, data->output_max);                     \
        }                                                                                                    \
    }

#define TINYCC_DEFINE_DEPTHWISE_BLOCKS(name, bits)                                                           \
    TINYCC_INLINE void tinycc_depthwise_conv2d_blocks_##name(                                                \
        const int8_t *input, int8_t *output, void *scratch, int32_t x0, int32_t x1,                          \
        const tinycc_depthwise_conv2d_blocks_shape *shape, const tinycc_depthwise_conv2d_blocks_data *data)  \
    {                                                                                                        \
        int8_t *const block = (int8_t *)scratch;                                                             \
        const int32_t pixels = shape->input_height * shape->input_width;                                     \
        const int32_t rest = shape->channels % TINYCC_DEPTHWISE_BLOCK;                                       \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const int32_t first = x * TINYCC_DEPTHWISE_BLOCK;                                                \
            const int is_full = first + TINYCC_DEPTHWISE_BLOCK <= shape->channels;                           \
            const int32_t count = is_full ? TINYCC_DEPTHWISE_BLOCK : rest;                                   \
            for (int32_t pixel = 0; pixel < pixels; ++pixel) {                                               \
                for (int32_t i = 0; i < count; ++i) {                                                        \
                    block[pixel * TINYCC_DEPTHWISE_BLOCK + i] = input[pixel * shape->channels + first + i];  \
                }                                                                                            \
            }                                                                                                \
            int8_t *pixel = output;                                                                          \
            for (int32_t y = 0; y < shape->output_height; ++y) {                                             \
                const int32_t top = y * shape->stride_height - shape->pad_top;                               \
                for (int32_t column = 0; column < shape->output_width; ++column) {                           \
                    const int32_t left = column * shape->stride_width - shape->pad_left;                     \
                    if (is_full) {                                                                           \
                        tinycc_depthwise_block_pixel_##bits(block, pixel, top, left, first,                  \
                                                            TINYCC_DEPTHWISE_BLOCK, shape, data);            \
                    } else {                                                                                 \
                        tinycc_depthwise_block_pixel_##bits(block, pixel, top, left, first, rest, shape,     \
                                                            data);                                           \
                    }                                                                                        \
                    pixel += shape->channels;                                                                \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_DEPTHWISE_BLOCK_TAP(8)
TINYCC_DEFINE_DEPTHWISE_BLOCK_EDGE(8)
TINYCC_DEFINE_DEPTHWISE_BLOCK_INSIDE(8)
TINYCC_DEFINE_DEPTHWISE_BLOCK_PIXEL(8)
TINYCC_DEFINE_DEPTHWISE_BLOCKS(int8, 8)

TINYCC_DEFINE_DEPTHWISE_BLOCK_TAP(4)
TINYCC_DEFINE_DEPTHWISE_BLOCK_EDGE(4)
TINYCC_DEFINE_DEPTHWISE_BLOCK_INSIDE(4)
TINYCC_DEFINE_DEPTHWISE_BLOCK_PIXEL(4)
TINYCC_DEFINE_DEPTHWISE_BLOCKS(narrow_int8, 4)

#undef TINYCC_DEFINE_DEPTHWISE_BLOCK_TAP
#undef TINYCC_DEFINE_DEPTHWISE_BLOCK_EDGE
#undef TINYCC_DEFINE_DEPTHWISE_BLOCK_INSIDE
#undef TINYCC_DEFINE_DEPTHWISE_BLOCK_PIXEL
#undef TINYCC_DEFINE_DEPTHWISE_BLOCKS

#endif
