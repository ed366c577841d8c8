/* Gradient of integers before a function of one integer:
 *
 *   out[x] = product(gradient[x] / 2**(after - before), table[source[x] + 128], 15)
 *
 * the quotient rounded to nearest with halves up; it has 15 bits. product: shared/gradient_integers.h.
 * Aliasing: output may be the gradient; element after element, each is read before it is written. */
#ifndef TINYCC_TABLE_GRADIENT_INT16_H
#define TINYCC_TABLE_GRADIENT_INT16_H

#include "../shared/any_type.h"
#include "../shared/gradient_integers.h"

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_table_gradient_int16_shape;

typedef struct {
    const int16_t *table; /* derivatives for -128 ... 127 */
} tinycc_table_gradient_int16_data;

#define TINYCC_DEFINE_TABLE_GRADIENT(element, type)                                                          \
    TINYCC_INLINE void tinycc_table_gradient_##element(                                                      \
        const type *gradient, const int8_t *source, const int32_t *before, const int32_t *after,             \
        int16_t *out_row, int32_t x0, int32_t x1, const tinycc_table_gradient_int16_shape *shape,            \
        const tinycc_table_gradient_int16_data *data)                                                        \
    {                                                                                                        \
        const int32_t right = *after - *before;                                                              \
        (void)shape;                                                                                         \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const int32_t shifted =                                                                          \
                right > 0 ? tinycc_round_right(gradient[x], right) : tinycc_shift_left(gradient[x], -right); \
            out_row[x] = (int16_t)tinycc_gradient_product(shifted, data->table[source[x] + 128], 15);        \
        }                                                                                                    \
    }

TINYCC_DEFINE_TABLE_GRADIENT(int16, tinycc_any_int16)
TINYCC_DEFINE_TABLE_GRADIENT(int32, tinycc_any_int32)

#undef TINYCC_DEFINE_TABLE_GRADIENT

#endif
