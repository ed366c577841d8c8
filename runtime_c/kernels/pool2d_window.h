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

#endif
