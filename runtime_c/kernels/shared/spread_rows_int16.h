/* Rows of a gradient of integers under a sliding window backwards: see spread_window.h. */
#ifndef TINYCC_SPREAD_ROWS_INT16_H
#define TINYCC_SPREAD_ROWS_INT16_H

#include "spread_window.h"

/* The row of the gradient that has row y of the input under kernel row j; NULL if there is none. */
TINYCC_INLINE const int16_t *tinycc_spread_row_int16(const int16_t *const *rows, int32_t y, int32_t j,
                                                     const tinycc_spread_shape *shape)
{
    const int32_t stride = shape->stride_height;
    const int32_t place = y + shape->pad_top - j * shape->dilation_height;
    const int32_t last = y + shape->pad_top - (shape->kernel_height - 1) * shape->dilation_height;
    const int32_t first = last > 0 ? (last + stride - 1) / stride : last / stride;
    return place % stride == 0 ? rows[place / stride - first] : NULL;
}

#endif
