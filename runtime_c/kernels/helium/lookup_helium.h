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
    const int8_t *table; /* [256]: the bytes of results, for elements taken as unsigned */
} tinycc_lookup_helium_data;

/* One kernel for each pair of element types. */
#define TINYCC_DEFINE_LOOKUP_HELIUM(name, source, result)                                                    \
    TINYCC_INLINE void tinycc_lookup_helium_##name(const source *row, result *out_row, int32_t x0,           \
                                                   int32_t x1, const tinycc_lookup_helium_shape *shape,      \
                                                   const tinycc_lookup_helium_data *data)                    \
    {                                                                                                        \
        const int32_t first = x0 * shape->channels;                                                          \
        tinycc_gather((int8_t *)out_row + first, (const int8_t *)row + first, data->table,                   \
                      x1 * shape->channels - first);                                                         \
    }

TINYCC_DEFINE_LOOKUP_HELIUM(int8, int8_t, int8_t)
TINYCC_DEFINE_LOOKUP_HELIUM(int8_uint8, int8_t, uint8_t)
TINYCC_DEFINE_LOOKUP_HELIUM(uint8_int8, uint8_t, int8_t)
TINYCC_DEFINE_LOOKUP_HELIUM(uint8_uint8, uint8_t, uint8_t)

#undef TINYCC_DEFINE_LOOKUP_HELIUM

#endif
