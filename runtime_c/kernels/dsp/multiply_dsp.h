/* As multiply.h, with the DSP extension's rounding high product.
 *
 * Aliasing: elements in ascending order, each written once its operands are read; in place over either is
 * right. */
#ifndef TINYCC_MULTIPLY_DSP_H
#define TINYCC_MULTIPLY_DSP_H

#include "../shared/elementwise_runs.h"
#include "dsp.h"

typedef struct {
    int32_t channels;
    int32_t a_pixel_stride;
    int32_t a_channel_stride;
    int32_t b_pixel_stride;
    int32_t b_channel_stride;
    int32_t mode; /* tinycc_dsp_mode */
} tinycc_multiply_dsp_shape;

/* Multiplier and exponent as tinycc_dsp_rescale takes them. */
typedef struct {
    int32_t a_zero_point;
    int32_t b_zero_point;
    int32_t multiplier;
    int32_t exponent;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
} tinycc_multiply_dsp_data;

TINYCC_INLINE int8_t tinycc_multiply_dsp_output(int32_t product, const tinycc_multiply_dsp_data *data,
                                                int32_t mode)
{
    const int32_t result = tinycc_dsp_rescale(product, data->multiplier, data->exponent,
                                              data->output_zero_point, mode == TINYCC_DSP_RECTIFIED);
    return tinycc_dsp_clamp(result, data->output_min, data->output_max, mode == TINYCC_DSP_CLAMPED);
}

/* Functions for each mode, which all operators share. */
#define TINYCC_DEFINE_MULTIPLY_DSP(name, mode)                                                               \
    TINYCC_SHARED void tinycc_multiply_dsp_vectors_##name(                                                   \
        const int8_t *a, const int8_t *b, int8_t *out, int32_t count, const tinycc_multiply_dsp_data *data)  \
    {                                                                                                        \
        const tinycc_multiply_dsp_data local = *data;                                                        \
        TINYCC_UNROLL_TWICE                                                                                  \
        for (int32_t i = 0; i < count; ++i) {                                                                \
            const int32_t product = (a[i] - local.a_zero_point) * (b[i] - local.b_zero_point);               \
            out[i] = tinycc_multiply_dsp_output(product, &local, mode);                                      \
        }                                                                                                    \
    }                                                                                                        \
    TINYCC_SHARED void tinycc_multiply_dsp_number_##name(                                                    \
        const int8_t *a, int32_t number, int8_t *out, int32_t count, const tinycc_multiply_dsp_data *data,   \
        int32_t zero_point)                                                                                  \
    {                                                                                                        \
        const tinycc_multiply_dsp_data local = *data;                                                        \
        const int32_t offset = -zero_point * number;                                                         \
        TINYCC_UNROLL_TWICE                                                                                  \
        for (int32_t i = 0; i < count; ++i) {                                                                \
            out[i] = tinycc_multiply_dsp_output(a[i] * number + offset, &local, mode);                       \
        }                                                                                                    \
    }

TINYCC_DEFINE_MULTIPLY_DSP(rectified, TINYCC_DSP_RECTIFIED)
TINYCC_DEFINE_MULTIPLY_DSP(full, TINYCC_DSP_FULL)
TINYCC_DEFINE_MULTIPLY_DSP(clamped, TINYCC_DSP_CLAMPED)

#undef TINYCC_DEFINE_MULTIPLY_DSP

TINYCC_INLINE void tinycc_multiply_dsp_vectors(const int8_t *a, const int8_t *b, int8_t *out, int32_t count,
                                               const tinycc_multiply_dsp_shape *shape,
                                               const tinycc_multiply_dsp_data *data)
{
    TINYCC_DSP_IN_MODE(shape->mode, tinycc_multiply_dsp_vectors, a, b, out, count, data);
}

TINYCC_INLINE void tinycc_multiply_dsp_number(const int8_t *row, int is_b, int32_t number, int8_t *out,
                                              int32_t count, const tinycc_multiply_dsp_shape *shape,
                                              const tinycc_multiply_dsp_data *data)
{
    const int32_t zero_point = is_b ? data->b_zero_point : data->a_zero_point;
    number -= is_b ? data->a_zero_point : data->b_zero_point;
    TINYCC_DSP_IN_MODE(shape->mode, tinycc_multiply_dsp_number, row, number, out, count, data, zero_point);
}

TINYCC_DEFINE_ELEMENTWISE_RUNS(multiply_dsp)

#endif
