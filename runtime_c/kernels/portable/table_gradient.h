/* Gradient before a function of one integer: out[x] = gradient[x] * table[source[x] + 128].
 *
 * Aliasing: output may be the gradient; element after element, each is read before it is written. */
#ifndef TINYCC_TABLE_GRADIENT_H
#define TINYCC_TABLE_GRADIENT_H

#include "../shared/common.h"

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_table_gradient_shape;

typedef struct {
    const float *table; /* derivatives for -128 ... 127 */
} tinycc_table_gradient_data;

TINYCC_INLINE void tinycc_table_gradient_float32(const float *gradient, const int8_t *source, float *out_row,
                                                 int32_t x0, int32_t x1,
                                                 const tinycc_table_gradient_shape *shape,
                                                 const tinycc_table_gradient_data *data)
{
    (void)shape;
    for (int32_t x = x0; x < x1; ++x) {
        out_row[x] = gradient[x] * data->table[source[x] + 128];
    }
}

#endif
