/* One step of a rank-constrained filter over time (SVDF).
 *
 * Filter f remembers the products of its last `memory` inputs with its feature weights, oldest first:
 *
 *   state[f] = state[f] moved by one, its newest clamp(zero_point + requantize(feature_bias[f] + W[f] in))
 *   out[x] = clamp(zero_point + requantize(bias[x] + sum over filters f of x and times t of state[f][t]
 * T[f][t]))
 *
 * where output x has the filters [x * rank, (x + 1) * rank). Both biases have the zero points folded in.
 * The sum over time wraps in 32 bits, as in TFLite Micro.
 * Aliasing: outputs in ascending order, each written once the input is read for it; each reads all of the
 * input. Reference: TFLite, SVDF of int8 with a state of int8 or int16. */
#ifndef TINYCC_SVDF_H
#define TINYCC_SVDF_H

#include "common.h"

/* Types and kernel for each type of the state. */
#define TINYCC_DEFINE_SVDF(state)                                                                            \
    typedef struct {                                                                                         \
        int32_t inputs;                                                                                      \
        int32_t rank;                                                                                        \
        int32_t memory;                                                                                      \
    } tinycc_svdf_##state##_shape;                                                                           \
                                                                                                             \
    typedef struct {                                                                                         \
        const int8_t *feature_weights; /* [outputs][rank][inputs] */                                         \
        const int32_t *feature_bias;   /* [outputs][rank] */                                                 \
        const state##_t *time_weights; /* [outputs][rank][memory] */                                         \
        const int32_t *bias;           /* [outputs] */                                                       \
        int32_t feature_multiplier;                                                                          \
        int32_t feature_shift;                                                                               \
        int32_t state_zero_point;                                                                            \
        int32_t state_min;                                                                                   \
        int32_t state_max;                                                                                   \
        int32_t output_multiplier;                                                                           \
        int32_t output_shift;                                                                                \
        int32_t output_zero_point;                                                                           \
    } tinycc_svdf_##state##_data;                                                                            \
                                                                                                             \
    /* Moves the state of a filter by one and appends its newest element. */                                 \
    TINYCC_INLINE void tinycc_svdf_remember_##state(const int8_t *input, state##_t *history, int32_t filter, \
                                                    const tinycc_svdf_##state##_shape *shape,                \
                                                    const tinycc_svdf_##state##_data *data)                  \
    {                                                                                                        \
        const int8_t *weights = data->feature_weights + filter * shape->inputs;                              \
        int32_t sum = data->feature_bias[filter];                                                            \
        for (int32_t i = 0; i < shape->inputs; ++i) {                                                        \
            sum += input[i] * weights[i];                                                                    \
        }                                                                                                    \
        sum =                                                                                                \
            tinycc_requantize(sum, data->feature_multiplier, data->feature_shift) + data->state_zero_point;  \
        memmove(history, history + 1, (size_t)(shape->memory - 1) * sizeof(*history));                       \
        history[shape->memory - 1] = (state##_t)tinycc_clamp(sum, data->state_min, data->state_max);         \
    }                                                                                                        \
                                                                                                             \
    TINYCC_INLINE void tinycc_svdf_##state(const int8_t *row, int8_t *out_row, state##_t *states,            \
                                           int32_t x0, int32_t x1, const tinycc_svdf_##state##_shape *shape, \
                                           const tinycc_svdf_##state##_data *data)                           \
    {                                                                                                        \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            uint32_t total = (uint32_t)data->bias[x];                                                        \
            for (int32_t filter = x * shape->rank; filter < (x + 1) * shape->rank; ++filter) {               \
                state##_t *history = states + filter * shape->memory;                                        \
                const state##_t *weights = data->time_weights + filter * shape->memory;                      \
                tinycc_svdf_remember_##state(row, history, filter, shape, data);                             \
                for (int32_t t = 0; t < shape->memory; ++t) {                                                \
                    total += (uint32_t)(history[t] * weights[t]);                                            \
                }                                                                                            \
            }                                                                                                \
            const int32_t sum =                                                                              \
                tinycc_requantize((int32_t)total, data->output_multiplier, data->output_shift);              \
            out_row[x] = (int8_t)tinycc_clamp(sum + data->output_zero_point, -128, 127);                     \
        }                                                                                                    \
    }

TINYCC_DEFINE_SVDF(int8)
TINYCC_DEFINE_SVDF(int16)

#undef TINYCC_DEFINE_SVDF

#endif
