/* Elementwise maximum or minimum of tensors of one scale, on the integers as they are.
 *
 * Reference: TFLite, MAXIMUM and MINIMUM. */
#ifndef TINYCC_EXTREMUM_H
#define TINYCC_EXTREMUM_H

#include "../shared/elementwise.h"

typedef tinycc_elementwise_shape tinycc_extremum_shape;

typedef struct {
    int32_t is_maximum;
    int32_t output_min;
    int32_t output_max;
} tinycc_extremum_data;

TINYCC_INLINE int32_t tinycc_extremum_values(int32_t a, int32_t b, const tinycc_extremum_data *data)
{
    const int32_t chosen = (a > b) == (data->is_maximum != 0) ? a : b;
    return tinycc_clamp(chosen, data->output_min, data->output_max);
}

TINYCC_DEFINE_ELEMENTWISE(extremum, int8)
TINYCC_DEFINE_ELEMENTWISE(extremum, int16)

#endif
