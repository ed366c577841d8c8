/* Loops of elementwise operators of two inputs, with broadcasting.
 *
 * Aliasing: elements in ascending order, each written once its operands are read; in place over either is
 * right. */
#ifndef TINYCC_ELEMENTWISE_H
#define TINYCC_ELEMENTWISE_H

#include "common.h"

/* Strides are in elements, 0 where an input is broadcast. */
typedef struct {
    int32_t channels;
    int32_t a_pixel_stride;
    int32_t a_channel_stride;
    int32_t b_pixel_stride;
    int32_t b_channel_stride;
} tinycc_elementwise_shape;

/* Defines tinycc_<op>_<element>(a, b, out_row, x0, x1, shape, data), which writes the results of
 * tinycc_<op>_values(a element, b element, data). */
#define TINYCC_DEFINE_ELEMENTWISE(op, element)                                                               \
    TINYCC_INLINE void tinycc_##op##_##element(                                                              \
        const element##_t *a, const element##_t *b, element##_t *out_row, int32_t x0, int32_t x1,            \
        const tinycc_##op##_shape *shape, const tinycc_##op##_data *data)                                    \
    {                                                                                                        \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            for (int32_t c = 0; c < shape->channels; ++c) {                                                  \
                const int32_t left = a[x * shape->a_pixel_stride + c * shape->a_channel_stride];             \
                const int32_t right = b[x * shape->b_pixel_stride + c * shape->b_channel_stride];            \
                out_row[x * shape->channels + c] = (element##_t)tinycc_##op##_values(left, right, data);     \
            }                                                                                                \
        }                                                                                                    \
    }

#endif
