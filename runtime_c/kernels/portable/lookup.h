/* Any function of one int8 or uint8 element, as a table: out[i] = table[in[i] - the least element].
 *
 * Aliasing: elements in ascending order, each read before it is written; in place is right. */
#ifndef TINYCC_LOOKUP_H
#define TINYCC_LOOKUP_H

#include "../shared/common.h"

typedef struct {
    int32_t channels; /* of a pixel */
} tinycc_lookup_shape;

typedef struct {
    const int8_t *table; /* [256]; for uint8 results, the bytes of these */
} tinycc_lookup_data;

/* One kernel for each pair of element types. */
#define TINYCC_DEFINE_LOOKUP(name, source, result, offset)                                                   \
    TINYCC_INLINE void tinycc_lookup_##name(const source *row, result *out_row, int32_t x0, int32_t x1,      \
                                            const tinycc_lookup_shape *shape,                                \
                                            const tinycc_lookup_data *data)                                  \
    {                                                                                                        \
        TINYCC_UNROLL                                                                                        \
        for (int32_t i = x0 * shape->channels; i < x1 * shape->channels; ++i) {                              \
            out_row[i] = (result)data->table[row[i] + (offset)];                                             \
        }                                                                                                    \
    }

TINYCC_DEFINE_LOOKUP(int8, int8_t, int8_t, 128)
TINYCC_DEFINE_LOOKUP(int8_uint8, int8_t, uint8_t, 128)
TINYCC_DEFINE_LOOKUP(uint8_int8, uint8_t, int8_t, 0)
TINYCC_DEFINE_LOOKUP(uint8_uint8, uint8_t, uint8_t, 0)

#undef TINYCC_DEFINE_LOOKUP

#endif
