/* As multiply.h for Helium: eight elements at a time.
 *
 * Aliasing: elements in ascending order, each written once its operands are read; in place over either is
 * right. */
#ifndef TINYCC_MULTIPLY_HELIUM_H
#define TINYCC_MULTIPLY_HELIUM_H

#include "../shared/elementwise_runs.h"
#include "helium.h"

typedef struct {
    int32_t channels;
    int32_t a_pixel_stride;
    int32_t a_channel_stride;
    int32_t b_pixel_stride;
    int32_t b_channel_stride;
    int32_t mode; /* whether results are rectified: see tinycc_rescale_lanes */
} tinycc_multiply_helium_shape;

typedef struct {
    int32_t multiplier;
    int8_t shift; /* less than 0 */
    int8_t a_zero_point;
    int8_t b_zero_point;
    tinycc_output_range range;
} tinycc_multiply_helium_data;

/* Eight products, or the first `count`, as outputs. */
TINYCC_INLINE void tinycc_multiply_eight(tinycc_eight a, tinycc_eight b, int8_t *out, int32_t count,
                                         const tinycc_multiply_helium_data *data, int rectified)
{
    tinycc_lanes even, odd;
    tinycc_multiply_pairs(&even, &odd, a, b);
    even = tinycc_scale_lanes(even, data->multiplier, data->shift, rectified);
    odd = tinycc_scale_lanes(odd, data->multiplier, data->shift, rectified);
    tinycc_store_pairs(out, even, odd, count, &data->range);
}

/* Functions for all operators. */
TINYCC_SHARED void tinycc_multiply_eights(const int8_t *a, const int8_t *b, int8_t *out, int32_t count,
                                          const tinycc_multiply_helium_data *constants, int32_t mode)
{
    const tinycc_multiply_helium_data data = *constants;
    for (int32_t i = 0; i < count; i += 2 * TINYCC_LANES) {
        const tinycc_eight left = tinycc_load_eight(a + i, count - i, data.a_zero_point);
        const tinycc_eight right = tinycc_load_eight(b + i, count - i, data.b_zero_point);
        tinycc_multiply_eight(left, right, out + i, count - i, &data, mode);
    }
}

TINYCC_SHARED void tinycc_multiply_eights_by_number(const int8_t *a, int32_t number, int8_t *out,
                                                    int32_t count,
                                                    const tinycc_multiply_helium_data *constants,
                                                    int32_t zero_point, int32_t mode)
{
    const tinycc_multiply_helium_data data = *constants;
    const tinycc_eight right = tinycc_fill_eight(number);
    for (int32_t i = 0; i < count; i += 2 * TINYCC_LANES) {
        const tinycc_eight left = tinycc_load_eight(a + i, count - i, zero_point);
        tinycc_multiply_eight(left, right, out + i, count - i, &data, mode);
    }
}

TINYCC_INLINE void tinycc_multiply_helium_vectors(const int8_t *a, const int8_t *b, int8_t *out,
                                                  int32_t count, const tinycc_multiply_helium_shape *shape,
                                                  const tinycc_multiply_helium_data *data)
{
    tinycc_multiply_eights(a, b, out, count, data, shape->mode);
}

TINYCC_INLINE void tinycc_multiply_helium_number(const int8_t *row, int is_b, int32_t number, int8_t *out,
                                                 int32_t count, const tinycc_multiply_helium_shape *shape,
                                                 const tinycc_multiply_helium_data *data)
{
    const int32_t zero_point = is_b ? data->b_zero_point : data->a_zero_point;
    number -= is_b ? data->a_zero_point : data->b_zero_point;
    tinycc_multiply_eights_by_number(row, number, out, count, data, zero_point, shape->mode);
}

TINYCC_DEFINE_ELEMENTWISE_RUNS(multiply_helium)

#endif
