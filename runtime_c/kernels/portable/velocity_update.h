/* Weights or biases after a mini-batch, by a velocity (shared/velocity.h):
 *
 *   change = floor(v[i] + u)
 *   out[i] = clamp(clamp(w[i], low, high) - change, low, high), or w[i] where there is no change
 *
 * and w[i] in all steps that end no mini-batch. u and floor: shared/update.h; integers have `bits` behind the
 * point. Aliasing: output may be the weights. */
#ifndef TINYCC_VELOCITY_UPDATE_H
#define TINYCC_VELOCITY_UPDATE_H

#include "../shared/velocity.h"

typedef struct {
    int32_t elements;
    int32_t is_stochastic; /* otherwise to nearest */
    int32_t bits;
} tinycc_velocity_update_shape;

typedef struct {
    int32_t seed;
    int32_t tensor;
    int32_t bound; /* of a change that is a real number before it is an integer */
    int32_t low;
    int32_t high;
} tinycc_velocity_update_data;

TINYCC_INLINE int32_t tinycc_velocity_change_float32(float velocity, uint32_t key, int32_t element,
                                                     const tinycc_velocity_update_shape *shape,
                                                     const tinycc_velocity_update_data *data)
{
    const float u = shape->is_stochastic ? tinycc_update_random(key, element) : 0.5f;
    return tinycc_update_change(velocity, (float)data->bound, u);
}

TINYCC_INLINE int32_t tinycc_velocity_change_int32(int32_t velocity, uint32_t key, int32_t element,
                                                   const tinycc_velocity_update_shape *shape,
                                                   const tinycc_velocity_update_data *data)
{
    const uint32_t random = tinycc_gradient_random(key, element, shape->is_stochastic);
    const int32_t dropped = TINYCC_GRADIENT_RANDOM_BITS - shape->bits;
    (void)data;
    return (int32_t)(((int64_t)velocity + (int64_t)(random >> dropped)) >> shape->bits);
}

/* tinycc_velocity_update_<velocity>_<weights>. */
#define TINYCC_VELOCITY_UPDATE(VELOCITY, VELOCITY_TYPE, WEIGHTS, WEIGHTS_TYPE)                               \
    TINYCC_INLINE void tinycc_velocity_update_##VELOCITY##_##WEIGHTS(                                        \
        const VELOCITY_TYPE *velocity, const int32_t *is_due, const int32_t *update,                         \
        const WEIGHTS_TYPE *weights, WEIGHTS_TYPE *out_row, int32_t x0, int32_t x1,                          \
        const tinycc_velocity_update_shape *shape, const tinycc_velocity_update_data *data)                  \
    {                                                                                                        \
        const uint32_t key = tinycc_update_key(data->seed, *update, data->tensor);                           \
        (void)x0;                                                                                            \
        (void)x1;                                                                                            \
        if (out_row != weights) {                                                                            \
            memmove(out_row, weights, (size_t)shape->elements * sizeof(*weights));                           \
        }                                                                                                    \
        for (int32_t i = 0; i < (*is_due ? shape->elements : 0); ++i) {                                      \
            const int32_t change = tinycc_velocity_change_##VELOCITY(velocity[i], key, i, shape, data);      \
            if (change != 0) {                                                                               \
                const int32_t held = tinycc_clamp(out_row[i], data->low, data->high);                        \
                out_row[i] = (WEIGHTS_TYPE)tinycc_clamp(held - change, data->low, data->high);               \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_VELOCITY_UPDATE(float32, float, int8, int8_t)
TINYCC_VELOCITY_UPDATE(float32, float, int32, int32_t)
TINYCC_VELOCITY_UPDATE(int32, int32_t, int8, int8_t)
TINYCC_VELOCITY_UPDATE(int32, int32_t, int32, int32_t)

#endif
