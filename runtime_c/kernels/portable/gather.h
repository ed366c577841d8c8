/* Elements at the given indices of an axis.
 *
 *   out[x][j][i] = in[x][indices[j]][i]
 *
 * A row is [columns][size][inner].
 * Aliasing: output must not overlap input.
 * Reference: ONNX, Gather with indices that are constants. */
#ifndef TINYCC_GATHER_H
#define TINYCC_GATHER_H

#include "../shared/common.h"

typedef struct {
    int32_t size;
    int32_t count;
    int32_t inner;
} tinycc_gather_shape;

typedef struct {
    const int16_t *indices; /* [count] */
} tinycc_gather_data;

/* One kernel for each element type. */
#define TINYCC_DEFINE_GATHER(element, type)                                                                  \
    TINYCC_INLINE void tinycc_gather_##element(const type *row, type *out_row, int32_t x0, int32_t x1,       \
                                               const tinycc_gather_shape *shape,                             \
                                               const tinycc_gather_data *data)                               \
    {                                                                                                        \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const type *const source = row + x * shape->size * shape->inner;                                 \
            type *const output = out_row + x * shape->count * shape->inner;                                  \
            for (int32_t j = 0; j < shape->count; ++j) {                                                     \
                memcpy(output + j * shape->inner, source + data->indices[j] * shape->inner,                  \
                       (size_t)shape->inner * sizeof(*source));                                              \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_GATHER(int8, int8_t)
TINYCC_DEFINE_GATHER(int16, int16_t)
TINYCC_DEFINE_GATHER(float32, float)

#undef TINYCC_DEFINE_GATHER

#endif
