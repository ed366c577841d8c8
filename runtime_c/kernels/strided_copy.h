/* A tensor read with strides of four dimensions: transposes and slices.
 *
 * Aliasing: output must not overlap input.
 * Reference: TFLite, TRANSPOSE, SLICE and STRIDED_SLICE. */
#ifndef TINYCC_STRIDED_COPY_H
#define TINYCC_STRIDED_COPY_H

#include "common.h"

/* In elements; first is the position of the first one that is read. */
typedef struct {
    int32_t first;
    int32_t size0;
    int32_t stride0;
    int32_t size1;
    int32_t stride1;
    int32_t size2;
    int32_t stride2;
    int32_t size3;
    int32_t stride3;
} tinycc_strided_copy_shape;

typedef struct {
    int32_t zero;
} tinycc_strided_copy_data;

/* Elements in a row that are worth the call of a function. */
#define TINYCC_LONG_RUN 8

/* One kernel for each element type; the tensor is one row, [x0, x1) is [0, 1). */
#define TINYCC_DEFINE_STRIDED_COPY(element)                                                                  \
    TINYCC_INLINE void tinycc_strided_copy_##element(                                                        \
        const element##_t *row, element##_t *out_row, int32_t x0, int32_t x1,                                \
        const tinycc_strided_copy_shape *shape, const tinycc_strided_copy_data *data)                        \
    {                                                                                                        \
        (void)x0;                                                                                            \
        (void)x1;                                                                                            \
        (void)data;                                                                                          \
        for (int32_t i = 0; i < shape->size0; ++i) {                                                         \
            for (int32_t j = 0; j < shape->size1; ++j) {                                                     \
                for (int32_t k = 0; k < shape->size2; ++k) {                                                 \
                    const element##_t *source =                                                              \
                        row + shape->first + i * shape->stride0 + j * shape->stride1 + k * shape->stride2;   \
                    if (shape->stride3 == 1 && shape->size3 >= TINYCC_LONG_RUN) {                            \
                        memcpy(out_row, source, (size_t)shape->size3 * sizeof(*source));                     \
                        out_row += shape->size3;                                                             \
                        continue;                                                                            \
                    }                                                                                        \
                    for (int32_t l = 0; l < shape->size3; ++l) {                                             \
                        *out_row++ = source[l * shape->stride3];                                             \
                    }                                                                                        \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_STRIDED_COPY(int8)
TINYCC_DEFINE_STRIDED_COPY(int16)

#undef TINYCC_DEFINE_STRIDED_COPY

#endif
