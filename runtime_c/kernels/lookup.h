/* Any function of one int8 element, as a table: out[i] = table[in[i] + 128].
 *
 * Aliasing: elements in ascending order, each read before it is written; in place is right. */
#ifndef TINYCC_LOOKUP_H
#define TINYCC_LOOKUP_H

#include "common.h"

typedef struct {
    int32_t channels; /* of a pixel */
} tinycc_lookup_shape;

typedef struct {
    const int8_t *table; /* [256] */
} tinycc_lookup_data;

TINYCC_INLINE void tinycc_lookup_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                      const tinycc_lookup_shape *shape, const tinycc_lookup_data *data)
{
    TINYCC_UNROLL
    for (int32_t i = x0 * shape->channels; i < x1 * shape->channels; ++i) {
        out_row[i] = data->table[row[i] + 128];
    }
}

#endif
