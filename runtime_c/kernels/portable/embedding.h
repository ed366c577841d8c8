/* Rows of a table.
 *
 *   out[x][i] = table[indices[x]][i]
 *
 * An index outside of the table is taken modulo its rows, or is the nearest: nothing else is read.
 * Aliasing: output must not overlap input.
 * Reference: ONNX, Gather along the first axis. */
#ifndef TINYCC_EMBEDDING_H
#define TINYCC_EMBEDDING_H

#include "../shared/common.h"

/* One set for each element type, and each type of index. */
#define TINYCC_DEFINE_EMBEDDING(index_type, element, type)                                                   \
    TINYCC_INLINE void tinycc_embedding_##index_type##_##element(                                            \
        const index_type##_t *indices, type *out_row, int32_t x0, int32_t x1,                                \
        const tinycc_embedding_##element##_shape *shape, const tinycc_embedding_##element##_data *data)      \
    {                                                                                                        \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            index_type##_t row = indices[x];                                                                 \
            if (row < 0 || row >= shape->rows) {                                                             \
                if (!shape->is_modular) {                                                                    \
                    row = row < 0 ? 0 : shape->rows - 1;                                                     \
                } else {                                                                                     \
                    row %= shape->rows;                                                                      \
                    row += row < 0 ? shape->rows : 0;                                                        \
                }                                                                                            \
            }                                                                                                \
            memcpy(out_row + x * shape->width, data->table + (int32_t)row * shape->width,                    \
                   (size_t)shape->width * sizeof(*out_row));                                                 \
        }                                                                                                    \
    }

#define TINYCC_DEFINE_EMBEDDINGS(element, type)                                                              \
    typedef struct {                                                                                         \
        int32_t rows;                                                                                        \
        int32_t width;                                                                                       \
        int32_t is_modular;                                                                                  \
    } tinycc_embedding_##element##_shape;                                                                    \
    typedef struct {                                                                                         \
        const type *table; /* [rows][width] */                                                               \
    } tinycc_embedding_##element##_data;                                                                     \
    TINYCC_DEFINE_EMBEDDING(int32, element, type)                                                            \
    TINYCC_DEFINE_EMBEDDING(int64, element, type)

TINYCC_DEFINE_EMBEDDINGS(int8, int8_t)
TINYCC_DEFINE_EMBEDDINGS(int16, int16_t)
TINYCC_DEFINE_EMBEDDINGS(float32, float)

#undef TINYCC_DEFINE_EMBEDDINGS
#undef TINYCC_DEFINE_EMBEDDING

#endif
