/* A layer's bias after a step down the gradient of its sums:
 *
 *   out[o] = clamp(b[o] - floor((rate * scaling[o]) * sum_p gradient[p][o] + u), low, high), p ascending
 *
 * low is at least -2**30 and high less than 2**30. u and floor: update.h.
 * Columns are outputs. Aliasing: output may be the bias. */
#ifndef TINYCC_BIAS_UPDATE_H
#define TINYCC_BIAS_UPDATE_H

#include "../shared/update.h"

/* Of a change before it is an integer. */
#define TINYCC_BIAS_BOUND 1073741824
/* Outputs that are summed for together. */
#define TINYCC_BIAS_BLOCK 8

typedef struct {
    int32_t pixels;
    int32_t channels;
    int32_t is_stochastic; /* otherwise to nearest */
} tinycc_bias_update_shape;

typedef struct {
    const float *scaling;
    int32_t seed;
    int32_t tensor;
    int32_t low;
    int32_t high;
} tinycc_bias_update_data;

/* Biases of outputs [o, o + count). */
TINYCC_INLINE void tinycc_bias_update_block(const float *gradient, float rate, uint32_t key,
                                            const int32_t *bias, int32_t *out_row, int32_t o, int32_t count,
                                            const tinycc_bias_update_shape *shape,
                                            const tinycc_bias_update_data *data)
{
    const float *values = gradient + o;
    float sums[TINYCC_BIAS_BLOCK] = {0.0f};
    float of_block[TINYCC_BIAS_BLOCK];
    for (int32_t p = 0; p < shape->pixels; ++p) {
        TINYCC_UNROLL
        for (int32_t k = 0; k < count; ++k) {
            sums[k] += values[k];
        }
        values += shape->channels;
    }
    /* A copy, so that the sums themselves may lie in registers. */
    TINYCC_UNROLL
    for (int32_t k = 0; k < count; ++k) {
        of_block[k] = sums[k];
    }
    for (int32_t k = 0; k < count; ++k) {
        const float u = shape->is_stochastic ? tinycc_update_random(key, o + k) : 0.5f;
        const int32_t change =
            tinycc_update_change(rate * data->scaling[o + k] * of_block[k], (float)TINYCC_BIAS_BOUND, u);
        const int32_t held = tinycc_clamp(bias[o + k], data->low, data->high);
        out_row[o + k] = tinycc_clamp(held - change, data->low, data->high);
    }
}

TINYCC_INLINE void tinycc_bias_update_int32(const float *gradient, const float *rate, const int32_t *step,
                                            const int32_t *bias, int32_t *out_row, int32_t x0, int32_t x1,
                                            const tinycc_bias_update_shape *shape,
                                            const tinycc_bias_update_data *data)
{
    const uint32_t key = tinycc_update_key(data->seed, *step, data->tensor);
    const int32_t rest = (x1 - x0) % TINYCC_BIAS_BLOCK;
    int32_t o = x0;
    for (; o < x1 - rest; o += TINYCC_BIAS_BLOCK) {
        tinycc_bias_update_block(gradient, *rate, key, bias, out_row, o, TINYCC_BIAS_BLOCK, shape, data);
    }
    if (rest > 0) {
        tinycc_bias_update_block(gradient, *rate, key, bias, out_row, o, rest, shape, data);
    }
}

#endif
