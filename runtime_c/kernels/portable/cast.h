/* Change of element type: values that fit stay, others wrap.
 *
 * Aliasing: output must not overlap input.
 * Reference: TFLite, CAST. */
#ifndef TINYCC_CAST_H
#define TINYCC_CAST_H

#include "../shared/common.h"

typedef struct {
    int32_t channels;
} tinycc_cast_shape;

typedef struct {
    int32_t zero; /* unused; C has no empty structures */
} tinycc_cast_data;

/* One kernel for each pair of element types. */
#define TINYCC_DEFINE_CAST(source, result)                                                                   \
    TINYCC_INLINE void tinycc_cast_##source##_##result(                                                      \
        const source##_t *row, result##_t *out_row, int32_t x0, int32_t x1, const tinycc_cast_shape *shape,  \
        const tinycc_cast_data *data)                                                                        \
    {                                                                                                        \
        (void)data;                                                                                          \
        for (int32_t i = x0 * shape->channels; i < x1 * shape->channels; ++i) {                              \
            out_row[i] = (result##_t)row[i];                                                                 \
        }                                                                                                    \
    }

TINYCC_DEFINE_CAST(int8, int16)
TINYCC_DEFINE_CAST(int8, int32)
TINYCC_DEFINE_CAST(int16, int8)
TINYCC_DEFINE_CAST(int16, int32)
TINYCC_DEFINE_CAST(int32, int8)
TINYCC_DEFINE_CAST(int32, int16)

#undef TINYCC_DEFINE_CAST

#endif
