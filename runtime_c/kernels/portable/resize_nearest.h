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

/* One kernel for each element type. */
#define TINYCC_DEFINE_RESIZE_NEAREST(element, type)                                                          \
    TINYCC_INLINE void tinycc_resize_nearest_##element(const type *row, type *out_row, int32_t x0,           \
                                                       int32_t x1, const tinycc_resize_nearest_shape *shape, \
                                                       const tinycc_resize_nearest_data *data)               \
    {                                                                                                        \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            memcpy(out_row + x * shape->channels, row + data->columns[x] * shape->channels,                  \
                   (size_t)shape->channels * sizeof(*row));                                                  \
        }                                                                                                    \
    }

TINYCC_DEFINE_RESIZE_NEAREST(int8, int8_t)
TINYCC_DEFINE_RESIZE_NEAREST(float32, float)

#undef TINYCC_DEFINE_RESIZE_NEAREST

#endif
