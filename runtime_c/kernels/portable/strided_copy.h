/* A tensor read with strides of four dimensions: transposes and slices.
 *
 * Aliasing: output must not overlap input.
 * Reference: TFLite, TRANSPOSE, SLICE and STRIDED_SLICE. */
#ifndef TINYCC_STRIDED_COPY_H
#define TINYCC_STRIDED_COPY_H

#include "../shared/common.h"

/* In elements. A row is so many columns, each read with four sizes and strides; first is the position of the
 * first element of the first one. */
typedef struct {
    int32_t first;
    int32_t column_stride;
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

/* One kernel for each element type; for a whole tensor it is one row of one column. */
#define TINYCC_DEFINE_STRIDED_COPY(name, element)                                                            \
    TINYCC_INLINE void tinycc_strided_copy_##name(const element *row, element *out_row, int32_t x0,          \
                                                  int32_t x1, const tinycc_strided_copy_shape *shape,        \
                                                  const tinycc_strided_copy_data *data)                      \
    {                                                                                                        \
        const int32_t size = shape->size0 * shape->size1 * shape->size2 * shape->size3;                      \
        (void)data;                                                                                          \
        out_row += x0 * size;                                                                                \
        row += shape->first;                                                                                 \
        if (size == shape->size3 && shape->stride3 == 1 && shape->column_stride == size) {                   \
            memcpy(out_row, row + x0 * size, (size_t)((x1 - x0) * size) * sizeof(*row));                     \
            return;                                                                                          \
        }                                                                                                    \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const element *const column = row + x * shape->column_stride;                                    \
            for (int32_t i = 0; i < shape->size0; ++i) {                                                     \
                for (int32_t j = 0; j < shape->size1; ++j) {                                                 \
                    for (int32_t k = 0; k < shape->size2; ++k) {                                             \
                        const element *source =                                                              \
                            column + i * shape->stride0 + j * shape->stride1 + k * shape->stride2;           \
                        if (shape->stride3 == 1 && shape->size3 >= TINYCC_LONG_RUN) {                        \
                            memcpy(out_row, source, (size_t)shape->size3 * sizeof(*source));                 \
                            out_row += shape->size3;                                                         \
                            continue;                                                                        \
                        }                                                                                    \
                        for (int32_t l = 0; l < shape->size3; ++l) {                                         \
                            *out_row++ = source[l * shape->stride3];                                         \
                        }                                                                                    \
                    }                                                                                        \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_STRIDED_COPY(int8, int8_t)
TINYCC_DEFINE_STRIDED_COPY(int16, int16_t)
TINYCC_DEFINE_STRIDED_COPY(int32, int32_t)
TINYCC_DEFINE_STRIDED_COPY(float32, float)

#undef TINYCC_DEFINE_STRIDED_COPY

#endif
