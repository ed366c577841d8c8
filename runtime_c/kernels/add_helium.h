/* The elementwise a + sign * b of add.h for Helium, without broadcasting.
 *
 * The input with the larger scale has half the common scale, of which its values are exact multiples.
 * Aliasing: elements in ascending order, eight at a time, each written once its operands are read; in place
 * over either is right.
 * Reference: TFLite int8 specification, ADD and SUB. */
#ifndef TINYCC_ADD_HELIUM_H
#define TINYCC_ADD_HELIUM_H

#include "helium.h"

typedef struct {
    int32_t rectified; /* see tinycc_rescale_lanes */
} tinycc_add_helium_shape;

/* An input times factor plus offset is the input less its zero point, shifted left: by 16 bits less than for
 * the common scale. */
typedef struct {
    int16_t factor;
    int16_t offset;
} tinycc_add_operand;

typedef struct {
    tinycc_add_operand exact; /* the input with the larger scale, with its sign */
    tinycc_add_operand other;
    int32_t other_multiplier;
    int32_t multiplier;
    int8_t other_shift; /* less than 0, like the other shift */
    int8_t shift;
    int8_t other_sign;
    int8_t exact_is_b;
    tinycc_output_range range;
} tinycc_add_helium_data;

/* Eight elements, or the first `count` of them. */
TINYCC_INLINE void tinycc_add_pairs(const int8_t *exact, const int8_t *other, int8_t *out, int32_t count,
                                    int rectified, const tinycc_add_helium_data *data)
{
    tinycc_lanes even, odd, other_even, other_odd;
    tinycc_load_pairs(&other_even, &other_odd, other, count, data->other.factor, data->other.offset);
    tinycc_load_pairs(&even, &odd, exact, count, data->exact.factor, data->exact.offset);
    other_even = tinycc_scale_lanes(other_even, data->other_multiplier, data->other_shift, 0);
    other_odd = tinycc_scale_lanes(other_odd, data->other_multiplier, data->other_shift, 0);
    even = tinycc_add_product(even, other_even, data->other_sign);
    odd = tinycc_add_product(odd, other_odd, data->other_sign);
    even = tinycc_scale_lanes(even, data->multiplier, data->shift, rectified);
    odd = tinycc_scale_lanes(odd, data->multiplier, data->shift, rectified);
    tinycc_store_pairs(out, even, odd, count, &data->range);
}

/* Two functions for layers of all shapes. */
#define TINYCC_DEFINE_ADD(suffix, rectified)                                                                 \
    TINYCC_SHARED void tinycc_add_##suffix(const int8_t *exact, const int8_t *other, int8_t *out,            \
                                           int32_t count, const tinycc_add_helium_data *constants)           \
    {                                                                                                        \
        const tinycc_add_helium_data data = *constants;                                                      \
        for (; count >= 2 * TINYCC_LANES; count -= 2 * TINYCC_LANES) {                                       \
            tinycc_add_pairs(exact, other, out, 2 * TINYCC_LANES, rectified, &data);                         \
            exact += 2 * TINYCC_LANES;                                                                       \
            other += 2 * TINYCC_LANES;                                                                       \
            out += 2 * TINYCC_LANES;                                                                         \
        }                                                                                                    \
        if (count > 0) {                                                                                     \
            tinycc_add_pairs(exact, other, out, count, rectified, &data);                                    \
        }                                                                                                    \
    }

TINYCC_DEFINE_ADD(full, 0)
TINYCC_DEFINE_ADD(rectified, 1)

#undef TINYCC_DEFINE_ADD

TINYCC_INLINE void tinycc_add_helium_int8(const int8_t *a, const int8_t *b, int8_t *out_row, int32_t x0,
                                          int32_t x1, const tinycc_add_helium_shape *shape,
                                          const tinycc_add_helium_data *data)
{
    const int8_t *const exact = (data->exact_is_b ? b : a) + x0;
    const int8_t *const other = (data->exact_is_b ? a : b) + x0;
    if (shape->rectified) {
        tinycc_add_rectified(exact, other, out_row + x0, x1 - x0, data);
    } else {
        tinycc_add_full(exact, other, out_row + x0, x1 - x0, data);
    }
}

#endif
