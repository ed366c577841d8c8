/* The elementwise a + sign * b of add.h for Helium.
 *
 * The input with the larger scale has half the common scale, of which its values are exact multiples.
 * Aliasing: elements in ascending order, eight at a time, each written once its operands are read; in place
 * over either is right.
 * Reference: TFLite int8 specification, ADD and SUB. */
#ifndef TINYCC_ADD_HELIUM_H
#define TINYCC_ADD_HELIUM_H

#include "../shared/elementwise_runs.h"
#include "helium.h"

typedef struct {
    int32_t channels;
    int32_t a_pixel_stride;
    int32_t a_channel_stride;
    int32_t b_pixel_stride;
    int32_t b_channel_stride;
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

/* The same of a row of either operand and what the other one comes to. */
TINYCC_INLINE void tinycc_add_number_pairs(const int8_t *row, int is_exact, tinycc_lanes number, int8_t *out,
                                           int32_t count, int rectified, const tinycc_add_helium_data *data)
{
    const tinycc_add_operand operand = is_exact ? data->exact : data->other;
    tinycc_lanes even, odd;
    tinycc_load_pairs(&even, &odd, row, count, operand.factor, operand.offset);
    if (is_exact) {
        even = tinycc_add_lanes(even, number);
        odd = tinycc_add_lanes(odd, number);
    } else {
        even = tinycc_scale_lanes(even, data->other_multiplier, data->other_shift, 0);
        odd = tinycc_scale_lanes(odd, data->other_multiplier, data->other_shift, 0);
        even = tinycc_add_product(number, even, data->other_sign);
        odd = tinycc_add_product(number, odd, data->other_sign);
    }
    even = tinycc_scale_lanes(even, data->multiplier, data->shift, rectified);
    odd = tinycc_scale_lanes(odd, data->multiplier, data->shift, rectified);
    tinycc_store_pairs(out, even, odd, count, &data->range);
}

/* Functions for layers of all shapes. */
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

#define TINYCC_DEFINE_ADD_NUMBER(suffix, is_exact, rectified)                                                \
    TINYCC_SHARED void tinycc_add_number_##suffix(const int8_t *row, int32_t number, int8_t *out,            \
                                                  int32_t count, const tinycc_add_helium_data *constants)    \
    {                                                                                                        \
        const tinycc_add_helium_data data = *constants;                                                      \
        const tinycc_lanes lanes = tinycc_equal_lanes(number);                                               \
        for (; count >= 2 * TINYCC_LANES; count -= 2 * TINYCC_LANES) {                                       \
            tinycc_add_number_pairs(row, is_exact, lanes, out, 2 * TINYCC_LANES, rectified, &data);          \
            row += 2 * TINYCC_LANES;                                                                         \
            out += 2 * TINYCC_LANES;                                                                         \
        }                                                                                                    \
        if (count > 0) {                                                                                     \
            tinycc_add_number_pairs(row, is_exact, lanes, out, count, rectified, &data);                     \
        }                                                                                                    \
    }

TINYCC_DEFINE_ADD(full, 0)
TINYCC_DEFINE_ADD(rectified, 1)
TINYCC_DEFINE_ADD_NUMBER(exact_full, 1, 0)
TINYCC_DEFINE_ADD_NUMBER(exact_rectified, 1, 1)
TINYCC_DEFINE_ADD_NUMBER(other_full, 0, 0)
TINYCC_DEFINE_ADD_NUMBER(other_rectified, 0, 1)

#undef TINYCC_DEFINE_ADD
#undef TINYCC_DEFINE_ADD_NUMBER

TINYCC_INLINE void tinycc_add_helium_vectors(const int8_t *a, const int8_t *b, int8_t *out, int32_t count,
                                             const tinycc_add_helium_shape *shape,
                                             const tinycc_add_helium_data *data)
{
    const int8_t *const exact = data->exact_is_b ? b : a;
    const int8_t *const other = data->exact_is_b ? a : b;
    if (shape->rectified) {
        tinycc_add_rectified(exact, other, out, count, data);
    } else {
        tinycc_add_full(exact, other, out, count, data);
    }
}

TINYCC_INLINE void tinycc_add_helium_number(const int8_t *row, int is_b, int32_t number, int8_t *out,
                                            int32_t count, const tinycc_add_helium_shape *shape,
                                            const tinycc_add_helium_data *data)
{
    if (is_b == data->exact_is_b) {
        const int32_t widened = (number * data->other.factor + data->other.offset) * 65536;
        const int32_t scaled =
            data->other_sign * tinycc_requantize(widened, data->other_multiplier, data->other_shift);
        if (shape->rectified) {
            tinycc_add_number_exact_rectified(row, scaled, out, count, data);
        } else {
            tinycc_add_number_exact_full(row, scaled, out, count, data);
        }
    } else {
        const int32_t widened = (number * data->exact.factor + data->exact.offset) * 65536;
        if (shape->rectified) {
            tinycc_add_number_other_rectified(row, widened, out, count, data);
        } else {
            tinycc_add_number_other_full(row, widened, out, count, data);
        }
    }
}

TINYCC_DEFINE_ELEMENTWISE_RUNS(add_helium)

#endif
