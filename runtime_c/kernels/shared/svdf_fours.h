/* What the kernels of svdf.h for the DSP extension and for Helium have in common: the newest elements of four
 * filters are computed together, and requantized as by dsp.h.
 *
 * They compute all outputs: x0 is 0.
 * Aliasing: all of the input is read for every four filters; thereafter the outputs that they complete are
 * written. */
#ifndef TINYCC_SVDF_FOURS_H
#define TINYCC_SVDF_FOURS_H

#include "../dsp/dsp.h"
#include "../portable/svdf.h"

#define TINYCC_SVDF_BLOCK 4

typedef struct {
    int32_t inputs;
    int32_t rank;
    int32_t memory;
} tinycc_svdf_fours_shape;

/* Multipliers as tinycc_dsp_rescale takes them. A sum of features is shifted left, then divided by a power
 * of two; the result of an output is only divided. */
typedef struct {
    int32_t feature_multiplier;
    int32_t output_multiplier;
    int16_t state_zero_point;
    int8_t feature_left;
    int8_t feature_exponent;
    int8_t output_exponent;
    int8_t output_zero_point;
} tinycc_svdf_fours_scales;

/* The newest element of a filter, not yet clamped. */
TINYCC_INLINE int32_t tinycc_svdf_fours_newest(int32_t sum, const tinycc_svdf_fours_scales *scales)
{
    const int32_t shifted = (int32_t)((uint32_t)sum << scales->feature_left);
    return tinycc_dsp_rescale(shifted, scales->feature_multiplier, scales->feature_exponent,
                              scales->state_zero_point, 0);
}

#define tinycc_svdf_fours_saturate_int8 tinycc_dsp_saturate
#define tinycc_svdf_fours_saturate_int16 tinycc_dsp_saturate16

TINYCC_INLINE int8_t tinycc_svdf_fours_output(uint32_t total, const tinycc_svdf_fours_scales *scales)
{
    return (int8_t)tinycc_dsp_saturate(tinycc_dsp_rescale(
        (int32_t)total, scales->output_multiplier, scales->output_exponent, scales->output_zero_point, 0));
}

/* The kernel `name` for one type of the state. Given are the functions
 *   tinycc_svdf_<name>_sums(sums, input, filter, inputs, features): the sums of four filters, and
 *   tinycc_svdf_<name>_advance_<state>(history, weights, memory, newest): as that of svdf.h.
 * features: what the sums are made of. */
#define TINYCC_DEFINE_SVDF_FOURS(name, state)                                                                \
    typedef tinycc_svdf_fours_shape tinycc_svdf_##name##_##state##_shape;                                    \
                                                                                                             \
    typedef struct {                                                                                         \
        tinycc_svdf_##name##_features features;                                                              \
        const state##_t *time_weights; /* [outputs][rank][memory] */                                         \
        const int32_t *bias;           /* [outputs] */                                                       \
        tinycc_svdf_fours_scales scales;                                                                     \
    } tinycc_svdf_##name##_##state##_data;                                                                   \
                                                                                                             \
    TINYCC_INLINE void tinycc_svdf_##name##_##state(                                                         \
        const int8_t *row, int8_t *out_row, state##_t *states, int32_t x0, int32_t x1,                       \
        const tinycc_svdf_fours_shape *shape, const tinycc_svdf_##name##_##state##_data *data)               \
    {                                                                                                        \
        const state##_t *weights = data->time_weights;                                                       \
        const int32_t filters = (x1 - x0) * shape->rank;                                                     \
        int32_t x = x0, missing = shape->rank;                                                               \
        uint32_t total = 0;                                                                                  \
        for (int32_t filter = 0; filter < filters; filter += TINYCC_SVDF_BLOCK) {                            \
            const int32_t left = filters - filter;                                                           \
            int32_t sums[TINYCC_SVDF_BLOCK];                                                                 \
            tinycc_svdf_##name##_sums(sums, row, filter, shape->inputs, &data->features);                    \
            for (int32_t k = 0; k < (left < TINYCC_SVDF_BLOCK ? left : TINYCC_SVDF_BLOCK); ++k) {            \
                const int32_t newest = tinycc_svdf_fours_newest(sums[k], &data->scales);                     \
                total += tinycc_svdf_##name##_advance_##state(states, weights, shape->memory,                \
                                                              tinycc_svdf_fours_saturate_##state(newest));   \
                states += shape->memory;                                                                     \
                weights += shape->memory;                                                                    \
                if (--missing == 0) {                                                                        \
                    total += (uint32_t)data->bias[x];                                                        \
                    out_row[x++] = tinycc_svdf_fours_output(total, &data->scales);                           \
                    missing = shape->rank;                                                                   \
                    total = 0;                                                                               \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

#endif
