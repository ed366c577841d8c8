/* As add.h for a sum of int8 tensors of one shape, with the DSP extension.
 *
 * The common scale is twice the coarser one, so the operand of that scale is halved: a shift. The other is
 * rescaled. Aliasing: elements in ascending order, each written once its operands are read; in place over
 * either is right. */
#ifndef TINYCC_ADD_DSP_H
#define TINYCC_ADD_DSP_H

#include "dsp.h"

/* Bits by which operands are widened. */
#define TINYCC_ADD_DSP_SHIFT 20

typedef struct {
    int32_t coarse_is_b;
    int32_t mode; /* tinycc_dsp_mode */
} tinycc_add_dsp_shape;

/* Multipliers and exponents as tinycc_dsp_rescale takes them. */
typedef struct {
    int32_t coarse_zero_point;
    int32_t fine_zero_point;
    int32_t fine_multiplier;
    int32_t fine_exponent;
    int32_t output_multiplier;
    int32_t output_exponent;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
} tinycc_add_dsp_data;

TINYCC_INLINE void tinycc_add_dsp_elements(const int8_t *coarse, const int8_t *fine, int8_t *output,
                                           int32_t count, const tinycc_add_dsp_data *data,
                                           tinycc_dsp_mode mode)
{
    const tinycc_add_dsp_data local = *data;
    const int32_t half = 1 << (TINYCC_ADD_DSP_SHIFT - 1);
    const int32_t offset = -local.coarse_zero_point * half;
    TINYCC_UNROLL_TWICE
    for (int32_t i = 0; i < count; ++i) {
        const int32_t widened = (fine[i] - local.fine_zero_point) * (2 * half);
        const int32_t scaled =
            tinycc_dsp_rescale(widened, local.fine_multiplier, local.fine_exponent, offset, 0);
        const int32_t result =
            tinycc_dsp_rescale(scaled + coarse[i] * half, local.output_multiplier, local.output_exponent,
                               local.output_zero_point, mode == TINYCC_DSP_RECTIFIED);
        output[i] =
            (int8_t)(mode == TINYCC_DSP_CLAMPED ? tinycc_clamp(result, local.output_min, local.output_max)
                                                : tinycc_dsp_saturate(result));
    }
}

/* One function for each mode, which all operators share. */
#define TINYCC_DEFINE_ADD_DSP(name, mode)                                                                    \
    TINYCC_SHARED void tinycc_add_dsp_##name(const int8_t *coarse, const int8_t *fine, int8_t *output,       \
                                             int32_t count, const tinycc_add_dsp_data *data)                 \
    {                                                                                                        \
        tinycc_add_dsp_elements(coarse, fine, output, count, data, mode);                                    \
    }

TINYCC_DEFINE_ADD_DSP(rectified, TINYCC_DSP_RECTIFIED)
TINYCC_DEFINE_ADD_DSP(full, TINYCC_DSP_FULL)
TINYCC_DEFINE_ADD_DSP(clamped, TINYCC_DSP_CLAMPED)

#undef TINYCC_DEFINE_ADD_DSP

TINYCC_INLINE void tinycc_add_dsp_int8(const int8_t *a, const int8_t *b, int8_t *out_row, int32_t x0,
                                       int32_t x1, const tinycc_add_dsp_shape *shape,
                                       const tinycc_add_dsp_data *data)
{
    const int8_t *coarse = (shape->coarse_is_b ? b : a) + x0;
    const int8_t *fine = (shape->coarse_is_b ? a : b) + x0;
    if (shape->mode == TINYCC_DSP_RECTIFIED) {
        tinycc_add_dsp_rectified(coarse, fine, out_row + x0, x1 - x0, data);
    } else if (shape->mode == TINYCC_DSP_FULL) {
        tinycc_add_dsp_full(coarse, fine, out_row + x0, x1 - x0, data);
    } else {
        tinycc_add_dsp_clamped(coarse, fine, out_row + x0, x1 - x0, data);
    }
}

#endif
