/* The part of a pooling window that lies in the input, for kernels that take several channels at a time. */
#ifndef TINYCC_POOL2D_WINDOW_H
#define TINYCC_POOL2D_WINDOW_H

#include "pool2d.h"

/* Columns first, first + dilation, ... */
typedef struct {
    int32_t first;
    int32_t count;
} tinycc_pool2d_columns;

TINYCC_INLINE tinycc_pool2d_columns tinycc_pool2d_inside(int32_t x, const tinycc_pool2d_shape *shape)
{
    tinycc_pool2d_columns columns = {x * shape->stride_width - shape->pad_left, 0};
    int32_t taps = shape->kernel_width;
    if (shape->is_inside) {
        columns.count = taps;
        return columns;
    }
    for (; taps > 0 && columns.first < 0; --taps) {
        columns.first += shape->dilation_width;
    }
    for (int32_t column = columns.first; columns.count < taps && column < shape->input_width;
         column += shape->dilation_width) {
        ++columns.count;
    }
    return columns;
}

/* Whether kernel row j lies in the input. */
TINYCC_INLINE int tinycc_pool2d_has_row(const int8_t *const *rows, int32_t j,
                                        const tinycc_pool2d_shape *shape)
{
    return shape->is_inside || rows[j] != NULL;
}

/* How many kernel rows do. */
TINYCC_INLINE int32_t tinycc_pool2d_row_count(const int8_t *const *rows, const tinycc_pool2d_shape *shape)
{
    int32_t count = shape->is_inside ? shape->kernel_height : 0;
    for (int32_t j = 0; j < shape->kernel_height && !shape->is_inside; ++j) {
        count += rows[j] != NULL;
    }
    return count;
}

/* A kernel that pools `width` channels of a pixel at a time, and then the rest, with a function
 * pool(rows, output, offset, count, columns, taps, shape, data): `count` channels from `offset` in each of
 * `columns` pixels of a row; the window has `taps` elements of a channel. */
#define TINYCC_DEFINE_CHANNEL_POOL2D(name, pool, width)                                                      \
    TINYCC_INLINE void name(const int8_t *const *rows, int8_t *out_row, int32_t x0, int32_t x1,              \
                            const tinycc_pool2d_shape *shape, const tinycc_pool2d_data *data)                \
    {                                                                                                        \
        const int32_t channels = shape->input_channels;                                                      \
        const int32_t rest = channels % (width);                                                             \
        const int32_t row_count = tinycc_pool2d_row_count(rows, shape);                                      \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const tinycc_pool2d_columns columns = tinycc_pool2d_inside(x, shape);                            \
            const int32_t offset = columns.first * channels;                                                 \
            const int32_t taps = row_count * columns.count;                                                  \
            int8_t *output = out_row + x * channels;                                                         \
            int32_t c = 0;                                                                                   \
            for (; c < channels - rest; c += (width)) {                                                      \
                pool(rows, output + c, offset + c, (width), columns.count, taps, shape, data);               \
            }                                                                                                \
            if (rest > 0) {                                                                                  \
                pool(rows, output + c, offset + c, rest, columns.count, taps, shape, data);                  \
            }                                                                                                \
        }                                                                                                    \
    }

#endif
