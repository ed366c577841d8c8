/* The part of a pooling window that lies in the input, for kernels that take several channels at a time. */
#ifndef TINYCC_POOL2D_WINDOW_H
#define TINYCC_POOL2D_WINDOW_H

#include "../portable/pool2d.h"

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

/* The kernel tinycc_<kernel>_int8, which pools `width` channels of a pixel at a time, and then the rest.
 * tinycc_<state> is what becomes of a window's elements:
 *   tinycc_<state>_none(): of none;
 *   tinycc_<state>_load(in, count): tinycc_<state>_elements, one of each of `count` channels;
 *   tinycc_<state>_add(state, elements, is_first): with these; where `is_first`, they are the first ones;
 *   tinycc_<kernel>_store(output, state, count, taps, shape, data): the outputs, of `taps` elements each. */
#define TINYCC_DEFINE_CHANNEL_POOL2D(kernel, state, width)                                                   \
    /* `count` channels from `offset` in each of `columns` pixels of a row. */                               \
    TINYCC_INLINE void tinycc_##kernel##_channels(                                                           \
        const int8_t *const *rows, int8_t *output, int32_t offset, int32_t count, int32_t columns,           \
        int32_t taps, const tinycc_pool2d_shape *shape, const tinycc_pool2d_data *data)                      \
    {                                                                                                        \
        tinycc_##state pooled = tinycc_##state##_none();                                                     \
        TINYCC_UNROLL_TWICE                                                                                  \
        for (int32_t j = 0; j < shape->kernel_height; ++j) {                                                 \
            if (tinycc_pool2d_has_row(rows, j, shape)) {                                                     \
                const int8_t *in = rows[j] + offset;                                                         \
                TINYCC_UNROLL                                                                                \
                for (int32_t k = 0; k < columns; ++k) {                                                      \
                    const tinycc_##state##_elements elements = tinycc_##state##_load(in, count);             \
                    const int is_first = shape->is_inside && j == 0 && k == 0;                               \
                    pooled = tinycc_##state##_add(pooled, elements, is_first);                               \
                    in += shape->dilation_width * shape->input_channels;                                     \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
        tinycc_##kernel##_store(output, pooled, count, taps, shape, data);                                   \
    }                                                                                                        \
                                                                                                             \
    TINYCC_INLINE void tinycc_##kernel##_int8(const int8_t *const *rows, int8_t *out_row, int32_t x0,        \
                                              int32_t x1, const tinycc_pool2d_shape *shape,                  \
                                              const tinycc_pool2d_data *data)                                \
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
                tinycc_##kernel##_channels(rows, output + c, offset + c, (width), columns.count, taps,       \
                                           shape, data);                                                     \
            }                                                                                                \
            if (rest > 0) {                                                                                  \
                tinycc_##kernel##_channels(rows, output + c, offset + c, rest, columns.count, taps, shape,   \
                                           data);                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

#endif
