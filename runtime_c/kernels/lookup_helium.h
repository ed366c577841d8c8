/* As lookup.h, with Helium's gathering loads: sixteen elements at a time.
 *
 * Aliasing: elements in ascending order, each vector read before it is written; in place is right. */
#ifndef TINYCC_LOOKUP_HELIUM_H
#define TINYCC_LOOKUP_HELIUM_H

#include "helium.h"

typedef struct {
    int32_t channels; /* of a pixel */
} tinycc_lookup_helium_shape;

typedef struct {
    const int8_t *table; /* [256]: results of 0 ... 127, then of -128 ... -1 */
} tinycc_lookup_helium_data;

TINYCC_INLINE void tinycc_lookup_helium_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                             const tinycc_lookup_helium_shape *shape,
                                             const tinycc_lookup_helium_data *data)
{
    const int32_t first = x0 * shape->channels;
    tinycc_gather(out_row + first, row + first, data->table, x1 * shape->channels - first);
}

#endif
