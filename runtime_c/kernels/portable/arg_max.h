/* Index of the largest, or smallest, element along a dimension; of equals, the first.
 *
 * Input is [x][size][inner], output [x][inner].
 * Aliasing: output must not overlap input.
 * Reference: TFLite, ARG_MAX. */
#ifndef TINYCC_ARG_MAX_H
#define TINYCC_ARG_MAX_H

#include "../shared/common.h"

typedef struct {
    int32_t size;
    int32_t inner;
    int32_t is_minimum;
} tinycc_arg_max_shape;

typedef struct {
    int32_t first; /* what counting starts from */
} tinycc_arg_max_data;

/* One kernel for each type of element and index. */
#define TINYCC_DEFINE_ARG_MAX(name, source, index)                                                           \
    TINYCC_INLINE void tinycc_arg_max_##name(const source *row, index *out_row, int32_t x0, int32_t x1,      \
                                             const tinycc_arg_max_shape *shape,                              \
                                             const tinycc_arg_max_data *data)                                \
    {                                                                                                        \
        for (int32_t i = x0 * shape->inner; i < x1 * shape->inner; ++i) {                                    \
            const source *values = row + i / shape->inner * shape->size * shape->inner + i % shape->inner;   \
            int32_t best = 0;                                                                                \
            for (int32_t k = 1; k < shape->size; ++k) {                                                      \
                const int32_t more = values[k * shape->inner] - values[best * shape->inner];                 \
                if (shape->is_minimum ? more < 0 : more > 0) {                                               \
                    best = k;                                                                                \
                }                                                                                            \
            }                                                                                                \
            out_row[i] = best + data->first;                                                                 \
        }                                                                                                    \
    }

TINYCC_DEFINE_ARG_MAX(int32, int8_t, int32_t)
TINYCC_DEFINE_ARG_MAX(int64, int8_t, int64_t)
TINYCC_DEFINE_ARG_MAX(uint8_int32, uint8_t, int32_t)
TINYCC_DEFINE_ARG_MAX(uint8_int64, uint8_t, int64_t)

#undef TINYCC_DEFINE_ARG_MAX

#endif
