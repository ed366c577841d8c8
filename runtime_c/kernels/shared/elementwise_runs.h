/* Elementwise operators of two int8 inputs by runs: as many elements in a row as both inputs, or one of them
 * and a single number, go along with.
 *
 * Aliasing: as in elementwise.h. */
#ifndef TINYCC_ELEMENTWISE_RUNS_H
#define TINYCC_ELEMENTWISE_RUNS_H

#include "elementwise.h"

/* Defines tinycc_<op>_int8(a, b, out_row, x0, x1, shape, data) by
 * tinycc_<op>_vectors(a, b, out, count, shape, data) and
 * tinycc_<op>_number(row, is_b, number, out, count, shape, data): of `row`, which is b or else a, and an
 * element of the other input. */
#define TINYCC_DEFINE_ELEMENTWISE_RUNS(op)                                                                   \
    TINYCC_INLINE void tinycc_##op##_run(const int8_t *a, const int8_t *b, int8_t *out, int32_t count,       \
                                         const tinycc_##op##_shape *shape, const tinycc_##op##_data *data)   \
    {                                                                                                        \
        if (shape->b_channel_stride == 0) {                                                                  \
            tinycc_##op##_number(a, 0, *b, out, count, shape, data);                                         \
        } else if (shape->a_channel_stride == 0) {                                                           \
            tinycc_##op##_number(b, 1, *a, out, count, shape, data);                                         \
        } else {                                                                                             \
            tinycc_##op##_vectors(a, b, out, count, shape, data);                                            \
        }                                                                                                    \
    }                                                                                                        \
    TINYCC_INLINE void tinycc_##op##_int8(const int8_t *a, const int8_t *b, int8_t *out_row, int32_t x0,     \
                                          int32_t x1, const tinycc_##op##_shape *shape,                      \
                                          const tinycc_##op##_data *data)                                    \
    {                                                                                                        \
        const int32_t channels = shape->channels;                                                            \
        const int is_one_run = shape->a_pixel_stride == channels * shape->a_channel_stride &&                \
                               shape->b_pixel_stride == channels * shape->b_channel_stride;                  \
        if (is_one_run) {                                                                                    \
            tinycc_##op##_run(a + x0 * shape->a_pixel_stride, b + x0 * shape->b_pixel_stride,                \
                              out_row + x0 * channels, (x1 - x0) * channels, shape, data);                   \
            return;                                                                                          \
        }                                                                                                    \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            tinycc_##op##_run(a + x * shape->a_pixel_stride, b + x * shape->b_pixel_stride,                  \
                              out_row + x * channels, channels, shape, data);                                \
        }                                                                                                    \
    }

#endif
