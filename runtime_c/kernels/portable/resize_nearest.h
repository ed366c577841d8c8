/* Nearest-neighbour resize: out[x] = in[columns[x]], whole pixels.
 *
 * Aliasing: output must not overlap input.
 * Reference: TFLite, RESIZE_NEAREST_NEIGHBOR. */
#ifndef TINYCC_RESIZE_NEAREST_H
#define TINYCC_RESIZE_NEAREST_H

#include "../shared/common.h"

typedef struct {
    int32_t channels;
} tinycc_resize_nearest_shape;

typedef struct {
    const int16_t *columns; /* input column of each output column */
} tinycc_resize_nearest_data;

TINYCC_INLINE void tinycc_resize_nearest_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                              const tinycc_resize_nearest_shape *shape,
                                              const tinycc_resize_nearest_data *data)
{
    for (int32_t x = x0; x < x1; ++x) {
        memcpy(out_row + x * shape->channels, row + data->columns[x] * shape->channels,
               (size_t)shape->channels);
    }
}

#endif
