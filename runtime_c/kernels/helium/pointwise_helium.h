/* The pointwise convolution of pointwise.h for Helium.
 *
 * Rows are [pixels][channels]. Aliasing: two pixels at a time, in ascending order; their channels are
 * written while they are read.
 * Reference: TFLite int8 specification, CONV_2D and FULLY_CONNECTED. */
#ifndef TINYCC_POINTWISE_HELIUM_H
#define TINYCC_POINTWISE_HELIUM_H

#include "helium_matrix.h"

typedef tinycc_matrix_shape tinycc_pointwise_helium_shape;
typedef tinycc_matrix_data tinycc_pointwise_helium_data;

TINYCC_INLINE void tinycc_pointwise_helium_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                                const tinycc_pointwise_helium_shape *shape,
                                                const tinycc_pointwise_helium_data *data)
{
    tinycc_matrix(row + x0 * shape->inputs, out_row + x0 * shape->outputs, x1 - x0, shape, data);
}

#endif
