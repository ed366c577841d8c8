/* The sum of two gradients of integers, each of which has an exponent, and an offset that is added to it:
 *
 *   exponent = max(a_exponent + a_offset, b_exponent + b_offset) + 1
 *   out[x] = a[x] / 2**(exponent - a_exponent - a_offset) + b[x] / 2**(exponent - b_exponent - b_offset)
 *
 * each rounded to nearest with halves up; no sum overflows.
 * Aliasing: output may be a gradient of int32; element after element, each is read before it is written. */
#ifndef TINYCC_ADD_GRADIENTS_H
#define TINYCC_ADD_GRADIENTS_H

#include "../shared/gradient_integers.h"

typedef struct {
    int32_t a_offset;
    int32_t b_offset;
} tinycc_add_gradients_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_add_gradients_data;

TINYCC_INLINE void tinycc_sum_exponent(const int32_t *a, const int32_t *b, int32_t *out_row, int32_t x0,
                                       int32_t x1, const tinycc_add_gradients_shape *shape,
                                       const tinycc_add_gradients_data *data)
{
    const int32_t of_a = *a + shape->a_offset, of_b = *b + shape->b_offset;
    (void)x0;
    (void)x1;
    (void)data;
    *out_row = (of_a > of_b ? of_a : of_b) + 1;
}

#define TINYCC_DEFINE_ADD_GRADIENTS(element_a, type_a, element_b, type_b)                                    \
    TINYCC_INLINE void tinycc_add_gradients_##element_a##_##element_b(                                       \
        const type_a *a, const type_b *b, const int32_t *a_exponent, const int32_t *b_exponent,              \
        const int32_t *exponent, int32_t *out_row, int32_t x0, int32_t x1,                                   \
        const tinycc_add_gradients_shape *shape, const tinycc_add_gradients_data *data)                      \
    {                                                                                                        \
        const int32_t a_shift =                                                                              \
            tinycc_min(*exponent - *a_exponent - shape->a_offset, TINYCC_GRADIENT_MOST_SHIFT);               \
        const int32_t b_shift =                                                                              \
            tinycc_min(*exponent - *b_exponent - shape->b_offset, TINYCC_GRADIENT_MOST_SHIFT);               \
        (void)data;                                                                                          \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            out_row[x] = tinycc_round_right(a[x], a_shift) + tinycc_round_right(b[x], b_shift);              \
        }                                                                                                    \
    }

TINYCC_DEFINE_ADD_GRADIENTS(int32, int32_t, int32, int32_t)
TINYCC_DEFINE_ADD_GRADIENTS(int32, int32_t, int16, int16_t)
TINYCC_DEFINE_ADD_GRADIENTS(int16, int16_t, int16, int16_t)

#undef TINYCC_DEFINE_ADD_GRADIENTS

#endif
