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

#include "../shared/common.h"

typedef struct {
    int32_t feature_multiplier;
    int32_t output_multiplier;
    int16_t state_zero_point;
    int8_t feature_shift;
    int8_t output_shift;
    int8_t output_zero_point;
} tinycc_svdf_scales;

TINYCC_INLINE int32_t tinycc_svdf_saturate_int8(int32_t value)
{
    return tinycc_clamp(value, INT8_MIN, INT8_MAX);
}

TINYCC_INLINE int32_t tinycc_svdf_saturate_int16(int32_t value)
{
    return tinycc_clamp(value, INT16_MIN, INT16_MAX);
}

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
        tinycc_svdf_scales scales;                                                                           \
    } tinycc_svdf_##state##_data;                                                                            \
                                                                                                             \
    /* The newest element of a filter. */                                                                    \
    TINYCC_INLINE int32_t tinycc_svdf_feature_##state(const int8_t *input, int32_t filter,                   \
                                                      const tinycc_svdf_##state##_shape *shape,              \
                                                      const tinycc_svdf_##state##_data *data)                \
    {                                                                                                        \
        const int8_t *weights = data->feature_weights + filter * shape->inputs;                              \
        int32_t sum = data->feature_bias[filter];                                                            \
        TINYCC_UNROLL                                                                                        \
        for (int32_t i = 0; i < shape->inputs; ++i) {                                                        \
            sum += input[i] * weights[i];                                                                    \
        }                                                                                                    \
        sum = tinycc_requantize(sum, data->scales.feature_multiplier, data->scales.feature_shift);           \
        return tinycc_svdf_saturate_##state(sum + data->scales.state_zero_point);                            \
    }                                                                                                        \
                                                                                                             \
    /* Moves the state of a filter by one, appends its newest element; the product with the weights. */      \
    TINYCC_INLINE uint32_t tinycc_svdf_advance_##state(state##_t *history, const state##_t *weights,         \
                                                       int32_t memory, int32_t newest)                       \
    {                                                                                                        \
        uint32_t total = 0;                                                                                  \
        for (int32_t t = 0; t < memory - 1; ++t) {                                                           \
            const state##_t element = history[t + 1];                                                        \
            history[t] = element;                                                                            \
            total += (uint32_t)(element * weights[t]);                                                       \
        }                                                                                                    \
        history[memory - 1] = (state##_t)newest;                                                             \
        return total + (uint32_t)(newest * weights[memory - 1]);                                             \
    }                                                                                                        \
                                                                                                             \
    TINYCC_INLINE void tinycc_svdf_##state(const int8_t *row, int8_t *out_row, state##_t *states,            \
                                           int32_t x0, int32_t x1, const tinycc_svdf_##state##_shape *shape, \
                                           const tinycc_svdf_##state##_data *data)                           \
    {                                                                                                        \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            uint32_t total = (uint32_t)data->bias[x];                                                        \
            for (int32_t filter = x * shape->rank; filter < (x + 1) * shape->rank; ++filter) {               \
                const int32_t start = filter * shape->memory;                                                \
                const int32_t newest = tinycc_svdf_feature_##state(row, filter, shape, data);                \
                total += tinycc_svdf_advance_##state(states + start, data->time_weights + start,             \
                                                     shape->memory, newest);                                 \
            }                                                                                                \
            const int32_t sum = tinycc_requantize((int32_t)total, data->scales.output_multiplier,            \
                                                  data->scales.output_shift);                                \
            out_row[x] = (int8_t)tinycc_clamp(sum + data->scales.output_zero_point, INT8_MIN, INT8_MAX);     \
        }                                                                                                    \
    }

TINYCC_DEFINE_SVDF(int8)
TINYCC_DEFINE_SVDF(int16)

#undef TINYCC_DEFINE_SVDF

#endif
