/* The gradient of integers before a result was rescaled and clamped, given that of the result:
 *
 *   out[x][c] = product(gradient[x][c] / 2**(after - before), factors[x or c], bits)
 *               where low < result[x][c] < high, else 0
 *
 * the quotient rounded to nearest with halves up; it has 15 bits, as factors have. There is a factor for each
 * pixel x, for each channel c, or one for all. product: shared/gradient_integers.h.
 * tinycc_mask_gradient has a mask in place of the result, see clamp_gradient.h.
 * Aliasing: output may end where the gradient ends; elements in descending order, each is read before it is
 * written. So what was the beginning of a longer gradient is free for what is computed next. */
#ifndef TINYCC_CLAMP_GRADIENT_INT16_H
#define TINYCC_CLAMP_GRADIENT_INT16_H

#include "../shared/gradient_integers.h"

typedef struct {
    int32_t channels;
    int32_t pixel_step; /* from one factor to the next, by pixels and by channels */
    int32_t channel_step;
    int32_t bits; /* of the output */
} tinycc_clamp_gradient_int16_shape;

typedef struct {
    const int16_t *factors;
    int32_t low;
    int32_t high;
} tinycc_clamp_gradient_int16_data;

/* low < value < high in one comparison. */
TINYCC_INLINE int tinycc_clamp_gradient_passes(const int8_t *result, int32_t i, uint32_t first,
                                               uint32_t count)
{
    return (uint32_t)result[i] - first < count;
}

TINYCC_INLINE int tinycc_mask_gradient_passes(const uint8_t *mask, int32_t i, uint32_t first, uint32_t count)
{
    (void)first;
    (void)count;
    return (mask[i >> 3] >> (i & 7) & 1) != 0;
}

#define TINYCC_DEFINE_CLAMP_GRADIENT(name, result_type, element, type)                                       \
    TINYCC_INLINE void tinycc_##name##_gradient_rows_##element(                                              \
        const type *gradient, const result_type *result, int32_t right, int32_t left, int16_t *out_row,      \
        int32_t x0, int32_t x1, const tinycc_clamp_gradient_int16_shape *shape,                              \
        const tinycc_clamp_gradient_int16_data *data)                                                        \
    {                                                                                                        \
        const uint32_t first = (uint32_t)data->low + 1u;                                                     \
        const uint32_t count = data->high > data->low ? (uint32_t)(data->high - data->low - 1) : 0u;         \
        int32_t i = x1 * shape->channels;                                                                    \
        for (int32_t x = x1 - 1; x >= x0; --x) {                                                             \
            for (int32_t c = shape->channels - 1; c >= 0; --c) {                                             \
                --i;                                                                                         \
                const int32_t value = tinycc_gradient_load_##element(gradient + i);                          \
                int32_t product = 0;                                                                         \
                if (tinycc_##name##_gradient_passes(result, i, first, count)) {                              \
                    const int32_t factor = data->factors[x * shape->pixel_step + c * shape->channel_step];   \
                    const int32_t shifted =                                                                  \
                        right > 0 ? tinycc_round_right(value, right) : tinycc_shift_left(value, left);       \
                    product = tinycc_gradient_product(shifted, factor, shape->bits);                         \
                }                                                                                            \
                tinycc_gradient_store_int16(out_row + i, product);                                           \
            }                                                                                                \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    TINYCC_INLINE void tinycc_##name##_gradient_##element(                                                   \
        const type *gradient, const result_type *result, const int32_t *before, const int32_t *after,        \
        int16_t *out_row, int32_t x0, int32_t x1, const tinycc_clamp_gradient_int16_shape *shape,            \
        const tinycc_clamp_gradient_int16_data *data)                                                        \
    {                                                                                                        \
        const int32_t right = *after - *before;                                                              \
        if (right > 0) {                                                                                     \
            tinycc_##name##_gradient_rows_##element(gradient, result, right, 0, out_row, x0, x1, shape,      \
                                                    data);                                                   \
        } else {                                                                                             \
            tinycc_##name##_gradient_rows_##element(gradient, result, 0, -right, out_row, x0, x1, shape,     \
                                                    data);                                                   \
        }                                                                                                    \
    }

TINYCC_DEFINE_CLAMP_GRADIENT(clamp, int8_t, int16, int16_t)
TINYCC_DEFINE_CLAMP_GRADIENT(clamp, int8_t, int32, int32_t)
TINYCC_DEFINE_CLAMP_GRADIENT(mask, uint8_t, int16, int16_t)
TINYCC_DEFINE_CLAMP_GRADIENT(mask, uint8_t, int32, int32_t)

#undef TINYCC_DEFINE_CLAMP_GRADIENT

#endif
