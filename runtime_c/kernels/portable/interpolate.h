/* A function of each int16 element: a table of 512 steps and the end, interpolated.
 *
 *   out = clamp(round((table[i] + (table[i + 1] - table[i]) * f / 128) / 2**fraction_bits))
 *
 * where in + 32768 is 128 i + f. Results are in steps of the output, with fraction_bits more bits.
 * Aliasing: elements in ascending order, each read before it is written; in place is right. */
#ifndef TINYCC_INTERPOLATE_H
#define TINYCC_INTERPOLATE_H

#include "../shared/common.h"

typedef struct {
    int32_t channels;
    int32_t fraction_bits;
} tinycc_interpolate_shape;

typedef struct {
    const int16_t *table; /* [513] */
    int32_t output_min;
    int32_t output_max;
} tinycc_interpolate_data;

/* One kernel for each type of result. */
#define TINYCC_DEFINE_INTERPOLATE(name, result)                                                              \
    TINYCC_INLINE void tinycc_interpolate_##name(const int16_t *row, result *out_row, int32_t x0,            \
                                                 int32_t x1, const tinycc_interpolate_shape *shape,          \
                                                 const tinycc_interpolate_data *data)                        \
    {                                                                                                        \
        const int32_t bits = 7 + shape->fraction_bits;                                                       \
        for (int32_t x = x0 * shape->channels; x < x1 * shape->channels; ++x) {                              \
            const int32_t position = row[x] + 32768;                                                         \
            const int16_t *const step = data->table + position / 128;                                        \
            const int32_t sum = step[0] * 128 + (step[1] - step[0]) * (position % 128);                      \
            /* Shifted into positive numbers, which are rounded down. */                                     \
            const int32_t rounded = (int32_t)(((uint32_t)sum + (1u << 30) + (1u << (bits - 1))) >> bits) -   \
                                    (int32_t)((1u << 30) >> bits);                                           \
            out_row[x] = (result)tinycc_clamp(rounded, data->output_min, data->output_max);                  \
        }                                                                                                    \
    }

TINYCC_DEFINE_INTERPOLATE(int8, int8_t)
TINYCC_DEFINE_INTERPOLATE(int16, int16_t)

#undef TINYCC_DEFINE_INTERPOLATE

#endif
