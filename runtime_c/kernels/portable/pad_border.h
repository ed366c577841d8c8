/* Padding of rows, columns and channels with the tensor's own elements.
 *
 * The row is the one that the border's function names for the output row; a row is [width][channels].
 * Aliasing: output must not overlap input.
 * Reference: PyTorch's padding modes; TFLite, MIRROR_PAD. */
#ifndef TINYCC_PAD_BORDER_H
#define TINYCC_PAD_BORDER_H

#include "../shared/border.h"

typedef struct {
    int32_t input_width;
    int32_t input_channels;
    int32_t pad_left;
    int32_t channels_before;
    int32_t channels_after;
} tinycc_pad_border_shape;

typedef struct {
    int32_t zero;
} tinycc_pad_border_data;

/* One kernel for each border and element type. Columns inside of the row, without padded channels, are one
 * run. */
#define TINYCC_DEFINE_PAD_BORDER(border, element, type)                                                      \
    TINYCC_INLINE void tinycc_pad_##border##_##element(const type *row, type *out_row, int32_t x0,           \
                                                       int32_t x1, const tinycc_pad_border_shape *shape,     \
                                                       const tinycc_pad_border_data *data)                   \
    {                                                                                                        \
        const int32_t channels = shape->channels_before + shape->input_channels + shape->channels_after;     \
        const int32_t end = shape->pad_left + shape->input_width;                                            \
        (void)data;                                                                                          \
        if (channels != shape->input_channels) {                                                             \
            for (int32_t x = x0; x < x1; ++x) {                                                              \
                const int32_t column = tinycc_##border(x - shape->pad_left, shape->input_width);             \
                const type *pixel = row + column * shape->input_channels;                                    \
                for (int32_t c = 0; c < channels; ++c) {                                                     \
                    out_row[x * channels + c] =                                                              \
                        pixel[tinycc_##border(c - shape->channels_before, shape->input_channels)];           \
                }                                                                                            \
            }                                                                                                \
            return;                                                                                          \
        }                                                                                                    \
        for (int32_t x = x0, count; x < x1; x += count) {                                                    \
            const int32_t column = tinycc_##border(x - shape->pad_left, shape->input_width);                 \
            count = x < shape->pad_left || x >= end ? 1 : tinycc_min(x1, end) - x;                           \
            memcpy(out_row + x * channels, row + column * channels,                                          \
                   (size_t)(count * channels) * sizeof(*row));                                               \
        }                                                                                                    \
    }

TINYCC_DEFINE_PAD_BORDER(replicate, int8, int8_t)
TINYCC_DEFINE_PAD_BORDER(replicate, int16, int16_t)
TINYCC_DEFINE_PAD_BORDER(replicate, float32, float)
TINYCC_DEFINE_PAD_BORDER(reflect, int8, int8_t)
TINYCC_DEFINE_PAD_BORDER(reflect, int16, int16_t)
TINYCC_DEFINE_PAD_BORDER(reflect, float32, float)
TINYCC_DEFINE_PAD_BORDER(symmetric, int8, int8_t)
TINYCC_DEFINE_PAD_BORDER(symmetric, int16, int16_t)
TINYCC_DEFINE_PAD_BORDER(symmetric, float32, float)
TINYCC_DEFINE_PAD_BORDER(circular, int8, int8_t)
TINYCC_DEFINE_PAD_BORDER(circular, int16, int16_t)
TINYCC_DEFINE_PAD_BORDER(circular, float32, float)

#undef TINYCC_DEFINE_PAD_BORDER

#endif
