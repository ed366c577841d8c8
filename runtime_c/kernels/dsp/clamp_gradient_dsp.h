/* As clamp_gradient_int16.h with a mask, with the DSP extension: eight elements at a time, for which a byte
 * of the mask is read once. Columns begin with a byte of the mask where there are several to a byte.
 *
 * Aliasing: as in clamp_gradient_int16.h. */
#ifndef TINYCC_CLAMP_GRADIENT_DSP_H
#define TINYCC_CLAMP_GRADIENT_DSP_H

#include "../portable/clamp_gradient_int16.h"
#include "dsp.h"

typedef tinycc_clamp_gradient_int16_shape tinycc_clamp_gradient_dsp_shape;
typedef tinycc_clamp_gradient_int16_data tinycc_clamp_gradient_dsp_data;

/* value / 2**right, rounded to nearest with halves up, or value * 2**left. scale: 2**(32 - right), or 0. */
TINYCC_INLINE int32_t tinycc_clamp_gradient_dsp_shifted(int32_t value, int32_t scale, int32_t left)
{
    return scale != 0 ? tinycc_dsp_high_product(value, scale) : tinycc_shift_left(value, left);
}

#define TINYCC_DEFINE_CLAMP_GRADIENT_DSP(element, type)                                                      \
    TINYCC_INLINE void tinycc_mask_gradient_dsp_byte_##element(                                              \
        const type *gradient, uint32_t bits, const int16_t *factors, int32_t step, int32_t scale,            \
        int32_t left, int32_t places, int16_t *output)                                                       \
    {                                                                                                        \
        const int32_t half = (int32_t)1 << (places - 1);                                                     \
        TINYCC_UNROLL                                                                                        \
        for (int32_t k = 7; k >= 0; --k) {                                                                   \
            const int32_t value = tinycc_clamp_gradient_dsp_shifted(                                         \
                tinycc_gradient_load_##element(gradient + k), scale, left);                                  \
            const int32_t product = (value * factors[k * step] + half) >> places;                            \
            tinycc_gradient_store_int16(output + k, product & -(int32_t)(bits >> k & 1));                    \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    TINYCC_INLINE void tinycc_mask_gradient_dsp_rows_##element(                                              \
        const type *gradient, const uint8_t *mask, int32_t scale, int32_t left, int16_t *out_row,            \
        int32_t x0, int32_t x1, const tinycc_clamp_gradient_dsp_shape *shape,                                \
        const tinycc_clamp_gradient_dsp_data *data)                                                          \
    {                                                                                                        \
        const int32_t places = TINYCC_GRADIENT_PRODUCT_BITS - shape->bits;                                   \
        /* A column of one element is a channel of a long one. */                                            \
        const int32_t channels = shape->channels == 1 ? x1 - x0 : shape->channels;                           \
        const int32_t step = shape->channels == 1 ? shape->pixel_step : shape->channel_step;                 \
        const int32_t end = shape->channels == 1 ? x0 + 1 : x1;                                              \
        int32_t i = x1 * shape->channels;                                                                    \
        for (int32_t x = end - 1; x >= x0; --x) {                                                            \
            const int16_t *factors = data->factors + x * shape->pixel_step;                                  \
            for (int32_t c = channels - 8; c >= 0; c -= 8) {                                                 \
                i -= 8;                                                                                      \
                tinycc_mask_gradient_dsp_byte_##element(gradient + i, mask[i >> 3], factors + c * step,      \
                                                        step, scale, left, places, out_row + i);             \
            }                                                                                                \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    TINYCC_INLINE void tinycc_mask_gradient_dsp_##element(                                                   \
        const type *gradient, const uint8_t *mask, const int32_t *before, const int32_t *after,              \
        int16_t *out_row, int32_t x0, int32_t x1, const tinycc_clamp_gradient_dsp_shape *shape,              \
        const tinycc_clamp_gradient_dsp_data *data)                                                          \
    {                                                                                                        \
        const int32_t right = *after - *before;                                                              \
        if (right > 1) {                                                                                     \
            tinycc_mask_gradient_dsp_rows_##element(gradient, mask, (int32_t)1 << (32 - right), 0, out_row,  \
                                                    x0, x1, shape, data);                                    \
        } else if (right <= 0) {                                                                             \
            tinycc_mask_gradient_dsp_rows_##element(gradient, mask, 0, -right, out_row, x0, x1, shape,       \
                                                    data);                                                   \
        } else {                                                                                             \
            tinycc_mask_gradient_##element(gradient, mask, before, after, out_row, x0, x1, shape, data);     \
        }                                                                                                    \
    }

TINYCC_DEFINE_CLAMP_GRADIENT_DSP(int16, int16_t)
TINYCC_DEFINE_CLAMP_GRADIENT_DSP(int32, int32_t)

#undef TINYCC_DEFINE_CLAMP_GRADIENT_DSP

#endif
