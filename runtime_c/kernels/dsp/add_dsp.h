/* As add.h for int8 tensors, with the DSP extension.
 *
 * The common scale is twice the coarser one, so the operand of that scale is halved: a shift. The other is
 * rescaled. Aliasing: elements in ascending order, each written once its operands are read; in place over
 * either is right. */
#ifndef TINYCC_ADD_DSP_H
#define TINYCC_ADD_DSP_H

#include "../shared/elementwise_runs.h"
#include "dsp.h"

/* Bits by which operands are widened. */
#define TINYCC_ADD_DSP_SHIFT 20
/* What the coarse operand is multiplied by. */
#define TINYCC_ADD_DSP_HALF (1 << (TINYCC_ADD_DSP_SHIFT - 1))

typedef struct {
    int32_t channels;
    int32_t a_pixel_stride;
    int32_t a_channel_stride;
    int32_t b_pixel_stride;
    int32_t b_channel_stride;
    int32_t coarse_is_b;
    int32_t sign; /* of b: 1 or -1 */
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

/* The fine operand on the common scale, plus an addend. */
TINYCC_INLINE int32_t tinycc_add_dsp_scale_fine(int32_t fine, int32_t addend, const tinycc_add_dsp_data *data)
{
    const int32_t widened = (fine - data->fine_zero_point) * (2 * TINYCC_ADD_DSP_HALF);
    return tinycc_dsp_rescale(widened, data->fine_multiplier, data->fine_exponent, addend, 0);
}

TINYCC_INLINE int8_t tinycc_add_dsp_output(int32_t sum, const tinycc_add_dsp_data *data, int32_t mode)
{
    const int32_t result = tinycc_dsp_rescale(sum, data->output_multiplier, data->output_exponent,
                                              data->output_zero_point, mode == TINYCC_DSP_RECTIFIED);
    return tinycc_dsp_clamp(result, data->output_min, data->output_max, mode == TINYCC_DSP_CLAMPED);
}

/* Functions for each mode, which all operators share: the sum of two vectors; the difference, coarse - fine
 * where the sign is 1; and two of a vector of either operand and what the other one comes to, the vector's
 * sign told. */
#define TINYCC_DEFINE_ADD_DSP(name, mode)                                                                    \
    TINYCC_SHARED void tinycc_add_dsp_sums_##name(const int8_t *coarse, const int8_t *fine, int8_t *output,  \
                                                  int32_t count, const tinycc_add_dsp_data *data)            \
    {                                                                                                        \
        const tinycc_add_dsp_data local = *data;                                                             \
        const int32_t offset = -local.coarse_zero_point * TINYCC_ADD_DSP_HALF;                               \
        TINYCC_UNROLL_TWICE                                                                                  \
        for (int32_t i = 0; i < count; ++i) {                                                                \
            const int32_t scaled = tinycc_add_dsp_scale_fine(fine[i], offset, &local);                       \
            output[i] = tinycc_add_dsp_output(scaled + coarse[i] * TINYCC_ADD_DSP_HALF, &local, mode);       \
        }                                                                                                    \
    }                                                                                                        \
    TINYCC_SHARED void tinycc_add_dsp_differences_##name(const int8_t *coarse, const int8_t *fine,           \
                                                         int8_t *output, int32_t count,                      \
                                                         const tinycc_add_dsp_data *data, int32_t sign)      \
    {                                                                                                        \
        const tinycc_add_dsp_data local = *data;                                                             \
        const int32_t offset = local.coarse_zero_point * TINYCC_ADD_DSP_HALF;                                \
        TINYCC_UNROLL_TWICE                                                                                  \
        for (int32_t i = 0; i < count; ++i) {                                                                \
            const int32_t scaled = tinycc_add_dsp_scale_fine(fine[i], offset, &local);                       \
            const int32_t difference = coarse[i] * TINYCC_ADD_DSP_HALF - scaled;                             \
            output[i] = tinycc_add_dsp_output(difference * sign, &local, mode);                              \
        }                                                                                                    \
    }                                                                                                        \
    TINYCC_SHARED void tinycc_add_dsp_coarse_##name(const int8_t *row, int32_t number, int8_t *output,       \
                                                    int32_t count, const tinycc_add_dsp_data *data,          \
                                                    int32_t sign)                                            \
    {                                                                                                        \
        const tinycc_add_dsp_data local = *data;                                                             \
        const int32_t factor = sign * TINYCC_ADD_DSP_HALF;                                                   \
        const int32_t offset = number - local.coarse_zero_point * factor;                                    \
        TINYCC_UNROLL_TWICE                                                                                  \
        for (int32_t i = 0; i < count; ++i) {                                                                \
            output[i] = tinycc_add_dsp_output(row[i] * factor + offset, &local, mode);                       \
        }                                                                                                    \
    }                                                                                                        \
    TINYCC_SHARED void tinycc_add_dsp_fine_##name(const int8_t *row, int32_t number, int8_t *output,         \
                                                  int32_t count, const tinycc_add_dsp_data *data,            \
                                                  int32_t sign)                                              \
    {                                                                                                        \
        const tinycc_add_dsp_data local = *data;                                                             \
        TINYCC_UNROLL_TWICE                                                                                  \
        for (int32_t i = 0; i < count; ++i) {                                                                \
            const int32_t scaled = tinycc_add_dsp_scale_fine(row[i], 0, &local);                             \
            output[i] = tinycc_add_dsp_output(scaled * sign + number, &local, mode);                         \
        }                                                                                                    \
    }

TINYCC_DEFINE_ADD_DSP(rectified, TINYCC_DSP_RECTIFIED)
TINYCC_DEFINE_ADD_DSP(full, TINYCC_DSP_FULL)
TINYCC_DEFINE_ADD_DSP(clamped, TINYCC_DSP_CLAMPED)

#undef TINYCC_DEFINE_ADD_DSP

TINYCC_INLINE void tinycc_add_dsp_vectors(const int8_t *a, const int8_t *b, int8_t *out, int32_t count,
                                          const tinycc_add_dsp_shape *shape, const tinycc_add_dsp_data *data)
{
    const int8_t *coarse = shape->coarse_is_b ? b : a;
    const int8_t *fine = shape->coarse_is_b ? a : b;
    if (shape->sign > 0) {
        TINYCC_DSP_IN_MODE(shape->mode, tinycc_add_dsp_sums, coarse, fine, out, count, data);
    } else {
        const int32_t sign = shape->coarse_is_b ? -1 : 1;
        TINYCC_DSP_IN_MODE(shape->mode, tinycc_add_dsp_differences, coarse, fine, out, count, data, sign);
    }
}

TINYCC_INLINE void tinycc_add_dsp_number(const int8_t *row, int is_b, int32_t number, int8_t *out,
                                         int32_t count, const tinycc_add_dsp_shape *shape,
                                         const tinycc_add_dsp_data *data)
{
    const int32_t sign = is_b ? shape->sign : 1;
    const int32_t other_sign = is_b ? 1 : shape->sign;
    if (is_b == shape->coarse_is_b) {
        const int32_t scaled = other_sign * tinycc_add_dsp_scale_fine(number, 0, data);
        TINYCC_DSP_IN_MODE(shape->mode, tinycc_add_dsp_coarse, row, scaled, out, count, data, sign);
    } else {
        const int32_t scaled = other_sign * (number - data->coarse_zero_point) * TINYCC_ADD_DSP_HALF;
        TINYCC_DSP_IN_MODE(shape->mode, tinycc_add_dsp_fine, row, scaled, out, count, data, sign);
    }
}

TINYCC_DEFINE_ELEMENTWISE_RUNS(add_dsp)

#endif
