/* What weights and biases change by, summed up over the steps of a mini-batch, and by momentum over those
 * before:
 *
 *   velocity = hold(decay * velocity + change)
 *
 * In real numbers it is held to [-bound, bound], as the change is; where that is no finite number it counts
 * as 0. In integers there are 24 bits behind the point for weights, which change by less than 128 then, and
 * 16 for biases; the change is rounded down to them, the product with decay, of 24 bits behind the point,
 * towards 0, so that nothing is left of it in the end. Both are held to what an int32 holds. The same in
 * Relax: tinycc/ops/velocity.py. */
#ifndef TINYCC_VELOCITY_H
#define TINYCC_VELOCITY_H

#include "gradient_integers.h"

/* Behind the point of integers. */
#define TINYCC_VELOCITY_DECAY_BITS 24
#define TINYCC_VELOCITY_WEIGHT_BITS 24
#define TINYCC_VELOCITY_BIAS_BITS 16

TINYCC_INLINE float tinycc_velocity_float32(float velocity, float decay, float change, float bound)
{
    const float finite = change - change == 0.0f ? change : 0.0f;
    const float held = finite < -bound ? -bound : (finite > bound ? bound : finite);
    const float sum = decay * velocity + held;
    return sum < -bound ? -bound : (sum > bound ? bound : sum);
}

/* factor, with the bits behind the point in its exponent, times sum is the change. */
TINYCC_INLINE int32_t tinycc_velocity_int32(int32_t velocity, int32_t decay, tinycc_gradient_factor factor,
                                            int64_t sum)
{
    const int64_t kept = (int64_t)velocity * decay / ((int32_t)1 << TINYCC_VELOCITY_DECAY_BITS);
    const int64_t next = kept + tinycc_gradient_change(factor, sum, INT32_MAX, 0);
    return (int32_t)(next < -INT32_MAX ? -INT32_MAX : (next > INT32_MAX ? INT32_MAX : next));
}

#endif
